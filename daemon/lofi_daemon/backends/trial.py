"""What the self-tests of neural backends share: a stage of a job that nobody else knows of, and whether what was made
is music."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LofiError
from ..health.finding import Finding
from ..model import NoticeLevel
from .base import Equipment, Latent, LatentMade, Origin

SILENCE = 1e-3
NOISE = 0.3


class Trial:
    """A ``RenderContext``. ``latents`` are those that the stage may name; ``kept`` what it handed over."""

    def __init__(self, equipment: Equipment, latents: tuple[Latent, ...] = ()) -> None:
        self.equipment = equipment
        self.heard = False
        self.wants_audio = True
        self.left_off: Latent | None = None
        self.notices: list[str] = []
        self.kept: list[LatentMade] = []
        self._latents = {latent.record.id: latent for latent in latents}

    def step(self, done: int, total: int) -> None: ...

    def origin(self) -> Origin | None:
        return None

    def source(self, track_id: str) -> Path:
        raise LofiError("INVALID_TRACK_ID", "A self-test has no tracks.")

    def notice(self, level: NoticeLevel, message: str) -> None:
        self.notices.append(message)

    def audio(self, samples: object, sample_rate: int) -> None:
        self.heard = True

    def latent(self, latent_id: str) -> Latent:
        if latent_id not in self._latents:
            raise LofiError("LATENT_NOT_FOUND", "A self-test has no latents but its own.")
        return self._latents[latent_id]

    def keep(self, made: LatentMade) -> None:
        self.kept.append(made)

    def checkpoint(self, make: Callable[[], LatentMade]) -> None: ...


def judge(section: str, audio: NDArray[np.float32], folder: str) -> Finding:
    """Whether ``audio`` [frames, channels] is more than silence or noise; ``folder`` holds the weights."""
    level = float(np.sqrt(np.mean(audio**2)))
    flatness = _flatness(audio.mean(1))
    text = f"level {20 * np.log10(max(level, 1e-9)):.0f} dB, spectral flatness {flatness:.3f}"
    if level < SILENCE:
        return Finding(section, "error", f"silence: {text}", (f"download it again: remove {folder}",))
    if flatness > NOISE:
        hint = "random weights sound like this; trained ones do not"
        return Finding(section, "warn", f"more noise than music: {text}", (hint,))
    return Finding(section, "ok", text)


def _flatness(mono: NDArray[np.float32]) -> float:
    """Geometric by arithmetic mean of the power spectrum: 1 for white noise, near 0 for tones."""
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)))) ** 2 + 1e-12
    return float(np.exp(np.mean(np.log(power))) / np.mean(power))
