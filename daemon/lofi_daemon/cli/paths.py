"""Paths as the daemon, which has a working folder of its own, must be given them."""

from __future__ import annotations

from pathlib import Path


def absolute(path: str) -> str:
    """``path`` from the root on. A "/" at its end stays: it says that a folder is meant."""
    start = str(Path(path).expanduser().absolute())
    return start + "/" if path.endswith("/") and start != "/" else start
