"""ACE-Step as the front sees it: ranges and per-variant defaults from the published models' cards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ...config import Settings
from .. import ready
from ..base import BackendInfo

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


def _v1_defaults(settings: Settings) -> Mapping[str, object]:
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

V15 = BackendInfo(
    type="ace_step_15",
    name="ACE-Step 1.5",
    min_duration_sec=5,
    max_duration_sec=600,
    sample_rate=48_000,
    model_version="acestep-v15-turbo",
    stage_types=("generate", "refine", "cover", "repaint", "extract", "lego", "complete"),
    models=("turbo", "base", "sft", "xl-turbo", "xl-base", "xl-sft"),
    takes=_DIFFUSION | _STAGES_15,
    schedulers=("euler", "heun", "pingpong", "sde"),
    defaults=lambda settings: {"instrumental": True, "inference_steps": 8, "scheduler": "euler"},
    extra="acestep",
    packages=_PACKAGES,
    availability=partial(ready.look, "ace_step_15"),
)
