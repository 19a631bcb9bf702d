"""A track that is still being made: raw float32 in a file that grows, and how much of it may be heard when."""

from __future__ import annotations

import math
import os
import weakref

from .lead import Slowness, needed_lead_sec

BYTES = 4


class Growth:
    """``frames`` of interleaved float32 with ``channels`` lie ready in ``path``; ``duration_sec`` is the request's.

    The file is held open until nobody needs this object any more, so it may be removed meanwhile (POSIX). The event
    loop tells what there is; decoders and the sound card read it. Raises OSError where there is no such file.
    """

    def __init__(self, path: str, sample_rate: int, channels: int, duration_sec: float) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.duration_sec = duration_sec
        self.frames = 0
        self.complete = False
        """Nothing more comes: ``frames`` is all there is."""
        self.lead_sec = math.inf
        """What must lie ready ahead of the listener before it may sound, or sound again."""
        self._slowness = Slowness()
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, self._fd)

    @property
    def ready_sec(self) -> float:
        return self.frames / self.sample_rate

    def grown(self, frames: int, now: float) -> None:
        """There are ``frames`` in all at ``now`` (seconds, any monotonic clock)."""
        if frames <= self.frames:
            return
        self._slowness.heard((frames - self.frames) / self.sample_rate, now)
        self.frames = frames
        left_sec = self.duration_sec - self.ready_sec
        self.lead_sec = needed_lead_sec(left_sec, self._slowness.at_most(), self._slowness.chunk_sec)

    def finish(self) -> None:
        self.lead_sec = 0.0
        self.complete = True

    def is_safe_from(self, position_sec: float) -> bool:
        """Whether what plays from there will not run dry, as far as one can know."""
        return self.ready_sec - position_sec >= self.lead_sec

    def read(self, start: int, count: int) -> bytes:
        """Frames ``start`` to ``start + count`` as they lie in the file; fewer at its end. From any thread."""
        width = BYTES * self.channels
        data = os.pread(self._fd, count * width, start * width)
        return data[: len(data) // width * width]
