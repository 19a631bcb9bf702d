"""From a latent to what is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from diffusers import AutoencoderOobleck
from numpy.typing import NDArray
from torch import Tensor

from acestep_core.conditioning.masks import FRAME, SAMPLE_RATE
from acestep_core.v15 import vae

from ...errors import LofiError

TILE = vae.TILE
MPS_TILE = 32
"""Apple's GPU fails with longer ones."""

_KNEE = 0.9


def decode(
    autoencoder: AutoencoderOobleck, latent: Tensor, seconds: float, tile: int, on_frames: Callable[[int], None]
) -> Iterator[NDArray[np.float32]]:
    """Yield ``seconds`` of ``latent`` [frames, 64] piece by piece: float32 [samples, 2], each final, limited to ±1.

    ``on_frames`` hears how many more frames are decoded. Raises MODEL_INFERENCE_FAILED for sound that is no number.
    """
    wanted, frames = round(seconds * SAMPLE_RATE), min(latent.shape[0], frames_heard(seconds))
    made = 0
    for piece in vae.decode(autoencoder, latent[:frames], tile):
        samples = piece.cpu()
        if not bool(torch.isfinite(samples).all()):
            raise LofiError(
                "MODEL_INFERENCE_FAILED",
                "The decoder made invalid samples (NaN): set ace_step_precision = float32, or fetch the model again.",
            )
        part = limit(samples.T.numpy())[: wanted - made]
        made += len(part)
        on_frames(-(-len(part) // FRAME))
        yield np.ascontiguousarray(part)


def frames_heard(seconds: float) -> int:
    """How many frames of a latent are in so much sound."""
    return -(-round(seconds * SAMPLE_RATE) // FRAME)


def limit(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bend what is above 0.9 towards 1. The published pipeline scales the whole by its peak, which nobody knows before
    the last piece; loudness is evened out where it is played."""
    loud = np.abs(samples)
    if loud.max(initial=0.0) <= _KNEE:
        return samples
    bent = _KNEE + (1 - _KNEE) * np.tanh((loud - _KNEE) / (1 - _KNEE))
    return np.where(loud > _KNEE, np.copysign(bent, samples), samples).astype(np.float32)
