"""Compile kernels.c for this processor, once, and load it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("kernels.c")
FLAGS = (
    "-O3", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", "-Wno-psabi",
    "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip
TIMEOUT_SEC = 120.0


class CannotBuildError(Exception):
    """There are no compiled kernels here; the text says why, in a sentence's second half."""


def folder() -> Path:
    """Where what was compiled is kept unless the caller has a better place."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(told) if Path(told).is_absolute() else Path.home() / ".cache") / "acestep_core"


def load(folder: Path) -> ctypes.CDLL:
    """The library, from ``folder`` if it was compiled there before. Raises ``CannotBuildError``.

    The name holds a digest of the source, the compiler and the processor, so that another machine or source compiles
    anew, and one of the file itself: loading half a library ends the process.
    """
    compiler = _compiler()
    told = (SOURCE.read_bytes(), " ".join(_flags()).encode(), compiler.encode(), _processor().encode())
    name = f"kernels-{hashlib.sha256(b'|'.join(told)).hexdigest()[:16]}"
    try:
        library = _whole(folder, name) or _compile(compiler, folder, name)
        return ctypes.CDLL(str(library))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuildError(f"it could not be compiled or loaded ({error})") from error


def _compiler() -> str:
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return path
    raise CannotBuildError("no C compiler was found (cc, gcc or clang)")


def _flags() -> tuple[str, ...]:
    return (*FLAGS, "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native")


def _whole(folder: Path, name: str) -> Path | None:
    for library in folder.glob(f"{name}-*.so"):
        if library.stem.endswith(_digest(library)):
            return library
        library.unlink(missing_ok=True)
    return None


def _compile(compiler: str, folder: Path, name: str) -> Path:
    """In a folder of its own first: another process may be at it too, and both may win."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what lies in it is run
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "kernels.so"
        done = subprocess.run(
            [compiler, *_flags(), "-o", str(made), str(SOURCE), "-lpthread", "-lm"],
            capture_output=True, text=True, timeout=TIMEOUT_SEC, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
            raise CannotBuildError(f"{Path(compiler).name} could not compile it ({reason})")
        return made.replace(folder / f"{name}-{_digest(made)}.so")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    if told.exists():
        lines = told.read_text(encoding="ascii", errors="replace").splitlines()
        return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return f"{platform.machine()} {platform.processor()}"
