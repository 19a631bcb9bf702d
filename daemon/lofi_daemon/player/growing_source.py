"""A growing track as a stream of stereo frames at the device's rate, as far as it is there."""

from __future__ import annotations

from queue import Empty

import numpy as np

from ..errors import LofiError
from .growth import Growth
from .ring import FloatArray
from .source import CHUNK_SEC, RingSource

RING_SEC = 3.0
"""Half of it must be filled again after a starvation, which is less than the least lead."""

LOOK_SEC = 0.05
"""Between two looks for more. Polled, because it is only done by a decoder that has caught up with the maker."""


class GrowingSource(RingSource):
    """Made by ``open_growing``; satisfies ``voice.Source``. It ends once ``growth`` is complete and read."""

    def __init__(self, growth: Growth, rate: int, start_sec: float) -> None:
        start = min(round(start_sec * growth.sample_rate), growth.frames)
        super().__init__(
            growth.sample_rate, growth.channels, growth.duration_sec, rate, start / growth.sample_rate, RING_SEC
        )
        self._growth = growth
        self._at = start
        self._chunk = round(CHUNK_SEC * growth.sample_rate)

    @property
    def recovered(self) -> bool:
        position_sec = self.start_sec + self._given / self.rate
        return super().recovered and self._growth.is_safe_from(position_sec)

    def _read(self) -> FloatArray:
        growth = self._growth
        complete = growth.complete  # before frames: then they are final
        count = min(self._chunk, growth.frames - self._at)
        frames = np.frombuffer(growth.read(self._at, count), "<f4").reshape(-1, growth.channels)
        self._at += len(frames)
        if len(frames) < count and complete:
            self._error = "what was made of it is no longer there"
            self._ended = True
        self._ended = self._ended or (complete and self._at >= growth.frames)
        if not len(frames) and not self._ended:
            self._wait_for_more()
        return np.array(frames, np.float32)

    def _wait_for_more(self) -> None:
        if not self._started:
            return  # the caller of ``start`` must not be kept
        try:
            self._space.get(timeout=LOOK_SEC)
        except Empty:
            return


def open_growing(growth: Growth, rate: int, *, start_sec: float = 0.0) -> GrowingSource:
    """``growth`` from ``start_sec`` on, or from what is there so far. Raises ``LofiError`` UNSUPPORTED."""
    if growth.channels not in (1, 2):
        raise LofiError(
            "UNSUPPORTED",
            f"The track has {growth.channels} channels, and only mono and stereo are played.",
            field="track_id",
        )
    source = GrowingSource(growth, rate, start_sec)
    try:
        source.start()
    except OSError as error:
        raise LofiError(
            "UNSUPPORTED",
            f"What is made of the track cannot be read ({error.strerror or error}); play it when it is finished.",
            field="track_id",
        ) from error
    return source
