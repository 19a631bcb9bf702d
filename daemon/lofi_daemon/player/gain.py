"""Gains that move without a click: a voice's fade, its part in a crossfade, its volume.

All are counted in frames, so the result does not depend on how the device cuts time into blocks.
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

    def go_on_from(self, other: Fade) -> None:
        """Take over the gain and the direction of ``other``, which is of the same length."""
        self._step, self._up = other._step, other._up

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


class Crossfade:
    """A voice's part in crossfades: full, until it is told to rise or fall.

    Rising is sin, falling cos of π/2 · p/length at step p, so two uncorrelated tracks that cross keep their power.
    ``shared``: the two play the same music, whose samples and not their power add up; it rises and falls on a straight
    line. A fall starts from the gain of that moment, so a track that is left half-way in keeps the power even too.
    """

    def __init__(self) -> None:
        self._from = 1.0
        self._length = 0
        self._step = 0
        self._falls = False
        self._shared = False

    @property
    def silent(self) -> bool:
        """Fallen for good."""
        return self._falls and self._step >= self._length

    @property
    def steps_left(self) -> int:
        """Frames until the gain stands still; 0 when it does."""
        return max(0, self._length - self._step)

    @property
    def falls(self) -> bool:
        return self._falls

    def rise(self, length: int, shared: bool = False) -> None:
        self._length, self._step, self._shared = length, 0, shared

    def fall(self, length: int, shared: bool = False) -> None:
        self._from = self._gain()
        self._falls, self._length, self._step, self._shared = True, length, 0, shared

    def apply(self, frames: FloatArray) -> None:
        """Multiply ``frames`` [n, 2] in place and move n steps on. At full gain the samples stay bit for bit."""
        if self.steps_left == 0:
            if self._falls:
                frames[:] = 0.0
            return
        steps = np.arange(self._step + 1, self._step + len(frames) + 1, dtype=np.float64).clip(max=self._length)
        gains = self._from * self._curve(steps / self._length)
        gains[steps >= self._length] = 0.0 if self._falls else self._from
        frames *= gains.astype(np.float32)[:, None]
        self._step += len(frames)

    def _gain(self) -> float:
        if self.steps_left == 0:
            return 0.0 if self._falls else self._from
        return float(self._from * self._curve(np.array([self._step / self._length]))[0])

    def _curve(self, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gain after ``part``, 0 to 1, of the way."""
        if self._shared:
            return 1 - part if self._falls else part
        angle = part * (np.pi / 2)
        return np.cos(angle) if self._falls else np.sin(angle)


def gain_of(level: float) -> float:
    """Amplitude for a volume ``level`` of 0–1: its cube, which the ear hears as even steps (half ≈ −18 dB)."""
    return level**3


class Volume:
    """The gain that ``level`` and a track's ``trim`` ask for, moving on a straight ramp of ``ramp_frames``.

    A trim above 1 is granted as far as the two together do not pass 1: what the volume took away is the only
    room known to be free, so a boost never clips. ``trim`` is an amplitude.
    """

    def __init__(self, level: float, ramp_frames: int, trim: float = 1.0) -> None:
        self._ramp_frames = ramp_frames
        self._trim = trim
        self._from = self._to = self._gain_for(level)
        self._done = ramp_frames

    def set(self, level: float) -> None:
        """Start a ramp from the gain of this moment."""
        self._from = self._gain_at(self._done)
        self._to = self._gain_for(level)
        self._done = 0

    def go_on_from(self, other: Volume) -> None:
        """Be as far in a ramp as ``other``, which belongs to the music just before."""
        if other._done < other._ramp_frames:
            self._from = self._to * (other._from / other._to) if other._to else other._from
            self._ramp_frames, self._done = other._ramp_frames, other._done

    def settle(self) -> None:
        """Be where the ramp leads: for a voice that nobody hears now."""
        self._done = self._ramp_frames

    def apply(self, frames: FloatArray) -> None:
        """Multiply ``frames`` [n, 2] in place and move n frames on. At a gain of 1 the samples stay bit for bit."""
        ramp = min(len(frames), self._ramp_frames - self._done)
        if ramp > 0:
            steps = np.arange(self._done + 1, self._done + ramp + 1, dtype=np.float64) / self._ramp_frames
            frames[:ramp] *= (self._from + (self._to - self._from) * steps).astype(np.float32)[:, None]
            self._done += ramp
        if self._to != 1.0:
            frames[ramp:] *= np.float32(self._to)

    def _gain_for(self, level: float) -> float:
        gain = gain_of(level)
        return gain * self._trim if self._trim <= 1.0 else min(1.0, gain * self._trim)

    def _gain_at(self, frame: int) -> float:
        return self._from + (self._to - self._from) * frame / self._ramp_frames
