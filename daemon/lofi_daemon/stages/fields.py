"""The fields of a stage for who writes one: names, types, ranges and choices, from what checks them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping

from msgspec import Struct

from ..backends.base import BackendInfo
from ..backends.registry import BACKENDS
from ..backends.synth.keyscale import SPELLINGS
from .request import STAGE_FIELDS, StageRequest
from .resolve import GUIDANCE, RANGES, taken

_TYPES: Mapping[object, str] = {str: "text", int: "integer", float: "number", bool: "boolean"}

_NAMES: Mapping[str, str] = {
    "init_latent_id": "latent",
    "src_latent_id": "latent",
    "src_stage": "stage",
    "src_audio_id": "track",
    "reference_audio_id": "track",
}

_PURPOSES: Mapping[str, str] = {
    "stage_type": "What the stage does.",
    "backend": "What makes the music.",
    "model": "Variant inside the backend.",
    "prompt": "The music in words.",
    "duration_sec": "Length in seconds; a stage with a source takes the source's.",
    "seed": "The same seed and stage make the same track; above 2^53 as a text.",
    "batch_size": "Tracks at once, each with the next seed.",
    "lyrics": "What is sung.",
    "vocal_language": "Language of the lyrics: en, de, ja, …",
    "instrumental": "No voice.",
    "bpm": "Tempo.",
    "keyscale": "Key and mode.",
    "timesignature": "Beats in a bar.",
    "inference_steps": "Diffusion steps.",
    "guidance_scale": "How closely the prompt is followed.",
    "scheduler": "Solver.",
    "shift": "Timestep shift.",
    "guidance": "Kind of guidance.",
    "cfg_interval": "From which to which share of the steps there is guidance, such as [0.0, 1.0].",
    "temperature": "Above 1 more daring, below 1 more even.",
    "top_k": "Sampling among the k likeliest tokens, 0 = all.",
    "top_p": "Sampling among the likeliest tokens of this sum.",
    "init_latent_id": "Latent or checkpoint to go on from.",
    "t_start": "How far back into the noise a latent is taken: near 0 little changes, at 1 all.",
    "resume_sample_index": "Which item of the latent's batch, from 0.",
    "checkpoint_step": "Keep the state after this diffusion step, from 0.",
    "src_latent_id": "Source: a latent. Goes before src_stage and src_audio_id.",
    "src_stage": "Source: what an earlier stage made, by its number from 0. Goes before src_audio_id.",
    "src_audio_id": "Source: a track.",
    "overlap_sec": "Seconds of its source that a continuation begins with.",
    "reference_audio_id": "Track whose melody or sound is followed.",
    "cover_strength": "How closely a cover follows its source.",
    "cover_noise_strength": "How much of the source's own sound is kept in the noise.",
    "repaint_start": "Second at which the repainted part begins.",
    "repaint_end": "Second at which it ends.",
    "repaint_strength": "How much is painted anew.",
    "track_name": "Which part is taken out or put in: vocals, drums, bass, …",
    "track_classes": "Which parts shall be there when it is complete.",
    "lora": "Adapters: [{ path = …, scale = 1.0 }].",
    "preview": "Let the stage be heard, though another one follows.",
}


class Field(Struct, frozen=True):
    """``type`` is text, integer, number, boolean, seed or list; ``names`` what an id or number stands for: track,
    latent or stage. ``choices`` are those of every backend, ``choices_of`` those that differ."""

    name: str
    type: str
    purpose: str
    backends: tuple[str, ...]
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    choices_of: Mapping[str, tuple[str, ...]] = {}
    names: str | None = None


def describe(backends: Mapping[str, BackendInfo] = BACKENDS) -> tuple[Field, ...]:
    """All fields, in the order in which a stage is read."""
    hints = typing.get_type_hints(StageRequest)
    return tuple(_field(name, hints[name], backends) for name in STAGE_FIELDS)


def _field(name: str, hint: object, backends: Mapping[str, BackendInfo]) -> Field:
    low, high = RANGES.get(name, (None, None))
    return Field(
        name,
        _type(hint),
        _PURPOSES[name],
        tuple(info.type for info in backends.values() if taken(name, info)),
        low,
        high,
        _common(name, backends),
        {info.type: choices for info in backends.values() if (choices := _own(name, info))},
        _NAMES.get(name),
    )


def _type(hint: object) -> str:
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    if len(kinds) > 1:
        return "seed"
    return _TYPES.get(kinds[0], "list")


def _common(name: str, backends: Iterable[str]) -> tuple[str, ...]:
    if name == "backend":
        return tuple(backends)
    if name == "guidance":
        return GUIDANCE
    if name == "keyscale":
        return tuple(f"{tonic} {mode}" for mode, tonics in SPELLINGS.items() for tonic in tonics)
    return ()


def _own(name: str, info: BackendInfo) -> tuple[str, ...]:
    if name == "stage_type":
        return info.stage_types
    if name not in info.takes:
        return ()
    if name == "model":
        return info.models
    if name == "scheduler":
        return info.schedulers
    return info.time_signatures if name == "timesignature" else ()
