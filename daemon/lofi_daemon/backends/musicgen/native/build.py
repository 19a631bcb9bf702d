"""Where MusicGen's C step lies, and where it is kept once it is compiled."""

from __future__ import annotations

import ctypes
from pathlib import Path

import platformdirs

from acestep_core.native import build
from acestep_core.native.build import CannotBuildError, find_compiler

__all__ = ["CannotBuildError", "find_compiler", "folder", "load"]

SOURCE = Path(__file__).with_name("decoder.c")
"""It includes the other files of this folder."""

FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden")


def folder() -> Path:
    """Where what was compiled is kept."""
    return platformdirs.user_cache_path("lofi.nvim", appauthor=False) / "native"


def load(folder: Path) -> ctypes.CDLL:
    """The library, from ``folder`` if it was compiled before. Raises ``CannotBuildError``."""
    return build.load(folder, SOURCE, FLAGS)
