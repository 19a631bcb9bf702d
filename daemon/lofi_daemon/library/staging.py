"""Private folders for unfinished files, cleared away when the process that asked for them is gone."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from ..errors import LofiError
from .durable import make_folder, named_errors
from .lock import FileLock

_LOCK = "lock"


class Staging:
    """``folder``/<pid>-<random>/<random>: one folder per process, one inside it per job.

    A process holds a lock in its folder for as long as it lives, so a sweep by another one (several daemons may share
    a library) tells the living from the dead without guessing from pids, which are used again. The caller keeps
    ``fresh`` and ``sweep`` of all processes apart with the library's own lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: Path | None = None
        self._lock: FileLock | None = None

    def fresh(self) -> Path:
        """A new empty folder, 0700. Raises CACHE_WRITE_ERROR."""
        if self._own is None or not (self._own / _LOCK).exists():
            self.close()
            make_folder(self._folder)
            own = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}"
            with named_errors(own):
                own.mkdir(mode=0o700)
            self._lock = FileLock(own / _LOCK)
            self._lock.try_acquire()
            self._own = own
        job = self._own / secrets.token_hex(4)
        with named_errors(job):
            job.mkdir(mode=0o700)
        return job

    def sweep(self) -> int:
        """Remove the folders whose process is gone; how many. What cannot be removed stays for the next time."""
        swept = 0
        for entry in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if entry == self._own or entry.is_symlink() or not entry.is_dir():
                continue
            lock = FileLock(entry / _LOCK)
            with contextlib.suppress(LofiError):  # its owner is just removing it
                if lock.try_acquire():
                    shutil.rmtree(entry, ignore_errors=True)
                    lock.release()
                    swept += 1
        return swept

    def close(self) -> None:
        """Give up this process's folder and what is still in it."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
