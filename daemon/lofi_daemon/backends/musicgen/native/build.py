"""Compile decoder.c for this processor, once, and load it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs

SOURCE = Path(__file__).with_name("decoder.c")
"""It includes the other files of this folder."""

FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden")
TIMEOUT_SEC = 120.0


class CannotBuildError(Exception):
    """There is no compiled step here; the text says why, in a sentence's second half."""


def folder() -> Path:
    """Where what was compiled is kept."""
    return platformdirs.user_cache_path("lofi.nvim", appauthor=False) / "native"


def find_compiler() -> str | None:
    """The path of the C compiler that will be asked."""
    names = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def load(folder: Path) -> ctypes.CDLL:
    """The library, from ``folder`` if it was compiled before. Raises ``CannotBuildError``.

    The name holds a digest of the source, the flags, the compiler and the processor, so that a folder that moves to
    another machine, or a changed source, is compiled anew; and one of the file itself: loading half a library ends
    the process.
    """
    compiler = find_compiler()
    if compiler is None:
        raise CannotBuildError("no C compiler was found (cc, gcc or clang)")
    target = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    flags = (*FLAGS, target)
    sources = (file.read_text(encoding="utf-8") for file in sorted(SOURCE.parent.glob("*.[ch]")))
    told = "\0".join((*sources, *flags, compiler, _processor()))
    key = hashlib.sha256(told.encode()).hexdigest()[:16]
    try:
        library = _whole(folder, key) or _compile(compiler, flags, folder, key)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuildError(f"it could not be compiled ({error})") from error
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        library.unlink(missing_ok=True)
        raise CannotBuildError(f"the compiled step does not load ({error})") from error


def _whole(folder: Path, key: str) -> Path | None:
    """One that was compiled before; what is no longer what it was is thrown away."""
    for library in folder.glob(f"decoder-{key}-*.so"):
        if library.stem.endswith(_digest(library)):
            return library
        library.unlink(missing_ok=True)
    return None


def _compile(compiler: str, flags: tuple[str, ...], folder: Path, key: str) -> Path:
    """In a folder of its own first: another process may be at it too, and both may win."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what lies in it is run
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "decoder.so"
        done = subprocess.run(
            [compiler, *flags, "-o", str(made), str(SOURCE), "-lpthread", "-lm"],
            capture_output=True, text=True, timeout=TIMEOUT_SEC, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
            raise CannotBuildError(f"{Path(compiler).name} could not compile it ({reason})")
        library = folder / f"decoder-{key}-{_digest(made)}.so"
        return made.replace(library)


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
