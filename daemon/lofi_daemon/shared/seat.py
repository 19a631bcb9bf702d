"""The server's seat: the lock that it holds for life, and the socket that only the holder of the lock binds.

It is taken before the daemon's rooms are loaded, so that bridges wait in the socket's backlog and need not poll.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time

from ..errors import LofiError
from .place import Place

TAKE_WITHIN_SEC = 10.0
"""Longer than a server that leaves takes between unlinking its socket and giving the lock back."""
_BACKLOG = 64


class Seat:
    """Kept by one process at a time. The kernel gives the lock back however the holder dies."""

    def __init__(self, place: Place, lock: int, listener: socket.socket) -> None:
        self._place = place
        self._lock = lock
        self.listener = listener

    def leave_socket(self) -> None:
        """From now on bridges start another server, which waits for ``give_back``."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._place.socket)

    def give_back(self) -> None:
        os.close(self._lock)

    def touch(self) -> None:
        """Against cleaners of temporary folders, which remove what was not used for hours or days."""
        for path in (self._place.socket, self._place.lock):
            with contextlib.suppress(OSError):
                os.utime(path)


def take(place: Place, within_sec: float = TAKE_WITHIN_SEC) -> Seat | None:
    """The seat, or None if another server has it and answers. A server that leaves is waited for.

    Raises INTERNAL_ERROR if another process keeps the lock and does not listen.
    """
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + within_sec
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if _answers(place):
                os.close(lock)
                return None
        if time.monotonic() > deadline:
            os.close(lock)
            raise LofiError(
                "INTERNAL_ERROR",
                f"Another lofi-daemon (pid {place.holder()}) hangs; end it with `kill -9`, then try again.",
            )
        time.sleep(0.01)
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return Seat(place, lock, _listen(place))


def _answers(place: Place) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(place.socket)
        except OSError:
            return False
    return True


def _listen(place: Place) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):  # a killed server left it; ours to remove, because we hold the lock
        os.unlink(place.socket)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(place.socket)
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener
