"""A resolved stage made ready for the line: what it works from is looked up, and what it is run with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from .backends.base import Equipment
from .backends.registry import BACKENDS
from .config import Settings
from .errors import LofiError
from .model import LatentFile, StageParams, Track
from .stages.items import track_ids
from .stages.resolve import SOURCED, Resolved, require_duration
from .stages.resuming import resume
from .stages.sources import LATENT_FIELDS, SOURCE_FIELDS, source_index, weighed


class Finds(Protocol):
    """What a stage asks of the library."""

    async def to_play(self, prefix: str | None) -> Track:
        """The track meant, which counts as used now. Raises INVALID_TRACK_ID."""

    async def latent(self, prefix: str) -> LatentFile:
        """The latent meant, found whole. Raises LATENT_NOT_FOUND."""


class Prepared(Struct, frozen=True):
    """A stage that can be queued. ``sources`` are files by track id; ``notices`` are to be said once it is."""

    params: StageParams
    track_ids: tuple[str, ...]
    equipment: Equipment
    sources: dict[str, str] = {}
    latents: tuple[LatentFile, ...] = ()
    notices: tuple[str, ...] = ()


async def prepare(
    resolved: Resolved, duration_asked: bool, earlier: Sequence[Prepared], settings: Settings, library: Finds
) -> Prepared:
    """Raises INVALID_TRACK_ID, LATENT_NOT_FOUND, LATENT_MISMATCH, MODEL_NOT_FOUND, and INVALID_PARAMS or
    INVALID_DURATION for what does not fit the source."""
    params = weighed(resolved.params)
    params, tracks = await _named_tracks(params, library)
    params, latents = await _named_latents(params, library)
    records = {latent.record.id: latent for latent in latents}
    resumed = resume(params, records, duration_asked)
    params = resumed.params
    if params.src_latent_id is not None:
        _require_latent_fits(params, records[params.src_latent_id])
    elif params.src_stage is not None:
        _require_item(params, earlier[params.src_stage].params.batch_size, f"Stage {params.src_stage} makes")
    if not duration_asked and params.init_latent_id is None:
        params = _as_long_as_its_source(params, earlier, records, tracks)
    BACKENDS[params.backend].fits(params)
    equipment = await _equipment(params, settings)
    return Prepared(
        params=params,
        track_ids=_ids(params, equipment.model_version, earlier, records),
        equipment=equipment,
        sources={track.id: track.path for track in tracks.values()},
        latents=tuple(latent for latent in latents if latent.record.id in _latent_ids(params)),
        notices=(*resolved.notices, *resumed.notices),
    )


def heard_stages(stages: Sequence[StageParams]) -> tuple[int, ...]:
    """The stages before the last that must become audio: previews, and those whose latent another backend could not
    read."""
    return tuple(
        index
        for index, stage in enumerate(stages[:-1])
        if stage.preview or any(other.src_stage == index and not _hands_over_latents(stage, other) for other in stages)
    )


def _hands_over_latents(source: StageParams, params: StageParams) -> bool:
    return source.backend == params.backend and "src_latent_id" in BACKENDS[params.backend].takes


def _ids(
    params: StageParams, model_version: str, earlier: Sequence[Prepared], latents: Mapping[str, LatentFile]
) -> tuple[str, ...]:
    """From an earlier stage it is the same track as from the latent or the track which that stage left."""
    if params.src_latent_id is not None:
        of_latent = latents[params.src_latent_id].record.track_ids
        if not of_latent:
            return track_ids(params, model_version)
        bare = msgspec.structs.replace(params, src_latent_id=None)
        return track_ids(bare, model_version, of_latent[source_index(params)])
    if params.src_stage is None:
        return track_ids(params, model_version)
    source = earlier[params.src_stage]
    track = source.track_ids[source_index(params)]
    if _hands_over_latents(source.params, params):
        return track_ids(params, model_version, track)
    return track_ids(msgspec.structs.replace(params, src_stage=None, src_audio_id=track), model_version)


async def _named_tracks(params: StageParams, library: Finds) -> tuple[StageParams, dict[str, Track]]:
    """The tracks to work from, named by their whole ids: they are part of the new track's."""
    found: dict[str, Track] = {}
    for field in SOURCE_FIELDS:
        prefix = getattr(params, field)
        if prefix is None:
            continue
        try:
            found[field] = await library.to_play(prefix)
        except LofiError as error:
            raise LofiError(error.name, error.message, field=field, **error.details) from error
        params = msgspec.structs.replace(params, **{field: found[field].id})
    return params, found


async def _named_latents(params: StageParams, library: Finds) -> tuple[StageParams, tuple[LatentFile, ...]]:
    """The latents to work from, which are here and unharmed, by their whole ids."""
    found: dict[str, LatentFile] = {}
    for field in LATENT_FIELDS:
        if (name := getattr(params, field)) is not None:
            try:
                latent = await library.latent(name)
            except LofiError as error:
                error.field = field
                raise
            found[latent.record.id] = latent
            params = msgspec.structs.replace(params, **{field: latent.record.id})
    return params, tuple(found.values())


def _latent_ids(params: StageParams) -> set[str | None]:
    return {getattr(params, field) for field in LATENT_FIELDS}


def _require_latent_fits(params: StageParams, latent: LatentFile) -> None:
    record = latent.record
    if record.params.backend != params.backend:
        raise LofiError(
            "LATENT_MISMATCH",
            f"The latent {record.id[:8]} is of {record.params.backend}, and this stage of {params.backend}; work from "
            "its track instead (src_audio_id).",
            field="src_latent_id", expected=params.backend, got=record.params.backend,
        )  # fmt: skip
    if record.is_checkpoint:
        raise LofiError(
            "INVALID_PARAMS",
            f"The latent {record.id[:8]} is a checkpoint, not yet music; go on from it with init_latent_id.",
            field="src_latent_id", got=record.id,
        )  # fmt: skip
    _require_item(params, record.batch_size, f"The latent {record.id[:8]} holds")


def _require_item(params: StageParams, batch_size: int, what: str) -> None:
    index = source_index(params)
    if not 0 <= index < batch_size:
        raise LofiError(
            "INVALID_PARAMS",
            f"{what} {batch_size} item{'s' * (batch_size > 1)}: resume_sample_index is one of 0 to {batch_size - 1}, "
            f"not {index}.",
            field="resume_sample_index", expected=[0, batch_size - 1], got=index,
        )  # fmt: skip


def _as_long_as_its_source(
    params: StageParams, earlier: Sequence[Prepared], latents: dict[str, LatentFile], tracks: dict[str, Track]
) -> StageParams:
    if params.stage_type not in SOURCED or params.stage_type == "continue":
        return params
    if params.src_latent_id is not None:
        seconds = latents[params.src_latent_id].record.params.duration_sec
    elif params.src_stage is not None:
        seconds = earlier[params.src_stage].params.duration_sec
    else:
        seconds = tracks["src_audio_id"].duration_sec
    require_duration(seconds, BACKENDS[params.backend])
    return msgspec.structs.replace(params, duration_sec=seconds)


async def _equipment(params: StageParams, settings: Settings) -> Equipment:
    info = BACKENDS[params.backend]
    if info.equip is None:
        return info.equipment(settings, params)
    return await asyncio.to_thread(info.equipment, settings, params)
