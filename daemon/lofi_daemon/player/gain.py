"""Gains that move without a click: the fade of one voice, the volume of the whole mixer.

Both are counted in frames, so the result does not depend on how the device cuts time into blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class Fade:
    """A raised-cosine fade that can turn round half-way.

    The gain at step p of ``length`` is ½ − ½·cos(π·p/length); going up and going down walk the same curve, so a
    reversal has no step.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        steps = np.arange(length + 1, dtype=np.float64) / length
        self._curve: FloatArray = (0.5 - 0.5 * np.cos(np.pi * steps)).astype(np.float32)
        self._step = 0
        self._up = False

    def aim(self, up: bool) -> None:
        """Move towards full gain, or towards silence."""
        self._up = up

    @property
    def silent(self) -> bool:
        """At zero, and not on the way up."""
        return self._step == 0 and not self._up

    @property
    def steps_left(self) -> int:
        """Frames until the gain stands still; 0 when it does."""
        return self.length - self._step if self._up else self._step

    def apply(self, frames: FloatArray) -> None:
        """Multiply ``frames`` [n, 2] in place and move n steps on; n ≤ ``steps_left`` while the gain moves."""
        count = len(frames)
        if self.steps_left == 0:
            if self._step == 0:
                frames[:] = 0.0
            return
        if self._up:
            gains = self._curve[self._step + 1 : self._step + count + 1]
            self._step += count
        else:
            gains = self._curve[self._step - count : self._step][::-1]
            self._step -= count
        frames *= gains[:, None]


def gain_of(level: float) -> float:
    """Amplitude for a volume ``level`` of 0–1: its cube, which the ear hears as even steps (half ≈ −18 dB)."""
    return level**3


class Volume:
    """The level of everything, moving on a straight ramp of ``ramp_frames`` whenever it is set."""

    def __init__(self, level: float, ramp_frames: int) -> None:
        self._ramp_frames = ramp_frames
        self._from = self._to = gain_of(level)
        self._done = ramp_frames

    def set(self, level: float) -> None:
        """Start a ramp from the gain of this moment."""
        self._from = self._gain_at(self._done)
        self._to = gain_of(level)
        self._done = 0

    def apply(self, frames: FloatArray) -> None:
        """Multiply ``frames`` [n, 2] in place and move n frames on. At level 1 the samples stay bit for bit."""
        ramp = min(len(frames), self._ramp_frames - self._done)
        if ramp > 0:
            steps = np.arange(self._done + 1, self._done + ramp + 1, dtype=np.float64) / self._ramp_frames
            frames[:ramp] *= (self._from + (self._to - self._from) * steps).astype(np.float32)[:, None]
            self._done += ramp
        if self._to != 1.0:
            frames[ramp:] *= np.float32(self._to)

    def _gain_at(self, frame: int) -> float:
        return self._from + (self._to - self._from) * frame / self._ramp_frames
