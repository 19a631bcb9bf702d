"""The mixer: voices and a volume to one stream of samples. No device, no clock: time passes by ``render``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .gain import FloatArray, Volume
from .voice import Voice

FADE_SEC = 0.02
"""Of a start, pause, resume, stop and end: short enough to feel immediate, long enough not to click."""

VOLUME_RAMP_SEC = 0.03


class Mixer:
    """Renders float32 [frames, 2] at ``rate`` Hz.

    ``render`` belongs to the output's thread. Every other method may be called from any thread and takes effect
    at the next block; none of them waits.

    ``on_silent(voice)`` is called from ``render`` once a voice is done and, where its source ran out, its
    last frame has had ``latency_frames`` to leave the device.
    """

    def __init__(self, rate: int, level: float, on_silent: Callable[[Voice], None], *, latency_frames: int = 0) -> None:
        self.rate = rate
        self.fade_frames = round(FADE_SEC * rate)
        self._latency_frames = latency_frames
        self._on_silent = on_silent
        self._volume = Volume(level, round(VOLUME_RAMP_SEC * rate))
        self._voices: list[Voice] = []
        self._draining: list[tuple[Voice, int]] = []
        self._frames = 0
        # deque.append and popleft are atomic; a lock could keep the sound card waiting.
        self._inbox: deque[Callable[[], object]] = deque()

    def start(self, voice: Voice) -> None:
        """Let what sounds fade out, then begin ``voice``."""
        self._inbox.append(lambda: self._start(voice))

    def leave(self) -> None:
        """Fade everything out for good."""
        self._inbox.append(self._leave)

    def pause(self) -> None:
        self._inbox.append(self._pause)

    def resume(self) -> None:
        self._inbox.append(self._resume)

    def set_level(self, level: float) -> None:
        self._inbox.append(lambda: self._volume.set(level))

    def render(self, frames: int) -> FloatArray:
        """The next ``frames`` frames. The same commands at the same frames give the same bits, in any blocks."""
        while self._inbox:
            self._inbox.popleft()()
        out = np.zeros((frames, 2), np.float32)
        for voice in self._voices:
            voice.add_to(out)
        self._volume.apply(out)
        self._frames += frames
        self._retire()
        return out

    def _start(self, voice: Voice) -> None:
        voice.delay(self._leave())
        self._voices.append(voice)

    def _leave(self) -> int:
        return max((voice.leave() for voice in self._voices), default=0)

    def _pause(self) -> None:
        for voice in self._voices:
            voice.pause()

    def _resume(self) -> None:
        for voice in self._voices:
            voice.resume()

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
