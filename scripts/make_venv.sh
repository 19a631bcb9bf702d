#!/bin/sh
# Makes the virtual environment $1 unless a working one is there.
set -eu

venv=$1
here=$(dirname "$0")

if "$venv/bin/python" -c 'import sys, pip; assert sys.version_info >= (3, 11)' >/dev/null 2>&1; then
    exit 0
fi

python=$("$here/find_python.sh")
echo "Making $venv with $("$python" --version 2>&1) ($python)."
rm -rf "$venv"

if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
    exec "$python" -m venv "$venv"
fi

# Debian and Ubuntu ship Python without ensurepip. A pip outside the environment can fill it.
if "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip "$venv"
    exec "$python" -m pip --python "$venv/bin/python" --disable-pip-version-check --quiet install pip
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$here/system_package.sh" "python$version-venv" || exit 1
exec "$python" -m venv "$venv"
