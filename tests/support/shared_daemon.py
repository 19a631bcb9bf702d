"""Shared daemons of a test: a folder of their own for sockets, and an eye on which servers live."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.raw_daemon import RawDaemon

SHARED = (sys.executable, str(Path(__file__).with_name("puppet_shared.py")))
"""The real bridge and the real server, with the puppet worker."""


class Runtime:
    """``folder`` holds the sockets; its path is short, as that of a socket has to be."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder / "lofi.nvim"
        self.cache = cache

    def bridge(self, *settings: str, env: dict[str, str] | None = None) -> RawDaemon:
        return RawDaemon(self.cache, (*SHARED, "--stdio"), "player.output=none", *settings, env=env)

    def servers(self) -> list[int]:
        """The pids of those that hold a lock now."""
        return [int(lock.read_text()) for lock in self.folder.glob("*.lock") if _held(lock)]

    def wait_until_gone(self, pid: int, timeout_sec: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_sec
        while pid in self.servers():
            assert time.monotonic() < deadline, f"server {pid} stays"
            time.sleep(0.01)

    def kill(self, number: int = signal.SIGKILL) -> None:
        for pid in self.servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def log(self) -> str:
        return "".join(path.read_text() for path in Path(os.environ["XDG_STATE_HOME"]).rglob("daemon.log"))


@contextlib.contextmanager
def shared_runtime(cache: Path, patch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Daemons started meanwhile are shared; none outlives the block."""
    folder = Path(tempfile.mkdtemp(prefix="lofi-"))
    patch.setenv("XDG_RUNTIME_DIR", str(folder))
    patch.setenv("LOFI_DAEMON_SHARED", "true")
    patch.setenv("LOFI_CACHE_PATH", str(cache))
    runtime = Runtime(folder, cache)
    yield runtime
    runtime.kill()
    shutil.rmtree(folder)


def _held(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return bool(lock.read_text().strip())
        return False
