"""What was made as a stage to be edited: every field that shaped it, and where it can be taken up again."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from ..errors import LofiError
from ..library.importing import BACKEND as IMPORTED
from ..model import LatentRecord, StageParams, Track
from .request import StageRequest

ALL_ANEW = 1.0
"""The denoise at which a latent changes nothing yet: the stage makes what it made."""


def of_track(track: Track) -> StageRequest:
    """Its latent is named, and not used before ``t_start`` is lowered; but where the track itself went on from a latent
    or was refined from one, it stays that. Raises INVALID_PARAMS for one that was imported."""
    if track.backend == IMPORTED:
        raise LofiError(
            "INVALID_PARAMS",
            f"“{track.prompt}” was imported, and nothing here can make it again; work from it with "
            f"src_audio_id={track.id[:12]}.",
            field="track_id", got=track.id,
        )  # fmt: skip
    latent = None if track.latent_id is UNSET else track.latent_id
    index = 0 if track.latent_index is UNSET else track.latent_index
    return _taken_up(track.params, latent, index)


def of_latent(record: LatentRecord) -> StageRequest:
    """As ``of_track``; a checkpoint is gone on from at once."""
    if record.is_checkpoint:
        return _request(record.params, {"init_latent_id": record.id, "t_start": None, "checkpoint_step": None})
    return _taken_up(record.params, record.id, 0)


def of_params(params: StageParams) -> StageRequest:
    """All of it."""
    return _request(params, {})


def _taken_up(params: StageParams, latent_id: str | None, index: int) -> StageRequest:
    if latent_id is None or params.init_latent_id is not None or params.t_start is not None:
        return of_params(params)
    # where the stage has a source, the index is this source's
    of_source = params.src_latent_id is not None
    more: dict[str, Any] = {"init_latent_id": latent_id, "t_start": ALL_ANEW}
    return _request(params, more if of_source else more | {"resume_sample_index": index or None})


def _request(params: StageParams, more: dict[str, Any]) -> StageRequest:
    # the type is said even where it is the usual one: a pipeline that the stage is added to may share another
    fields = msgspec.to_builtins(params) | {"stage_type": params.stage_type} | more
    return msgspec.convert({name: value for name, value in fields.items() if value is not None}, StageRequest)
