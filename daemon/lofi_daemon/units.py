"""Numbers as people read them, for the daemon's sentences and the command line alike."""

from __future__ import annotations


def size(count: float) -> str:
    """Bytes: 1234567 → "1.2 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
