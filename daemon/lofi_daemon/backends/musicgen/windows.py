"""Music longer than the model's thirty seconds: windows that overlap.

Each window but the first begins with codes of the one before as its prompt, and adds as many as there is room for. The
codes of all windows are one stream, decoded as one, so no join can be heard as a cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WINDOW_SEC = 30
STRIDE_SEC = 18
"""New music a window: what audiocraft extends by. Less holds the thread better, and costs more."""


@dataclass(frozen=True, slots=True)
class Window:
    """``prompt`` frames are known, ``new`` ones are made."""

    prompt: int
    new: int


def windows(frames: int, frame_rate: int, stride_sec: int = STRIDE_SEC) -> Iterator[Window]:
    """So many frames in windows of at most thirty seconds."""
    size, stride = WINDOW_SEC * frame_rate, stride_sec * frame_rate
    first = min(frames, size)
    yield Window(0, first)
    left = frames - first
    while left > 0:
        new = min(left, stride)
        yield Window(size - stride, new)
        left -= new
