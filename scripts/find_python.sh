#!/bin/sh
# Prints the Python to build the virtual environment with: 3.11 or later, one that can make
# environments by itself before one that cannot. Each candidate is run, because a name on PATH
# (a pyenv shim, Apple's stub) need not be a Python that works.
set -u

candidates="${PYTHON:-python3.13 python3.12 python3.11 python3 python}"

first_that() {
    for name in $candidates; do
        path=$(command -v "$name" 2>/dev/null) || continue
        if "$path" -c "$1" >/dev/null 2>&1; then
            echo "$path"
            return 0
        fi
    done
    return 1
}

version='import sys; assert sys.version_info >= (3, 11)'
first_that "$version; import ensurepip, venv" && exit 0
first_that "$version; import venv" && exit 0

echo "lofi.nvim needs Python 3.11 or later and found none (looked for: $candidates)." >&2
case "$(uname -s)" in
    Darwin) echo "Install one with: brew install python@3.13" >&2 ;;
    *) echo "Install one with your package manager, or from https://www.python.org/downloads/." >&2 ;;
esac
echo "If it is installed elsewhere, name it: make PYTHON=/path/to/python3" >&2
exit 1
