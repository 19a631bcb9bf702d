"""Whether a request can start from the latent that it names: told at once, before anything is queued or loaded."""

from __future__ import annotations

import msgspec

from ...errors import LofiError
from ...model import LatentRecord, StageParams
from ..base import Settled
from . import checks, plan


def resume(params: StageParams, record: LatentRecord, duration_asked: bool) -> Settled:
    """``params`` as they will be run from ``record``, and what is to be said.

    Without ``duration_asked`` the duration is the latent's. Solver, shift, guidance and seed may differ from it, on
    purpose. Raises LATENT_MISMATCH and INVALID_PARAMS.
    """
    if record.is_checkpoint and params.t_start is not None:
        raise LofiError(
            "INVALID_PARAMS",
            f"The latent {record.id[:8]} is a checkpoint, which goes on from its own step: leave t_start out.",
            field="t_start", expected=None, got=params.t_start,
        )  # fmt: skip
    if params.stage_type == "refine" and not record.is_checkpoint and params.t_start is None:
        params = msgspec.structs.replace(params, t_start=plan.REFINED)
    if not record.is_checkpoint and (params.t_start is None or params.t_start >= 1):
        if not duration_asked and _fits(record):
            params = msgspec.structs.replace(params, duration_sec=_seconds(record))
        plain = msgspec.structs.replace(params, init_latent_id=None, t_start=None, resume_sample_index=None)
        unused = f"The latent {record.id[:8]} is not used: with t_start = 1 all is made anew; lower it to resume."
        checks.require_step(plain, None)
        return Settled(plain, (unused,))
    params = _with_duration(params, record, duration_asked)
    _same_model(params, record)
    params = _with_item(params, record)
    checks.require_step(params, record)
    said = []
    if record.model_variant == "unknown":
        said.append(
            f"The latent {record.id[:8]} does not say which model made it; it is taken as one of {params.model}."
        )
    if record.dtype != "float32":
        said.append(f"The latent {record.id[:8]} is {record.dtype}; it is cast to float32.")
    return Settled(params, tuple(said))


def _with_duration(params: StageParams, record: LatentRecord, asked: bool) -> StageParams:
    shape, own = record.shape, _seconds(record)
    if not _fits(record):
        raise LofiError(
            "LATENT_MISMATCH",
            f"The latent {record.id[:8]} is {list(shape)}, and ACE-Step 1.5 takes [batch, frames, 64] from 128 frames "
            "up: it is of another backend.",
            field="init_latent_id", expected=["batch", "frames", plan.LATENT_CHANNELS], got=list(shape),
        )  # fmt: skip
    if not asked:
        return msgspec.structs.replace(params, duration_sec=own)
    wanted = plan.frames_of(params.duration_sec)
    if wanted != shape[1]:
        raise LofiError(
            "LATENT_MISMATCH",
            f"The latent {record.id[:8]} is {own:g} seconds long ({shape[1]} frames), and {params.duration_sec:g} "
            f"({wanted} frames) were asked for: leave duration_sec out, or name another latent.",
            field="duration_sec", expected=own, got=params.duration_sec,
        )  # fmt: skip
    return params


def _fits(record: LatentRecord) -> bool:
    shape = record.shape
    return len(shape) == 3 and shape[2] == plan.LATENT_CHANNELS and shape[1] >= plan.MIN_FRAMES


def _seconds(record: LatentRecord) -> float:
    """How long its music is: the shortest ones have frames that are cut off the sound."""
    own = record.params.duration_sec
    return own if plan.frames_of(own) == record.shape[1] else record.shape[1] / plan.FRAMES_PER_SEC


def _same_model(params: StageParams, record: LatentRecord) -> None:
    if record.model_variant not in (params.model, "unknown"):
        raise LofiError(
            "LATENT_MISMATCH",
            f"The latent {record.id[:8]} was generated with {record.model_variant}, current model is {params.model}: "
            f"set model={record.model_variant}, or name another latent.",
            field="init_latent_id", expected=params.model, got=record.model_variant,
        )  # fmt: skip


def _with_item(params: StageParams, record: LatentRecord) -> StageParams:
    """One item of the latent for all of ours; of a checkpoint of the same batch, unless one is named, each its own."""
    batch = record.shape[0]
    index = params.resume_sample_index
    if index is None:
        same = record.is_checkpoint and batch == params.batch_size > 1
        return params if same else msgspec.structs.replace(params, resume_sample_index=0)
    if not 0 <= index < batch:
        raise LofiError(
            "INVALID_PARAMS",
            f"The latent {record.id[:8]} holds {batch} item{'s' * (batch > 1)}: resume_sample_index is one of 0 to "
            f"{batch - 1}, not {index}.",
            field="resume_sample_index", expected=[0, batch - 1], got=index,
        )  # fmt: skip
    return params
