"""The log of a server, which has no client's stderr to write to: one file, begun anew when it has grown large."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

MAX_BYTES = 1_000_000


def claim_output(path: Path) -> None:
    """From now on everything this process and its children print goes to the end of ``path``.

    Where it cannot be written it goes nowhere: without a log the music still plays.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    trim(path)


def trim(path: Path) -> None:
    """Keep a large log as ``path``.old and empty it; writers that append go on at its new end."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > MAX_BYTES:
            path.with_suffix(".old").write_bytes(path.read_bytes()[-MAX_BYTES:])
            os.truncate(path, 0)


class Trimming(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr, which is ``path``, and keeps it small."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        trim(self._path)
