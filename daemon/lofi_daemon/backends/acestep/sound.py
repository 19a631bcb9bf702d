"""From a latent to what is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acestep_core.conditioning.masks import FRAME, SAMPLE_RATE, Window
from acestep_core.conditioning.repaint import seam

from ...errors import LofiError

_KNEE = 0.9


Samples = NDArray[np.float32]


class Splice:
    """The source's own samples outside of a repainted window (``acestep_core.conditioning.repaint.splice``), piece by
    piece."""

    def __init__(self, source: Tensor, window: Window, crossfade_sec: float) -> None:
        """``source`` [2, samples], as long as the music."""
        length = source.shape[-1]
        start = max(0, min(int(window.start * SAMPLE_RATE), length))
        end = max(start, min(int((window.end or 0.0) * SAMPLE_RATE), length))
        self._source = source.T.numpy()
        self._share = seam(length, start, end, int(crossfade_sec * SAMPLE_RATE)).numpy()[:, None]

    def __call__(self, made: Samples, at: int) -> Samples:
        """``made`` [samples, 2] begin at sample ``at``."""
        there = slice(at, at + len(made))
        share = self._share[there]
        mixed: Samples = share * made + (1 - share) * self._source[there]
        return mixed


def decode(
    pieces: Iterator[Tensor],
    seconds: float,
    on_frames: Callable[[int], None],
    splice: Splice | None = None,
) -> Iterator[Samples]:
    """Yield ``seconds`` of a decoder's ``pieces`` [2, samples] as float32 [samples, 2], each final, limited to ±1.

    ``on_frames`` hears how many more frames are decoded. Raises MODEL_INFERENCE_FAILED for sound that is no number.
    """
    wanted, made = round(seconds * SAMPLE_RATE), 0
    for piece in pieces:
        samples = piece.cpu()
        if not bool(torch.isfinite(samples).all()):
            raise LofiError(
                "MODEL_INFERENCE_FAILED",
                "The decoder made invalid samples (NaN): set ace_step_precision = float32, or fetch the model again.",
            )
        part = limit(samples.T.numpy())[: wanted - made]
        if splice is not None:
            part = splice(part, made)
        made += len(part)
        on_frames(-(-len(part) // FRAME))
        yield np.ascontiguousarray(part)


def frames_heard(seconds: float) -> int:
    """How many frames of a latent are in so much sound."""
    return -(-round(seconds * SAMPLE_RATE) // FRAME)


def limit(samples: Samples) -> Samples:
    """Bend what is above 0.9 towards 1. The published pipeline scales the whole by its peak, which nobody knows before
    the last piece; loudness is evened out where it is played."""
    loud = np.abs(samples)
    if loud.max(initial=0.0) <= _KNEE:
        return samples
    bent = _KNEE + (1 - _KNEE) * np.tanh((loud - _KNEE) / (1 - _KNEE))
    return np.where(loud > _KNEE, np.copysign(bent, samples), samples).astype(np.float32)
