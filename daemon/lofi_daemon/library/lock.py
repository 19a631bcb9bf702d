"""A lock between processes that the system lets go of when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

from ..errors import LofiError
from .durable import named_errors

TIMEOUT_SEC = 60.0
"""Longer than any holder needs: the slowest takes in some ten thousand files after the loss of an index."""

_POLL_SEC = 0.02


class FileLock:
    """``flock`` on ``path``, which stays there: unlinking a lock file lets two processes hold two of them.

    May be entered again by whoever holds it. Not for use from several threads.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._depth = 0

    def try_acquire(self) -> bool:
        """False if another holds it. Raises CACHE_WRITE_ERROR."""
        if self._descriptor is not None:
            self._depth += 1
            return True
        with named_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    return False
                raise
        self._descriptor = descriptor
        self._depth = 1
        return True

    def acquire(self, timeout_sec: float) -> None:
        """Wait for it. Raises CACHE_WRITE_ERROR after ``timeout_sec``."""
        deadline = time.monotonic() + timeout_sec
        while not self.try_acquire():
            if time.monotonic() > deadline:
                raise LofiError(
                    "CACHE_WRITE_ERROR",
                    f"Another lofi daemon has kept {self._path} locked for {timeout_sec:.0f} s; "
                    "end it if it hangs, then try again.",
                    path=str(self._path),
                )
            time.sleep(_POLL_SEC)

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0 and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FileLock:
        self.acquire(TIMEOUT_SEC)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
