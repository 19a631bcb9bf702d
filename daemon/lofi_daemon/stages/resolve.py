"""StageRequest → StageParams, the only place where a request becomes trusted.

The order of the checks is part of the contract: (types and unknown fields, before this) prompt, backend,
ranges; the caller then asks the limit hook and whether the backend is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..backends.base import BackendInfo
from ..backends.registry import BACKENDS, default_backend
from ..backends.synth import keyscale as keyscales
from ..config import Settings
from ..errors import LofiError
from ..model import MAX_JSON_INT, Seed, StageParams, canonical_seed
from .request import STAGE_FIELDS, Pipeline, StageRequest

MAX_PROMPT = 512
MAX_SEED = 2**64 - 1
DEFAULT_DURATION_SEC = 30.0
DEFAULT_OVERLAP_SEC = 2
"""What a continuation begins with of the music before it: long enough to glide over, short enough to be little lost."""

ALWAYS = frozenset({"stage_type", "backend", "prompt", "duration_sec", "seed", "preview"})
SOURCED = ("refine", "cover", "repaint", "extract", "lego", "complete", "continue")
"""Stages that work from a source; it says enough where they have no words. The others start from noise."""

SOURCES: Mapping[str, str] = {"src_latent_id": "a latent", "src_stage": "an earlier stage", "src_audio_id": "a track"}
"""The first that is named counts."""

_WORDS = frozenset({"prompt", "lyrics"})
"""Where "" means no words. In other texts it leaves open, and keeps what is shared out."""

_NAMED_ERRORS = {
    "scheduler": "INVALID_SCHEDULER",
    "inference_steps": "INVALID_INFERENCE_STEPS",
    "guidance_scale": "INVALID_GUIDANCE_SCALE",
}
GUIDANCE = ("none", "cfg", "apg", "adg")
RANGES: Mapping[str, tuple[float, float]] = {
    "inference_steps": (1, 200),
    "guidance_scale": (1.0, 30.0),
    "bpm": (30, 300),
    "batch_size": (1, 8),
    "overlap_sec": (1, 4),
    "t_start": (0.0, 1.0),
    "cover_strength": (0.0, 1.0),
    "cover_noise_strength": (0.0, 1.0),
    "repaint_strength": (0.0, 1.0),
    "temperature": (0.01, 10.0),
    "top_k": (0, 65_536),
    "top_p": (0.0, 1.0),
}


class Resolved:
    """``params`` to run and ``notices`` to say (a knob that was accepted but cannot act)."""

    __slots__ = ("notices", "params")

    def __init__(self, params: StageParams, notices: tuple[str, ...]) -> None:
        self.params = params
        self.notices = notices


def resolve(
    request: StageRequest,
    settings: Settings,
    draw_seed: Callable[[], int],
    shared: StageRequest | None = None,
    stage_index: int = 0,
) -> Resolved:
    """Check ``request`` and fill in every default. ``draw_seed`` gives a fresh seed below 2^53.

    What it leaves open is as in ``shared``, as far as its backend and type have a use for it. ``stage_index`` is its
    place in its pipeline.

    Raises INVALID_PROMPT, INVALID_BACKEND, INVALID_STAGE, INVALID_DURATION, INVALID_SEED,
    INVALID_SCHEDULER, INVALID_INFERENCE_STEPS, INVALID_GUIDANCE_SCALE, INVALID_PARAMS.
    """
    own = asked(request)
    both = asked(shared) | own if shared else own
    given = {name: value for name, value in both.items() if value != "" or name in _WORDS or name == "seed"}
    stage_type = given.get("stage_type", "generate")
    prompt = _prompt(given.get("prompt"), may_be_empty=stage_type in SOURCED)
    info = _backend(given.get("backend"), settings)
    if stage_type not in info.stage_types:
        raise LofiError(
            "INVALID_STAGE",
            f"{info.name} cannot run the stage “{stage_type}”; it can run {', '.join(info.stage_types)}.",
            field="stage_type",
            expected=list(info.stage_types),
            got=stage_type,
        )

    given = {name: value for name, value in given.items() if name in own or _useful(name, info, stage_type)}
    _check_sources(given, stage_type, stage_index, info)
    values: dict[str, Any] = dict(info.defaults(settings, given))
    if stage_type == "continue":
        values["overlap_sec"] = DEFAULT_OVERLAP_SEC
    notices: list[str] = []
    for name, value in given.items():
        if name in ALWAYS:
            continue
        if name in info.ignores:
            notices.append(info.ignores[name])
        elif not taken(name, info):
            raise _misplaced(name, info)
        else:
            values[name] = _checked(name, value, info)
    if info.type == "synth" and values.get("instrumental") is False:
        # It cannot sing: the track is the one that instrumental=true makes, and the user is told.
        values["instrumental"] = True
        notices.append(info.ignores["vocal_language"])

    params = StageParams(
        stage_type=stage_type,
        backend=info.type,
        prompt=prompt,
        duration_sec=_duration(given.get("duration_sec"), info),
        seed=_seed(given.get("seed"), draw_seed),
        preview=given.get("preview", False),
        **values,
    )
    info.check(params)
    settled = info.settle(params)
    return Resolved(settled.params, tuple(dict.fromkeys((*notices, *settled.notices))))


def asked(request: StageRequest) -> dict[str, Any]:
    """What ``request`` does not leave open; "" is something."""
    return {name: value for name in STAGE_FIELDS if (value := getattr(request, name)) is not None}


def merged(pipeline: Pipeline) -> tuple[dict[str, Any], ...]:
    """What each stage asks for, its own and the shared, as JSON has it."""
    shared = asked(pipeline.shared)
    return tuple(msgspec.json.decode(msgspec.json.encode(shared | asked(stage))) for stage in pipeline.stages)


def taken(name: str, info: BackendInfo) -> bool:
    """Whether the backend has a use for the field."""
    return name in ALWAYS or name in info.takes or (name == "src_stage" and "src_audio_id" in info.takes)


def _useful(name: str, info: BackendInfo, stage_type: str) -> bool:
    if name == "overlap_sec":
        return taken(name, info) and stage_type == "continue"
    return taken(name, info) and (stage_type in SOURCED or name not in SOURCES)


def _check_sources(given: Mapping[str, Any], stage_type: str, stage_index: int, info: BackendInfo) -> None:
    usable = [name for name in SOURCES if taken(name, info)]
    if usable and "src_latent_id" in given and "src_latent_id" not in usable:
        raise LofiError(
            "INVALID_PARAMS", f"{info.name} works from sound, not from a latent; name a track (src_audio_id) or an "
            "earlier stage (src_stage).",
            field="src_latent_id", expected=usable, got=given["src_latent_id"],
        )  # fmt: skip
    named = [name for name in usable if name in given]
    if named and stage_type not in SOURCED:
        types = [name for name in info.stage_types if name in SOURCED]
        raise LofiError(
            "INVALID_PARAMS", f"A stage “{stage_type}” starts from noise; leave {named[0]} out, or take stage_type="
            f"{' or '.join(types)}.",
            field=named[0], expected=None, got=given[named[0]],
        )  # fmt: skip
    if stage_type in SOURCED and not named and not (stage_type == "refine" and "init_latent_id" in given):
        raise LofiError(
            "INVALID_PARAMS", f"A stage “{stage_type}” works from a source; name "
            f"{' or '.join(f'{SOURCES[name]} ({name})' for name in usable)}.",
            field="src_audio_id", expected=usable, got=None,
        )  # fmt: skip
    if "src_stage" in named and not 0 <= given["src_stage"] < stage_index:
        earlier = f"a number from 0 to {stage_index - 1}" if stage_index else "none, as no stage comes before this one"
        raise LofiError(
            "INVALID_PARAMS", f"src_stage names an earlier stage: {earlier}; not {given['src_stage']}.",
            field="src_stage", expected=list(range(stage_index)), got=given["src_stage"],
        )  # fmt: skip


def _prompt(prompt: str | None, *, may_be_empty: bool) -> str:
    text = (prompt or "").strip()
    if not text and not (may_be_empty and prompt is not None):
        raise LofiError(
            "INVALID_PROMPT", "The prompt is empty; say what to play, such as “rainy night, mellow rhodes”.",
            field="prompt", expected=f"1–{MAX_PROMPT} characters", got=0,
        )  # fmt: skip
    if len(text) > MAX_PROMPT:
        raise LofiError(
            "INVALID_PROMPT", f"The prompt has {len(text)} characters; shorten it to {MAX_PROMPT}.",
            field="prompt", expected=f"1–{MAX_PROMPT} characters", got=len(text),
        )  # fmt: skip
    return text


def _backend(name: str | None, settings: Settings) -> BackendInfo:
    name = default_backend(settings) if name is None else name
    if name not in BACKENDS:
        raise LofiError(
            "INVALID_BACKEND", f"There is no backend “{name}”; choose one of {', '.join(BACKENDS)}.",
            field="backend", expected=list(BACKENDS), got=name,
        )  # fmt: skip
    return BACKENDS[name]


def require_duration(seconds: float, info: BackendInfo) -> None:
    """Raises INVALID_DURATION."""
    low, high = info.min_duration_sec, info.max_duration_sec
    if not low <= seconds <= high:
        raise LofiError(
            "INVALID_DURATION",
            f"{info.name} makes tracks of {low:g} to {high:g} seconds, not {seconds:g}; set duration_sec in that "
            "range.",
            field="duration_sec", expected=[low, high], got=seconds,
        )  # fmt: skip


def _duration(seconds: float | None, info: BackendInfo) -> float:
    value = DEFAULT_DURATION_SEC if seconds is None else float(seconds)
    require_duration(value, info)
    return value


def _seed(
    seed: int | float | str | None,
    draw_seed: Callable[[], int],
) -> Seed:
    if seed is None:
        return canonical_seed(draw_seed())
    problem = None
    if isinstance(seed, str):
        # str.isdigit alone admits ² and ٣
        if not (seed.isascii() and seed.isdigit() and len(seed) <= 20 and int(seed) <= MAX_SEED):
            problem = "a decimal string from 0 to 18446744073709551615"
    elif isinstance(seed, float) or seed < 0:
        problem = "a whole number from 0 up"
    elif seed > MAX_JSON_INT:
        problem = "sent as a decimal string above 2^53 − 1, because JSON numbers would be rounded"
    if problem:
        raise LofiError("INVALID_SEED", f"A seed must be {problem}.", field="seed", expected=problem, got=str(seed))
    return canonical_seed(int(seed))


def _misplaced(name: str, info: BackendInfo) -> LofiError:
    takers = [other.name for other in BACKENDS.values() if name in other.takes]
    hint = f" (it is for {', '.join(takers)})" if takers else ""
    return LofiError(
        _NAMED_ERRORS.get(name, "INVALID_PARAMS"),
        f"{info.name} has no “{name}”{hint}; leave it out or choose another backend.",
        field=name, expected=None, backend=info.type,
    )  # fmt: skip


def _checked(name: str, value: Any, info: BackendInfo) -> Any:
    code = _NAMED_ERRORS.get(name, "INVALID_PARAMS")
    if name in RANGES:
        low, high = RANGES[name]
        if not low <= value <= high:
            raise LofiError(
                code, f"{name} must lie between {low:g} and {high:g}, not {value:g}.",
                field=name, expected=[low, high], got=value,
            )  # fmt: skip
    elif name == "scheduler":
        _one_of(name, value, info.schedulers, info, code)
    elif name == "guidance":
        _one_of(name, value, GUIDANCE, info, code)
    elif name == "model":
        _one_of(name, value, info.models, info, code)
    elif name == "keyscale":
        return keyscales.parse(value).name
    elif name == "timesignature":
        return keyscales.parse_timesignature(value, info.time_signatures)
    return value


def _one_of(name: str, value: str, choices: tuple[str, ...], info: BackendInfo, code: str) -> None:
    if value not in choices:
        raise LofiError(
            code, f"{info.name} has no {name} “{value}”; choose one of {', '.join(choices)}.",
            field=name, expected=list(choices), got=value,
        )  # fmt: skip
