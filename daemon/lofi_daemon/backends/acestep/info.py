"""ACE-Step as the front sees it: ranges and per-variant defaults from the published models' cards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...config import Settings
from ...model import StageParams
from ...models import catalogue
from .. import device, ready
from ..base import BackendInfo, Equipment
from . import checks, precision, resuming, settling

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


def _defaults(settings: Settings, asked: Mapping[str, object]) -> Mapping[str, object]:
    wished = settings.ace_step_model
    return settling.defaults(asked, ready.first_model("ace_step_15", settings) if wished == "auto" else wished)


def _equip(settings: Settings, params: StageParams) -> Equipment:
    weights = catalogue.find("ace_step_15", params.model)
    found = ready.installed("ace_step_15", weights, settings)
    checks.require_tokenizer(params, found.folders[0])
    where = device.choose(settings)
    how = precision.choose(settings.ace_step_precision, where)
    version = f"acestep-v15-{weights.model}@{found.stamp}/{how}/{SCHEMA}"
    if params.lora:
        version += f"/lora-{_fingerprint(tuple(checks.adapter_file(adapter) for adapter in params.lora))}"
    return Equipment(version, tuple(map(str, found.folders)), how, where)


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
    stage_types=("generate", "refine", "cover", "repaint", "extract", "lego", "complete"),
    models=_MODELS,
    takes=_DIFFUSION | _STAGES_15,
    schedulers=("euler", "heun", "pingpong", "sde"),
    time_signatures=("4/4", "3/4", "2/4", "6/8"),
    defaults=_defaults,
    check=checks.check,
    settle=settling.settle,
    fits=checks.fits,
    resume=resuming.resume,
    extra="acestep",
    packages=_PACKAGES,
    availability=partial(ready.look, "ace_step_15"),
    equip=_equip,
)
