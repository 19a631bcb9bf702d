"""The wire type of a stage: what may come in, before anything is checked. ``resolve`` turns it into StageParams."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import LofiError
from ..model import Lora


class StageRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Absent and null both mean "left open". Choices are plain strings here so that a wrong one gets the
    error named after its field instead of a type error."""

    stage_type: str | None = None
    backend: str | None = None
    model: str | None = None
    prompt: str | None = None
    duration_sec: float | None = None
    seed: int | float | str | None = None
    batch_size: int | None = None
    lyrics: str | None = None
    vocal_language: str | None = None
    instrumental: bool | None = None
    bpm: int | None = None
    keyscale: str | None = None
    timesignature: str | None = None
    inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    shift: float | None = None
    guidance: str | None = None
    cfg_interval: tuple[float, float] | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    init_latent_id: str | None = None
    t_start: float | None = None
    resume_sample_index: int | None = None
    checkpoint_step: int | None = None
    src_latent_id: str | None = None
    src_stage: int | None = None
    src_audio_id: str | None = None
    overlap_sec: int | None = None
    reference_audio_id: str | None = None
    cover_strength: float | None = None
    cover_noise_strength: float | None = None
    repaint_start: float | None = None
    repaint_end: float | None = None
    repaint_strength: float | None = None
    track_name: str | None = None
    track_classes: tuple[str, ...] | None = None
    lora: tuple[Lora, ...] | None = None
    preview: bool | None = None


STAGE_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(StageRequest))


MAX_STAGES = 32


class Pipeline(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stages that are run in order; what one leaves open is as in ``shared``."""

    shared: StageRequest = StageRequest()
    stages: Annotated[tuple[StageRequest, ...], Meta(min_length=1, max_length=MAX_STAGES)]


class GenerateRequest(StageRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`generate`: one stage, flat, and how to run it."""

    priority: str | None = None
    job_id: str | None = None
    auto_play: bool | None = None


_OF_A_STAGE = re.compile(r"shared|stages\[\d+\]")


def convert_error(error: msgspec.ValidationError, known: tuple[str, ...]) -> LofiError:
    """msgspec's "Expected `int`, got `str` - at `$.bpm`" as INVALID_PARAMS with the field's name."""
    text, _, path = str(error).partition(" - at `")
    where = path.rstrip("`").removeprefix("$").lstrip(".")
    if _OF_A_STAGE.fullmatch(where):
        known = STAGE_FIELDS
    if text.startswith("Object contains unknown field "):
        name = text.split("`")[1]
        field = f"{where}.{name}" if where else name
        return LofiError(
            "INVALID_PARAMS",
            f"There is no parameter “{field}”. Known here: {', '.join(known) or 'none'}.",
            field=field,
            expected=list(known),
            got=name,
        )
    if text.startswith("Object missing required field "):
        name = text.split("`")[1]
        return LofiError("INVALID_PARAMS", f"The parameter “{name}” is missing.", field=name, expected=name, got=None)
    message = text.replace("`", "").replace(" | null", "")
    field = where or "params"
    return LofiError("INVALID_PARAMS", f"“{field}” does not fit: {message}.", field=field, problem=message)
