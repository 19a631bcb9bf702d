"""One sounding track: a source of frames under its gains, placed on the mixer's time line."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .gain import Crossfade, Fade, FloatArray, Volume


class Source(Protocol):
    """Stereo frames at the mixer's rate, made by another thread; none of this may block."""

    @property
    def error(self) -> str | None:
        """Why the frames end before the music does, as a sentence."""

    @property
    def finished(self) -> bool:
        """Nothing more will be written: what is available is all there is."""

    @property
    def available(self) -> int: ...

    @property
    def frames_left(self) -> int:
        """Frames until the end: exact once ``finished``, before that what the file's header promises."""

    @property
    def recovered(self) -> bool:
        """Enough lies ready to go on after a starvation without another one soon."""

    def read(self, count: int) -> FloatArray:
        """The next ``min(count, available)`` frames, [n, 2], owned by the caller."""

    def close(self) -> None:
        """Stop the making of more; callable from any thread."""


class Voice:
    """Fades in, and out at pause, leave and the end of its source; waits, faded out, while the source is starved.

    ``trim`` is the amplitude that evens its loudness. Used by the mixer's thread only, except ``position``,
    which any thread may read.
    """

    def __init__(self, source: Source, fade_frames: int, trim: float = 1.0) -> None:
        self.source = source
        self.trim = trim
        self.position = 0
        """Frames given out so far. Pausing and starving do not move it, so nothing of the music is lost."""
        self.done = False
        self.left = False
        self.paused = False
        self.segues = False
        """Another voice takes over at the very end of this one, which therefore does not fade out there."""
        self.starvations = 0
        self._fade = Fade(fade_frames)
        self._crossfade = Crossfade()
        self._volume = Volume(1.0, 1, trim)
        self._delay = 0
        self._starved = False

    def begin(self, level: float, ramp_frames: int, *, delay: int = 0) -> None:
        """Be at volume ``level``, its changes ramped over ``ramp_frames``; sound ``delay`` frames from now."""
        self._volume = Volume(level, ramp_frames, self.trim)
        self._delay = delay

    def set_level(self, level: float) -> None:
        self._volume.set(level)
        if self._fade.silent:
            self._volume.settle()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def leave(self) -> int:
        """Fade out and be done; the frames until silence. A voice that has not begun is done at once."""
        self.left = True
        self._fade.aim(up=False)
        self.done = self.done or self._fade.silent
        return 0 if self.done else self._fade.steps_left

    def rise(self, frames: int, shared: bool = False) -> None:
        self._crossfade.rise(frames, shared)

    def fall(self, frames: int, shared: bool = False) -> None:
        self._crossfade.fall(frames, shared)

    def skip(self, frames: int) -> None:
        """Begin so much further on, or as far as there is something to begin with."""
        self.position += len(self.source.read(frames))

    def take_over(self, other: Voice) -> None:
        """Be as paused and as far in its fades as ``other``, the voice that this one continues."""
        self._fade.go_on_from(other._fade)
        self._volume.go_on_from(other._volume)
        self.paused = other.paused

    @property
    def heard(self) -> bool:
        """It sounds, and nothing is about to silence it."""
        return not (self.done or self.left or self.paused or self._fade.silent)

    @property
    def waits(self) -> bool:
        """It does not move on: it is over, on its way out, paused or starved."""
        return self.done or self.left or self.paused or self._starved

    @property
    def falling(self) -> bool:
        """On its way out of a crossfade."""
        return self._crossfade.falls

    def add_to(self, out: FloatArray) -> None:
        """Add the next ``len(out)`` frames to ``out`` [n, 2]; fewer once the voice falls silent."""
        at = min(self._delay, len(out))
        self._delay -= at
        while at < len(out):
            count = self._next_segment(len(out) - at)
            if count == 0:
                return
            frames = self.source.read(count)
            self._fade.apply(frames)
            self._crossfade.apply(frames)
            self._volume.apply(frames)
            out[at : at + count] += frames
            self.position += count
            at += count
            self.done = self.done or self._crossfade.silent

    def _next_segment(self, wanted: int) -> int:
        """Aim the fade, and say how many frames (≤ ``wanted``) can be given out before it must be aimed again."""
        fade = self._fade
        if self.done:
            return 0
        finished = self.source.finished  # before available: then available is final
        available = self.source.available
        limit = min(wanted, available)
        plain_end = self.segues or (self.falling and self._crossfade.steps_left <= available)
        ending = finished and available <= fade.length and not plain_end
        if finished and not ending and available > fade.length:
            limit = min(limit, available - fade.length)
        if finished:
            self._starved = False
        elif self._starved:
            self._starved = not self.source.recovered
        elif available < wanted + fade.length:
            self._starved = True
            self.starvations += 1
        fade.aim(up=not (self.left or self.paused or self._starved or ending))
        if fade.silent or (ending and available == 0):
            self.done = self.done or self.left or (ending and not self.paused)
            return 0
        return min(limit, fade.steps_left or limit)


class Joined:
    """Two sources, one after the other without a gap: for the fade that begins on the last frames of the first."""

    def __init__(self, first: Source, second: Source) -> None:
        self._first = first
        self._second = second

    @property
    def error(self) -> str | None:
        return self._first.error

    @property
    def finished(self) -> bool:
        return self._second.finished

    @property
    def available(self) -> int:
        return self._first.available + self._second.available

    @property
    def recovered(self) -> bool:
        return self._second.recovered

    @property
    def frames_left(self) -> int:
        return self._first.frames_left + self._second.frames_left

    def read(self, count: int) -> FloatArray:
        head = self._first.read(count)
        return np.concatenate([head, self._second.read(count - len(head))])

    def close(self) -> None:
        self._first.close()
        self._second.close()
