"""Decoding a latent in overlapping tiles, of which the middles are kept: less memory, and sound before the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..errors import SettingError

MIN_OVERLAP = 4


def decode_tiles(decode: Callable[[Tensor], Tensor], latents: Tensor, tile: int, overlap: int) -> Iterator[Tensor]:
    """Yield the audio of ``latents`` [1, 64, frames] piece by piece, each final: [1, channels, samples].

    ``decode`` takes a stretch of latents and gives a whole number of samples for each of its frames. A tile is ``tile``
    frames long, of which ``overlap`` on each side only lend context; where these leave nothing, the overlap is halved,
    though not below 4. With an overlap as wide as the decoder sees, the pieces are the whole's own samples.
    """
    length = latents.shape[-1]
    if length <= tile:
        yield decode(latents)
        return
    overlap = fitting_overlap(tile, overlap)
    stride = tile - 2 * overlap
    for start in range(0, length, stride):
        end = min(start + stride, length)
        left, right = max(0, start - overlap), min(length, end + overlap)
        audio = decode(latents[..., left:right])
        rate = audio.shape[-1] / (right - left)
        yield audio[..., round((start - left) * rate) : audio.shape[-1] - round((right - end) * rate)]


def fitting_overlap(tile: int, overlap: int) -> int:
    """The overlap that is really used; ``SettingError`` where no tile of this length can have one."""
    while tile - 2 * overlap <= 0 and overlap > MIN_OVERLAP:
        overlap = max(overlap // 2, MIN_OVERLAP)
    if tile - 2 * overlap <= 0:
        raise SettingError(f"A tile of {tile} frames is too short for an overlap of {overlap} on each side.")
    return overlap


def decode_whole(decode: Callable[[Tensor], Tensor], latents: Tensor, tile: int, overlap: int) -> Tensor:
    """All tiles joined, item by item, so that memory does not grow with the batch: [batch, channels, samples]."""
    items = (latents[i : i + 1] for i in range(latents.shape[0]))
    return torch.cat([torch.cat(list(decode_tiles(decode, item, tile, overlap)), dim=-1) for item in items])
