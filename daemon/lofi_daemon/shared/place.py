"""Where the server of a user and a library listens, and proof that the place is private."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping

from ..errors import LofiError

MAX_SOCKET_PATH = 103
"""sun_path holds 108 bytes on Linux and 104 on macOS, the closing NUL included."""


class Place:
    """``lock`` is held for life by the one server; only its holder unlinks and binds ``socket``."""

    __slots__ = ("lock", "socket")

    def __init__(self, folder: str, name: str) -> None:
        self.socket = os.path.join(folder, name + ".sock")
        self.lock = os.path.join(folder, name + ".lock")

    def holder(self) -> int | None:
        """The pid that the last holder of the lock wrote there."""
        try:
            with open(self.lock, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None


def find(library: str, environ: Mapping[str, str] = os.environ) -> Place:
    """The place for the library named ``library`` (see early.py), its folder made (0700) and checked.

    Editors that use different libraries have different servers. Raises INTERNAL_ERROR if no private
    folder with a short enough path can be had.
    """
    import hashlib

    name = hashlib.sha256(os.fsencode(library)).hexdigest()[:12]
    reasons = []
    for folder in _candidates(environ):
        place = Place(folder, name)
        if len(os.fsencode(place.socket)) > MAX_SOCKET_PATH:
            reasons.append(f"{folder} is too long for a socket")
        elif reason := _unfit(folder):
            reasons.append(reason)
        else:
            return place
    raise LofiError(
        "INTERNAL_ERROR",
        f"There is no private folder for the daemon's socket ({'; '.join(reasons)}); "
        "set XDG_RUNTIME_DIR to one, or daemon.shared to false.",
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(runtime, "lofi.nvim")
    if sys.platform == "darwin" and (temporary := environ.get("TMPDIR")):  # private to the user there
        yield os.path.join(temporary, "lofi.nvim")
    yield f"/tmp/lofi.nvim-{os.getuid()}"  # noqa: S108  checked to be ours alone


def _unfit(folder: str) -> str | None:
    """Why ``folder``, made if it is not there, cannot be trusted."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
        # A folder in /tmp may have been put there by somebody else, for us to talk into.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return f"{folder} does not belong to you"
        if found.st_mode & 0o077:
            os.chmod(folder, 0o700)
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None
