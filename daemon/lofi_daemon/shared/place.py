"""Where the server of a user and a library listens, and proof that the place is private."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import LofiError

MAX_SOCKET_PATH = 103
"""sun_path holds 108 bytes on Linux and 104 on macOS, the closing NUL included."""


@dataclass(frozen=True, slots=True)
class Place:
    """``lock`` is held for life by the one server; only its holder unlinks and binds ``socket``."""

    socket: Path
    lock: Path


def find(library: Path, environ: Mapping[str, str] = os.environ) -> Place:
    """The place for the library in folder ``library``, its folder made (0700) and checked.

    Editors that use different libraries have different servers. Raises INTERNAL_ERROR if no private
    folder with a short enough path can be had.
    """
    name = hashlib.sha256(os.fsencode(library)).hexdigest()[:12]
    for folder in _candidates(environ):
        place = Place(folder / f"{name}.sock", folder / f"{name}.lock")
        if len(os.fsencode(place.socket)) <= MAX_SOCKET_PATH:
            _make_private(folder)
            return place
    raise LofiError("INTERNAL_ERROR", "No folder for the daemon's socket has a short enough path; set XDG_RUNTIME_DIR.")


def _candidates(environ: Mapping[str, str]) -> list[Path]:
    folders = []
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        folders.append(Path(runtime) / "lofi.nvim")
    if sys.platform == "darwin":  # already private to the user there
        folders.append(Path(tempfile.gettempdir()) / "lofi.nvim")
    folders.append(Path(f"/tmp/lofi.nvim-{os.getuid()}"))  # noqa: S108  checked to be ours alone
    return folders


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise LofiError("INTERNAL_ERROR", f"{folder} cannot be made ({error.strerror}); set XDG_RUNTIME_DIR.") from None
    # A folder in /tmp may have been put there by somebody else, for us to talk into.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LofiError("INTERNAL_ERROR", f"{folder} does not belong to you; remove it or set XDG_RUNTIME_DIR.")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
