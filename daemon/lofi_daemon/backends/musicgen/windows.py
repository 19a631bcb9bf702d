"""Music longer than the model's thirty seconds, or gone on from: windows that overlap.

Each window but the first of all begins with codes of the one before as its prompt, and adds as many as there is room
for. The codes of all windows are one stream, decoded as one, so no join can be heard as a cut.
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


def prompt_frames(frame_rate: int, stride_sec: int = STRIDE_SEC) -> int:
    """How much a window knows of what was before it."""
    return (WINDOW_SEC - stride_sec) * frame_rate


def windows(frames: int, frame_rate: int, stride_sec: int = STRIDE_SEC, known: int = 0) -> Iterator[Window]:
    """So many new frames in windows of at most thirty seconds, after ``known`` frames that are there already."""
    size, most = WINDOW_SEC * frame_rate, prompt_frames(frame_rate, stride_sec)
    while frames > 0:
        prompt = min(known, most)
        new = min(frames, size - prompt)
        yield Window(prompt, new)
        known += new
        frames -= new
