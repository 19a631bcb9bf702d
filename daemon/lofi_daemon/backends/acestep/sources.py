"""What a stage works from, as the model takes it: a source's latents and waveform, the timbre of a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderOobleck
from torch import Tensor
from torch.nn import functional

from acestep_core.conditioning.masks import SAMPLE_RATE
from acestep_core.conditioning.silence import padded
from acestep_core.noise import SeededNoise
from acestep_core.stored import unpack_latent
from acestep_core.v15 import encoding
from acestep_core.v15.tasks import FRAMES_PER_SEC

from ...audio.sources import read_source
from ...errors import LofiError
from ...model import StageParams
from ..base import Latent, Origin
from . import plan

SILENT = 1e-4
"""A peak below this (−80 dB) is no source."""

_SOURCE, _REFERENCE = 1 << 63, 3 << 62
"""Added to an item's seed for what is drawn in encoding: the noise of the music stays the same, with it and without."""

_PARTS = 3
"""A reference is heard in so many places: at its beginning, a third and two thirds of the way."""


@dataclass(frozen=True)
class Source:
    """``spread`` is what the encoder makes of ``sound`` [2, samples], which is as long as the stage's music."""

    spread: encoding.Spread
    sound: Tensor

    def latents(self, params: StageParams, frames: int, silence: Tensor) -> Tensor:
        """[batch, frames, 64], each item drawn from its own seed; ``silence`` is behind those that are too short."""
        drawn = _draw(self.spread, params, _SOURCE)
        return torch.stack([padded(one, silence.float().cpu(), frames) for one in drawn])


def finished(latent: Latent, index: int, frames: int) -> Tensor:
    """Item ``index`` of a latent as it is, [1, frames, 64]. Raises LATENT_MISMATCH."""
    found = unpack_latent(latent.blob).float()
    if latent.record.is_checkpoint or not 0 <= index < len(found) or found.shape[1:] != (frames, plan.LATENT_CHANNELS):
        raise LofiError(
            "LATENT_MISMATCH",
            f"The latent {latent.record.id[:8]} is {list(found.shape)}, and item {index} of {frames} frames is asked "
            "for: leave duration_sec out, and name a finished latent.",
            field="src_latent_id", expected=[frames, plan.LATENT_CHANNELS], got=list(found.shape),
        )  # fmt: skip
    return found[index : index + 1]


def encoded(autoencoder: AutoencoderOobleck, sound: Tensor, on_tile: Callable[[], None]) -> Source:
    """Its latents and itself."""
    return Source(encoding.spread(autoencoder, sound, on_tile=on_tile), sound)


def waveform(decode: Callable[[Tensor], Iterator[Tensor]], origin: Origin, seconds: float) -> Tensor:
    """[2, samples] at 48 kHz, cut or filled up with silence to ``seconds``; of a latent, what ``decode`` makes of it.

    Raises INVALID_PARAMS for silence, LATENT_MISMATCH, and the errors of ``read_source``.
    """
    wanted = round(seconds * SAMPLE_RATE)
    if origin.latent is not None:
        found = unpack_latent(origin.latent.blob)
        latent = finished(origin.latent, origin.latent_index, found.shape[1])[0]
        sound = torch.cat([piece.cpu() for piece in decode(latent)], dim=-1)[:, :wanted]
        field = "src_latent_id"
    else:
        assert origin.audio is not None
        sound, field = _stereo(origin.audio, seconds), "src_audio_id"
    _not_silent(sound, field)
    return functional.pad(sound, (0, wanted - sound.shape[-1]))


def timbre(autoencoder: AutoencoderOobleck, path: Path, params: StageParams, frames: int) -> Tensor:
    """[batch, frames, 64] of a reference: as the published program, from three places of it, and again and again where
    it is shorter. Raises as ``waveform``."""
    sound = _stereo(path, None)
    _not_silent(sound, "reference_audio_id")
    wanted = frames * SAMPLE_RATE // FRAMES_PER_SEC
    if sound.shape[-1] < wanted:
        sound = sound.repeat(1, -(-wanted // sound.shape[-1]))[:, :wanted]
    length, part = sound.shape[-1], wanted // _PARTS
    begins = [min(place * (length // _PARTS), length - part) for place in range(_PARTS)]
    heard = torch.cat([sound[:, begin : begin + part] for begin in begins], dim=-1)
    return _draw(encoding.spread(autoencoder, heard), params, _REFERENCE)[:, :frames]


def _draw(spread: encoding.Spread, params: StageParams, offset: int) -> Tensor:
    return spread.draw(SeededNoise(int(params.seed) + offset, params.batch_size, len(spread.mean)).draw())


def _stereo(path: Path, seconds: float | None) -> Tensor:
    sound = torch.from_numpy(read_source(path, SAMPLE_RATE, seconds)).T
    return sound[:2] if len(sound) >= 2 else sound.expand(2, -1)


def _not_silent(sound: Tensor, field: str) -> None:
    if sound.numel() == 0 or float(sound.abs().max()) < SILENT:
        raise LofiError(
            "INVALID_PARAMS",
            "The source is silence only, so there is nothing to work from: name another track.",
            field=field,
        )  # fmt: skip
