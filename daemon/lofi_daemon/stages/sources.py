"""What a stage works from: its sources by precedence, and what it therefore came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..backends.base import Latent, LatentSource, Origin
from ..engine.link import Made
from ..errors import LofiError
from ..model import LatentRecord, StageParams

SOURCE_FIELDS = ("reference_audio_id", "src_audio_id")
"""They name tracks."""

LATENT_FIELDS = ("init_latent_id", "src_latent_id")


def source_ids(params: StageParams) -> tuple[str, ...]:
    """The tracks of the library that a stage works from, each once."""
    return _named(params, SOURCE_FIELDS)


def weighed(params: StageParams) -> StageParams:
    """``params`` with the one source that counts: a latent, else an earlier stage, else a track."""
    if params.src_latent_id is not None:
        return msgspec.structs.replace(params, src_stage=None, src_audio_id=None)
    if params.src_stage is not None:
        return msgspec.structs.replace(params, src_audio_id=None)
    return params


def source_index(params: StageParams) -> int:
    """Which item of its source's batch a stage works from; ``resume_sample_index`` is the initial latent's first."""
    return params.resume_sample_index or 0 if params.init_latent_id is None else 0


def settled(params: StageParams, made: Sequence[Made]) -> StageParams:
    """``params`` with what the stage ``src_stage`` left in its place: its latent if it is of the same backend, else its
    track. Raises INVALID_STAGE where it left neither."""
    params = weighed(params)
    if params.src_stage is None:
        return params
    left = made[params.src_stage]
    if left.latent and left.latent.record.params.backend == params.backend:
        return msgspec.structs.replace(params, src_stage=None, src_latent_id=left.latent.record.id)
    index = source_index(params)
    if index < len(left.tracks):
        return msgspec.structs.replace(params, src_stage=None, src_audio_id=left.tracks[index][0])
    raise LofiError(
        "INVALID_STAGE",
        f"Stage {params.src_stage} left neither a latent of {params.backend} nor a track number {index} to work from.",
        field="src_stage", got=params.src_stage,
    )  # fmt: skip


def origin(params: StageParams, latents: LatentSource, tracks: Mapping[str, str]) -> Origin | None:
    """Of a stage whose sources are ``settled``; ``tracks`` are the files by id. Raises LATENT_NOT_FOUND."""
    if params.src_latent_id is not None:
        return Origin(_latent(params, latents, params.src_latent_id), source_index(params))
    if params.src_audio_id is not None:
        return Origin(audio=Path(tracks[params.src_audio_id]))
    return None


def parent_ids(params: StageParams, records: Mapping[str, LatentRecord]) -> tuple[str, ...]:
    """What a ``settled`` stage came from: the tracks it names, those that its latents became, and these latents."""
    heard = []
    for field in LATENT_FIELDS:
        record = records.get(getattr(params, field) or "")
        index = source_index(params) if field == "src_latent_id" else params.resume_sample_index or 0
        if record and record.heard and index < len(record.track_ids):
            heard.append(record.track_ids[index])
    return tuple(dict.fromkeys((*source_ids(params), *heard, *_named(params, LATENT_FIELDS))))


def _latent(params: StageParams, latents: LatentSource, latent_id: str) -> Latent:
    try:
        return latents.latent(latent_id)
    except LofiError as error:
        error.field = "src_latent_id"
        raise


def _named(params: StageParams, fields: Sequence[str]) -> tuple[str, ...]:
    named = (getattr(params, field) for field in fields)
    return tuple(dict.fromkeys(name for name in named if name is not None))
