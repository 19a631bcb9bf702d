"""ACE-Step as the front sees it: ranges and per-variant defaults from the published models' cards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from ...config import Settings
from ...errors import LofiError
from ...model import Lora, StageParams
from ...models import catalogue, store
from .. import device, ready
from ..base import BackendInfo, Equipment, Settled
from . import plan, precision, resuming

SCHEMA = 1
"""Part of every track's id: raise it with any change of ours that moves a sample."""

_DIFFUSION = frozenset(
    {
        "batch_size", "lyrics", "vocal_language", "instrumental", "bpm", "keyscale", "timesignature",
        "inference_steps", "guidance_scale", "scheduler", "shift", "guidance", "cfg_interval",
        "init_latent_id", "t_start", "resume_sample_index", "checkpoint_step", "lora",
    }
)  # fmt: skip

_STAGES_15 = frozenset(
    {
        "model", "reference_audio_id", "src_latent_id", "src_audio_id", "cover_strength", "cover_noise_strength",
        "repaint_start", "repaint_end", "repaint_strength", "track_name", "track_classes",
    }
)  # fmt: skip

_PACKAGES = ("torch", "transformers", "diffusers")


def _v1_defaults(settings: Settings, asked: Mapping[str, object]) -> Mapping[str, object]:
    return {
        "instrumental": True,
        "inference_steps": settings.ace_step_default_steps,
        "scheduler": settings.ace_step_default_scheduler,
        "guidance_scale": settings.ace_step_default_guidance,
    }


V1 = BackendInfo(
    type="ace_step",
    name="ACE-Step v1 3.5B",
    min_duration_sec=5,
    max_duration_sec=240,
    sample_rate=48_000,
    model_version="ace-step-v1-3.5b",
    stage_types=("generate",),
    takes=_DIFFUSION,
    schedulers=("euler", "heun", "pingpong"),
    defaults=_v1_defaults,
    extra="acestep",
    packages=_PACKAGES,
    availability=partial(ready.look, "ace_step"),
)

_MODELS = tuple(weights.model for weights in catalogue.CATALOGUE["ace_step_15"])
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,4})?|unknown")


def _installed(settings: Settings) -> str | None:
    """The first model that is here."""
    root = store.root_of("ace_step_15", settings)
    here = (w.model for w in catalogue.CATALOGUE["ace_step_15"] if store.look(w, root).status == "ready")
    return next(here, None)


def _defaults(settings: Settings, asked: Mapping[str, object]) -> Mapping[str, object]:
    """As the models were published: turbo is distilled to eight steps without guidance, base and sft want it."""
    model = asked.get("model") or _installed(settings) or _MODELS[0]
    usual = {"model": model, "instrumental": not asked.get("lyrics"), "scheduler": "euler"}
    if plan.is_turbo(str(model)):
        return usual | {"inference_steps": plan.TURBO_STEPS, "shift": 3.0}
    return usual | {"inference_steps": 50, "shift": 1.0, "guidance": "apg", "guidance_scale": 7.0}


def _check(params: StageParams) -> None:
    if params.shift is not None and not 0.1 <= params.shift <= 10:
        raise LofiError(
            "INVALID_PARAMS", f"shift must lie between 0.1 and 10, not {params.shift:g}.",
            field="shift", expected=[0.1, 10], got=params.shift,
        )  # fmt: skip
    if params.cfg_interval is not None and not 0 <= params.cfg_interval[0] <= params.cfg_interval[1] <= 1:
        raise LofiError(
            "INVALID_PARAMS", "cfg_interval is two numbers from 0 to 1, the first not above the second.",
            field="cfg_interval", expected=[0, 1], got=list(params.cfg_interval),
        )  # fmt: skip
    if params.vocal_language is not None and not _LANGUAGE.fullmatch(params.vocal_language):
        raise LofiError(
            "INVALID_PARAMS", "vocal_language is a code such as “en”, “ja” or “zh”, or “unknown”.",
            field="vocal_language", got=params.vocal_language[:50],
        )  # fmt: skip
    for adapter in params.lora or ():
        if not _adapter_file(adapter).is_file():
            raise LofiError(
                "INVALID_PARAMS",
                f"There is no LoRA in {adapter.path}; give a .safetensors file, or a folder with "
                "adapter_model.safetensors.",
                field="lora", got=adapter.path,
            )  # fmt: skip


def _settle(params: StageParams) -> Settled:
    """Without what this model cannot use, so that the same music has the same id."""
    said = []
    if params.instrumental and params.lyrics:
        said.append("The music is instrumental, so its lyrics are not sung; leave instrumental out to hear them.")
    if params.instrumental or not params.lyrics:
        params = msgspec.structs.replace(params, lyrics=None)
    if plan.is_turbo(params.model):
        if params.guidance not in (None, "none") or (params.guidance_scale or 1) > 1:
            said.append(f"ACE-Step {params.model} is distilled and takes no guidance: it is ignored.")
        if params.inference_steps != plan.TURBO_STEPS:
            said.append(f"ACE-Step {params.model} always takes {plan.TURBO_STEPS} steps.")
        shift = plan.turbo_shift(params.shift or 3.0)
        if shift != params.shift:
            said.append(f"ACE-Step {params.model} knows the shifts 1, 2 and 3: it takes {shift:g}.")
        params = msgspec.structs.replace(params, inference_steps=plan.TURBO_STEPS, shift=shift)
    if plan.is_turbo(params.model) or params.guidance == "none" or (params.guidance_scale or 1) <= 1:
        params = msgspec.structs.replace(params, guidance=None, guidance_scale=None, cfg_interval=None)
    return Settled(params, tuple(said))


def _equip(settings: Settings, params: StageParams) -> Equipment:
    weights = catalogue.find("ace_step_15", params.model)
    found = store.look(weights, store.root_of("ace_step_15", settings))
    if found.status != "ready":
        raise LofiError(
            "MODEL_NOT_FOUND",
            f"The weights of {weights.title} are not here; get them: lofi download ace_step_15 {weights.model}, or "
            ":LofiBackends in the editor.",
            field="model", got=weights.model,
        )  # fmt: skip
    where = device.choose(settings)
    how = precision.choose(settings.ace_step_precision, where)
    version = f"acestep-v15-{weights.model}@{found.stamp}/{how}/{SCHEMA}"
    if params.lora:
        version += f"/lora-{_fingerprint(tuple(_adapter_file(adapter) for adapter in params.lora))}"
    return Equipment(version, tuple(map(str, found.folders)), how, where)


def _adapter_file(adapter: Lora) -> Path:
    path = Path(adapter.path).expanduser()
    return path / "adapter_model.safetensors" if path.is_dir() else path


def _fingerprint(paths: tuple[Path, ...]) -> str:
    """Of files that carry no commit: another one under the same name makes other music."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:6]


V15 = BackendInfo(
    type="ace_step_15",
    name="ACE-Step 1.5",
    min_duration_sec=5,
    max_duration_sec=600,
    sample_rate=48_000,
    model_version=f"acestep-v15/{SCHEMA}",
    stage_types=("generate",),
    models=_MODELS,
    takes=_DIFFUSION | _STAGES_15,
    schedulers=("euler", "heun", "pingpong", "sde"),
    time_signatures=("4/4", "3/4", "2/4", "6/8"),
    defaults=_defaults,
    check=_check,
    settle=_settle,
    resume=resuming.resume,
    extra="acestep",
    packages=_PACKAGES,
    availability=partial(ready.look, "ace_step_15"),
    equip=_equip,
)
