"""Latents → sound, tile by tile; and back, for a source or a reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from diffusers import AutoencoderOobleck
from torch import Tensor

from ..conditioning.tiles import decode_tiles
from ..native.kernels import Kernels
from ..noise import Noise
from .fast.oobleck import decoder

TILE = 128

# OobleckResidualUnit: kernels of 7, dilated by 1, 3 and 9, one after another.
_UNIT = 3 * (1 + 3 + 9)
_KERNEL = 3


def sees(vae: AutoencoderOobleck) -> int:
    """How many frames to each side a decoded frame depends on: 9 for the published autoencoder.

    A kernel of 7 at either end, and in each block a transposed convolution of twice its stride, then the residual
    units at the rate that it made.
    """
    rate, reach = 1, Fraction(_KERNEL)
    for ratio in reversed(vae.config.downsampling_ratios):
        reach += Fraction(1, rate)
        rate *= ratio
        reach += Fraction(_UNIT, rate)
    return math.ceil(reach + Fraction(_KERNEL, rate))


@torch.no_grad()
def decode(
    vae: AutoencoderOobleck, latent: Tensor, tile: int = TILE, kernels: Kernels | None = None
) -> Iterator[Tensor]:
    """Yield the sound of one ``latent`` [frames, 64] piece by piece: float32 [2, samples], 1920 a frame, each final.

    The tiles overlap by what the decoder sees, so that the pieces are the whole's own samples but for rounding:
    within 1e-5 in float32. With ``kernels`` an autoencoder on the CPU is run by them in bfloat16 (fast/oobleck.py),
    best from weights in float32, and the pieces are the whole's own samples bit for bit.
    """
    weight = next(vae.decoder.parameters())
    if kernels is not None and weight.device.type == "cpu":
        yield from decoder(vae, kernels).decode(latent, tile)
        return

    def run(stretch: Tensor) -> Tensor:
        sound: Tensor = vae.decode(stretch.to(weight), return_dict=False)[0]
        return sound.float()

    overlap = sees(vae)
    yield from (piece[0] for piece in decode_tiles(run, latent.T.unsqueeze(0), max(tile, 3 * overlap), overlap))


@torch.no_grad()
def encode(vae: AutoencoderOobleck, sound: Tensor, noise: Noise) -> Tensor:
    """48 kHz stereo [2, samples] → a latent [frames, 64] drawn from what the encoder makes of it.

    The reference draws it from no seed at all; here it comes from the request's own noise, for one item.
    """
    weight = next(vae.encoder.parameters())
    spread = vae.encode(sound.unsqueeze(0).to(weight)).latent_dist
    mean: Tensor = spread.mean.float()
    drawn = noise.draw().to(mean).transpose(1, 2)[..., : mean.shape[-1]]
    latent: Tensor = (mean + spread.std.float() * drawn)[0].T.contiguous()
    return latent
