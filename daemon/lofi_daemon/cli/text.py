"""Values as people read them."""

from __future__ import annotations

import re
import unicodedata

from ..units import size

__all__ = ["SHORT_ID", "clock", "columns", "fit", "printable", "seconds_of", "size"]

SHORT_ID = 12


def clock(seconds: float) -> str:
    """83 → "1:23"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def seconds_of(text: str) -> float | None:
    """ "83", "1:23" and "1:00:05" → seconds; None where it is no time."""
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):(?=\d\d(?:\D|$)))?(\d+(?:\.\d+)?)", text, re.ASCII)
    if not match:
        return None
    hours, minutes, seconds = int(match[1] or 0), int(match[2] or 0), float(match[3])
    if (match[2] and seconds >= 60) or (match[1] and minutes >= 60):
        return None
    return hours * 3600 + minutes * 60 + seconds


def printable(text: str) -> str:
    """``text`` on one line and unable to steer the terminal: a prompt may hold any character."""
    return "".join(c if c.isprintable() else " " for c in text)


def columns(text: str) -> int:
    """How many cells of a terminal ``text`` takes."""
    return sum(_cells(c) for c in text)


def fit(text: str, width: int) -> str:
    """``text`` cut to ``width`` cells, with an ellipsis if anything went."""
    if columns(text) <= width:
        return text
    kept, used = "", 0
    for c in text:
        if used + _cells(c) > width - 1:
            break
        kept, used = kept + c, used + _cells(c)
    return kept + "…" if width > 0 else ""


def _cells(c: str) -> int:
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1
