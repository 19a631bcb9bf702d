"""Compile a C file for this processor, once, and load it. Imports no torch."""

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
    """There is nothing compiled here; the text says why, in a sentence's second half."""


def folder() -> Path:
    """Where what was compiled is kept unless the caller has a better place."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(told) if Path(told).is_absolute() else Path.home() / ".cache") / "acestep_core"


def find_compiler() -> str | None:
    """The path of the C compiler that will be asked."""
    names = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def load(folder: Path, source: Path | None = None, flags: tuple[str, ...] | None = None) -> ctypes.CDLL:
    """The library of ``source`` (kernels.c), from ``folder`` if it was compiled there before.

    ``source`` may include the files beside it. Raises ``CannotBuildError``. The name holds a digest of the sources, the
    flags, the compiler and the processor, so that a folder that moves to another machine, or a changed source, is
    compiled anew; and one of the file itself: loading half a library ends the process.
    """
    source = SOURCE if source is None else source
    compiler = find_compiler()
    if compiler is None:
        raise CannotBuildError("no C compiler was found (cc, gcc or clang)")
    command = (compiler, *(FLAGS if flags is None else flags), *_target())
    sources = (file.read_text(encoding="utf-8") for file in sorted(source.parent.glob("*.[ch]")))
    told = "\0".join((*sources, *command, _processor()))
    name = f"{source.stem}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    try:
        library = _whole(folder, name) or _compile(command, source, folder, name)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuildError(f"it could not be compiled ({error})") from error
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        library.unlink(missing_ok=True)
        raise CannotBuildError(f"what was compiled does not load ({error})") from error


def _target() -> tuple[str, ...]:
    """The flags that name this processor."""
    return ("-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native",)


def _whole(folder: Path, name: str) -> Path | None:
    """One that was compiled before; what is no longer what it was is thrown away."""
    for library in folder.glob(f"{name}-*.so"):
        if library.stem.endswith(_digest(library)):
            return library
        library.unlink(missing_ok=True)
    return None


def _compile(command: tuple[str, ...], source: Path, folder: Path, name: str) -> Path:
    """In a folder of its own first: another process may be at it too, and both may win."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what lies in it is run
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "made.so"
        done = subprocess.run(
            [*command, "-o", str(made), str(source), "-lpthread", "-lm"],
            capture_output=True, text=True, timeout=TIMEOUT_SEC, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
            raise CannotBuildError(f"{Path(command[0]).name} could not compile it ({reason})")
        return made.replace(folder / f"{name}-{_digest(made)}.so")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _processor() -> str:
    """What the processor can do, as the system tells it."""
    told_by_linux = Path("/proc/cpuinfo")
    if told_by_linux.exists():
        lines = told_by_linux.read_text(encoding="ascii", errors="replace").splitlines()
        told = (line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part")))
        return "\n".join(sorted(set(told)))
    return f"{platform.machine()} {platform.processor()}"
