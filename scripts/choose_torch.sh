#!/bin/sh
# Prints which build of torch suits this machine: `cpu` on Linux without an NVIDIA driver, where the build of the
# package index would bring gigabytes of CUDA along for nothing; `default` elsewhere. $1: the driver's file, for tests.
set -u

driver=${1:-/proc/driver/nvidia/version}
if [ "$(uname -s)" = Linux ] && [ ! -e "$driver" ] && ! command -v nvidia-smi >/dev/null 2>&1; then
    echo cpu
else
    echo default
fi
