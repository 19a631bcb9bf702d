#!/bin/sh
# Ends the daemon, removes the virtual environment $1, and says what else lofi.nvim keeps and how to remove that.
set -eu

venv=$1
here=$(dirname "$0")
left=
if [ -x "$venv/bin/python" ]; then
    left=$("$venv/bin/python" "$here/leftovers.py" 2>/dev/null) || left="~/.cache/lofi.nvim, if it is there, as well"
fi
if [ -d "$venv" ]; then
    rm -rf "$venv"
    echo "Removed $venv."
else
    echo "Nothing is installed in $venv."
fi
if [ -n "$left" ]; then
    echo "Kept, as it is yours; to remove it too:"
    echo "$left"
fi
