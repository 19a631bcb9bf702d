"""A bounded ring of stereo frames between one writing thread and one reading thread, without a lock.

Each side moves only its own counter, after the samples are in place; CPython makes the int store atomic and
ordered. The reader is the sound card's callback, which must never wait for a lock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class Ring:
    """Holds at most ``capacity`` frames of float32 [frames, 2]."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._frames = np.zeros((capacity, 2), np.float32)
        self._written = 0
        self._read = 0

    @property
    def available(self) -> int:
        """Frames that can be read now."""
        return self._written - self._read

    @property
    def free(self) -> int:
        """Frames that can be written now."""
        return self.capacity - self.available

    def write(self, frames: FloatArray) -> int:
        """Take as many leading frames of ``frames`` [n, 2] as fit; how many that was."""
        count = min(len(frames), self.free)
        start = self._written % self.capacity
        first = min(count, self.capacity - start)
        self._frames[start : start + first] = frames[:first]
        self._frames[: count - first] = frames[first:count]
        self._written += count
        return count

    def read(self, count: int) -> FloatArray:
        """The next ``min(count, available)`` frames, copied."""
        count = min(count, self.available)
        out = np.empty((count, 2), np.float32)
        start = self._read % self.capacity
        first = min(count, self.capacity - start)
        out[:first] = self._frames[start : start + first]
        out[first:] = self._frames[: count - first]
        self._read += count
        return out
