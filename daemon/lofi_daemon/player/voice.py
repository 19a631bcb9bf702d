"""One sounding track: a source of frames under a fade, placed on the mixer's time line."""

from __future__ import annotations

from typing import Protocol

from .gain import Fade, FloatArray


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
    def capacity(self) -> int:
        """The most frames that can ever be available at once."""

    def read(self, count: int) -> FloatArray:
        """The next ``min(count, available)`` frames, [n, 2], owned by the caller."""

    def close(self) -> None:
        """Stop the making of more; callable from any thread."""


class Voice:
    """Fades in, and out at pause, leave and the end of its source; waits, faded out, while the source is starved.

    Used by the mixer's thread only, except ``position``, which any thread may read.
    """

    def __init__(self, source: Source, fade_frames: int) -> None:
        self.source = source
        self.position = 0
        """Frames given out so far. Pausing and starving do not move it, so nothing of the music is lost."""
        self.done = False
        self.left = False
        self.starvations = 0
        self._fade = Fade(fade_frames)
        self._delay = 0
        self._paused = False
        self._starved = False

    def delay(self, frames: int) -> None:
        """Begin so many frames from now."""
        self._delay = frames

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def leave(self) -> int:
        """Fade out and be done; the frames until silence. A voice that has not begun is done at once."""
        self.left = True
        self._fade.aim(up=False)
        self.done = self.done or self._fade.silent
        return 0 if self.done else self._fade.steps_left

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
            out[at : at + count] += frames
            self.position += count
            at += count

    def _next_segment(self, wanted: int) -> int:
        """Aim the fade, and say how many frames (≤ ``wanted``) can be given out before it must be aimed again."""
        fade = self._fade
        finished = self.source.finished  # before available: then available is final
        available = self.source.available
        limit = min(wanted, available)
        ending = finished and available <= fade.length
        if finished and not ending:
            limit = min(limit, available - fade.length)
        if finished:
            self._starved = False
        elif self._starved:
            # Half a ring before going on: a slow disk should cost one gap, not a stutter.
            self._starved = available < self.source.capacity // 2
        elif available < wanted + fade.length:
            self._starved = True
            self.starvations += 1
        fade.aim(up=not (self.left or self._paused or self._starved or ending))
        if fade.silent or (ending and available == 0):
            self.done = self.done or self.left or (ending and not self._paused)
            return 0
        return min(limit, fade.steps_left or limit)
