#!/bin/sh
# Installs into the virtual environment $1 the torch that constraints.txt pins, in its CPU build: tests need no GPU, and
# what pip takes by itself on Linux brings gigabytes of CUDA along.
set -eu

python=$1/bin/python
cpu_index=https://download.pytorch.org/whl/cpu
cd "$(dirname "$0")/.."
pin=$(grep '^torch==' constraints.txt)

installed=$("$python" -c 'from importlib.metadata import version; print("torch==" + version("torch").split("+")[0])' \
    2>/dev/null) || installed=none
[ "$installed" != "$pin" ] || exit 0

echo "Installing $pin (200 MB)."
pip() { "$python" -m pip --disable-pip-version-check --quiet --no-input install --constraint constraints.txt "$@"; }
if [ "$(uname -s)" = Linux ]; then
    if pip --index-url "$cpu_index" --retries 0 --timeout 10 "$pin" 2>/dev/null; then exit 0; fi
    echo "$cpu_index cannot be reached: torch comes from pip's own index, which may bring CUDA along." >&2
fi
pip "$pin"
