"""The mixer: voices to one stream of samples. No device, no clock: time passes by ``render``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .gain import FloatArray
from .voice import Joined, Voice

FADE_SEC = 0.02
"""Of a start, pause, resume, stop and end: short enough to feel immediate, long enough not to click."""

VOLUME_RAMP_SEC = 0.03

MAX_LEAVING = 3
"""Voices that may be on their way out of a crossfade at once; each holds a decoder and its ring."""


def _ignore(_: Voice) -> None:
    pass


class Mixer:
    """Renders float32 [frames, 2] at ``rate`` Hz.

    ``render`` belongs to the output's thread. Every other method may be called from any thread and takes effect
    at the next block; none of them waits.

    ``on_silent(voice)`` is called from ``render`` once a voice is done and, where its source ran out, its
    last frame has had ``latency_frames`` to leave the device; also for one that never came to sound.
    ``on_begun(voice)``: a voice given to ``follow`` has begun, at a frame that the mixer chose.
    """

    def __init__(
        self,
        rate: int,
        level: float,
        on_silent: Callable[[Voice], None],
        on_begun: Callable[[Voice], None] = _ignore,
        *,
        latency_frames: int = 0,
    ) -> None:
        self.rate = rate
        self.fade_frames = round(FADE_SEC * rate)
        self._ramp_frames = round(VOLUME_RAMP_SEC * rate)
        self._latency_frames = latency_frames
        self._on_silent = on_silent
        self._on_begun = on_begun
        self._level = level
        self._voices: list[Voice] = []
        self._current: Voice | None = None
        self._next: Voice | None = None
        self._overlap = 0
        self._shared = False
        self._draining: list[tuple[Voice, int]] = []
        self._frames = 0
        # deque.append and popleft are atomic; a lock could keep the sound card waiting.
        self._inbox: deque[Callable[[], object]] = deque()

    def start(self, voice: Voice, crossfade_frames: int = 0) -> None:
        """Begin ``voice`` now, over what sounds if ``crossfade_frames``, else once that has faded out.

        What was to follow is dropped, unless it is ``voice``; a voice that the mixer has begun meanwhile goes on.
        """
        self._inbox.append(lambda: self._start(voice, crossfade_frames))

    def follow(self, voice: Voice | None, crossfade_frames: int = 0, *, shared: bool = False) -> None:
        """Begin ``voice`` so many frames before the end of what sounds now: with 0 at the very sample after its last.

        ``shared``: its first ``crossfade_frames`` are the same music as the last ones of what sounds now. They are
        laid on each other, and what is over of them before it can begin is left out.

        Replaces what was to follow, if that has not begun. None: nothing follows.
        """
        self._inbox.append(lambda: self._follow(voice, crossfade_frames, shared))

    def leave(self) -> None:
        """Fade everything out for good."""
        self._inbox.append(self._leave)

    def pause(self) -> None:
        self._inbox.append(self._pause)

    def resume(self) -> None:
        self._inbox.append(self._resume)

    def set_level(self, level: float) -> None:
        self._inbox.append(lambda: self._set_level(level))

    def render(self, frames: int) -> FloatArray:
        """The next ``frames`` frames. The same commands at the same frames give the same bits, in any blocks."""
        while self._inbox:
            self._inbox.popleft()()
        out = np.zeros((frames, 2), np.float32)
        at = 0
        while at < frames:
            until_join = self._frames_until_join()
            if until_join is not None and until_join <= 0:
                self._join()
                continue
            count = frames - at if until_join is None else min(frames - at, until_join)
            for voice in self._voices:
                voice.add_to(out[at : at + count])
            at += count
        self._frames += frames
        self._retire()
        return out

    def _start(self, voice: Voice, crossfade: int) -> None:
        if voice is self._current:
            return
        if voice is self._next:
            self._next = None
        self._drop_next()
        current = self._current
        overlap = min(crossfade, current.source.frames_left) if current and current.heard else 0
        if current and overlap > self.fade_frames:
            self._make_room()
            self._cross(voice, current, overlap)
        else:
            voice.begin(self._level, self._ramp_frames, delay=self._fade_out())
        self._voices.append(voice)
        self._current = voice

    def _cross(self, voice: Voice, current: Voice, overlap: int, shared: bool = False) -> None:
        """Let ``voice`` rise while the others fall, those from where they are that fall already."""
        falling = [other for other in self._voices if other.heard]
        for other in self._voices:
            if other in falling:
                other.fall(overlap, shared)
            else:
                other.leave()
        voice.begin(self._level, self._ramp_frames)
        voice.take_over(current)
        if falling:  # after a pause there is nothing to rise out of
            voice.rise(overlap, shared)

    def _make_room(self) -> None:
        falling = [voice for voice in self._voices if voice.falling and not voice.left]
        for voice in falling[: max(0, len(falling) - MAX_LEAVING + 1)]:
            voice.leave()

    def _follow(self, voice: Voice | None, overlap: int, shared: bool = False) -> None:
        if voice is not None and (voice is self._current or voice in self._voices):
            return  # it has begun before it could be told anything
        if voice is not self._next and self._joins_now():
            if voice is not None:
                self._drop(voice)
            return
        if voice is not self._next and self._next is not None:
            self._drop(self._next)
        self._next, self._overlap, self._shared = voice, overlap, shared
        if self._current is not None:
            self._current.segues = voice is not None and overlap == 0

    def _joins_now(self) -> bool:
        """Within the last fade before a gapless join: too late for the current voice to fade out by itself."""
        current = self._current
        return (
            self._next is not None
            and current is not None
            and current.segues
            and current.heard
            and current.source.finished
            and current.source.available < self.fade_frames
        )

    def _frames_until_join(self) -> int | None:
        current = self._current
        if self._next is None:
            return None
        if current is None or current.done:
            return 0
        if current.segues:
            return current.source.frames_left
        if current.waits:
            return None
        return current.source.frames_left - max(1, self._overlap)

    def _join(self) -> None:
        voice, current = self._next, self._current
        assert voice is not None
        self._next = None
        left = 0 if current is None or current.done else current.source.frames_left
        if self._shared and left < self._overlap:
            voice.skip(self._overlap - left)
        if current is None or current.done:
            voice.begin(self._level, self._ramp_frames)
        elif current.segues:
            voice.begin(self._level, self._ramp_frames)
            voice.take_over(current)
            current.done = True
        else:
            self._cross(voice, current, min(self._overlap, left), self._shared)
        self._voices.append(voice)
        self._current = voice
        self._on_begun(voice)

    def _leave(self) -> None:
        self._drop_next()
        self._fade_out()

    def _fade_out(self) -> int:
        """Frames until everything is silent."""
        return max((voice.leave() for voice in self._voices), default=0)

    def _drop_next(self) -> None:
        if self._next is None:
            return
        if self._current is not None:
            if self._joins_now():  # its last frames do not last for a fade: that goes on into the next ones
                self._current.source = Joined(self._current.source, self._next.source)
            self._current.segues = False
        self._drop(self._next)
        self._next = None

    def _drop(self, voice: Voice) -> None:
        self._draining.append((voice, self._frames))

    def _pause(self) -> None:
        for voice in self._voices:
            voice.pause()

    def _resume(self) -> None:
        for voice in self._voices:
            voice.resume()

    def _set_level(self, level: float) -> None:
        self._level = level
        for voice in self._voices:
            voice.set_level(level)

    def _retire(self) -> None:
        if self._voices and any(voice.done for voice in self._voices):
            for voice in self._voices:
                if voice.done:
                    drain = 0 if voice.left else self._latency_frames
                    self._draining.append((voice, self._frames + drain))
            self._voices = [voice for voice in self._voices if not voice.done]
        if self._draining and any(until <= self._frames for _, until in self._draining):
            silent = [voice for voice, until in self._draining if until <= self._frames]
            self._draining = [(voice, until) for voice, until in self._draining if until > self._frames]
            for voice in silent:
                self._on_silent(voice)
