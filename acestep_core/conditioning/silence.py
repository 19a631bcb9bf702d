"""Silence as the VAE encodes it. The model knows "nothing" as this and never as zeros."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_FRAMES = 128


def silence_slice(silence: Tensor, frames: int) -> Tensor:
    """The first ``frames`` of ``silence`` [1, T, 64], repeated where it is shorter → [frames, 64]."""
    available = silence.shape[1]
    repeats = -(-frames // available)
    return silence[0].repeat(repeats, 1)[:frames] if repeats > 1 else silence[0, :frames]


def padded(latent: Tensor, silence: Tensor, frames: int = MIN_FRAMES) -> Tensor:
    """``latent`` [T, 64] with silence after it, up to ``frames`` (no model sees fewer than 128)."""
    missing = frames - latent.shape[0]
    return latent if missing <= 0 else torch.cat([latent, silence_slice(silence, missing).to(latent)])
