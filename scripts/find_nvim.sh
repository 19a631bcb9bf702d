#!/bin/sh
# Prints the first Neovim of version 0.11 or later: the user's own, then the one in .venv.
# Exit 1, silently, if there is none.
set -u

for name in nvim "$(dirname "$0")/../.venv/bin/nvim"; do
    path=$(command -v "$name" 2>/dev/null) || continue
    version=$("$path" --version 2>/dev/null </dev/null | sed -n '1s/^NVIM v\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    major=${version% *} minor=${version#* }
    [ -n "$version" ] || continue
    if [ "$major" -gt 0 ] || [ "$minor" -ge 11 ]; then
        echo "$path"
        exit 0
    fi
done
exit 1
