"""Sound → latents, tile by tile, for a source or a reference of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderOobleck
from torch import Tensor
from torch.nn import functional

from ..conditioning.masks import FRAME
from .vae import sees

TILE = 128


@dataclass(frozen=True)
class Spread:
    """What the encoder makes of a sound: ``mean`` and ``std`` [frames, 64], float32 on the CPU."""

    mean: Tensor
    std: Tensor

    def draw(self, noise: Tensor) -> Tensor:
        """A latent [batch, frames, 64] for each item of ``noise`` [batch, frames or more, 64]."""
        return self.mean + self.std * noise[:, : len(self.mean), : self.mean.shape[1]]


@torch.no_grad()
def spread(
    vae: AutoencoderOobleck, sound: Tensor, tile: int = TILE, on_tile: Callable[[], None] = lambda: None
) -> Spread:
    """48 kHz stereo [2, samples], padded with zeros to whole frames. ``on_tile`` is called after each tile.

    Each tile of frames is encoded with what it depends on to both sides: that gives what encoding all at once would,
    but for rounding, in the memory of a tile.
    """
    weight = next(vae.encoder.parameters())
    frames = -(-sound.shape[-1] // FRAME)
    sound = functional.pad(sound, (0, frames * FRAME - sound.shape[-1]))
    reach = sees(vae)  # the encoder is the decoder backwards, and depends on as much
    means, stds = [], []
    for start in range(0, frames, tile):
        end = min(start + tile, frames)
        left, right = max(0, start - reach), min(frames, end + reach)
        piece = sound[:, left * FRAME : right * FRAME].unsqueeze(0).to(weight)
        found = vae.encode(piece).latent_dist
        kept = slice(start - left, end - left)
        means.append(found.mean.float().cpu()[0, :, kept].T)
        stds.append(found.std.float().cpu()[0, :, kept].T)
        on_tile()
    return Spread(torch.cat(means), torch.cat(stds))
