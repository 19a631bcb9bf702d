"""What a request leaves open, and what of it this model or stage has no use for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ...model import StageParams
from ..base import Settled
from . import checks, plan

_BELONGS: Mapping[str, tuple[str, ...]] = {
    "cover_strength": ("cover",),
    "cover_noise_strength": ("cover",),
    "repaint_start": ("repaint", "lego"),
    "repaint_end": ("repaint", "lego"),
    "repaint_strength": ("repaint",),
    "track_name": ("extract", "lego"),
    "track_classes": ("complete",),
}
"""The stages in which a field means something."""

_OF_STAGES: Mapping[str, Mapping[str, object]] = {
    "cover": {"cover_strength": 1.0, "cover_noise_strength": 0.0},
    "repaint": {"repaint_strength": 0.5},
}


def defaults(asked: Mapping[str, object], usual_model: str) -> Mapping[str, object]:
    """As the models were published: turbo is distilled to eight steps without guidance, base and sft want it."""
    model = asked.get("model") or usual_model
    usual = {"model": model, "instrumental": not asked.get("lyrics"), "scheduler": "euler"}
    usual |= _OF_STAGES.get(str(asked.get("stage_type")), {})
    if plan.is_turbo(str(model)):
        return usual | {"inference_steps": plan.TURBO_STEPS, "shift": 3.0}
    return usual | {"inference_steps": 50, "shift": 1.0, "guidance": "apg", "guidance_scale": 7.0}


def settle(params: StageParams) -> Settled:
    """Without what this model or stage cannot use, so that the same music has the same id."""
    said = []
    for field, stages in _BELONGS.items():
        if getattr(params, field) is not None and params.stage_type not in stages:
            params = msgspec.structs.replace(params, **{field: None})
            said.append(f"{field} is for the stage {' or '.join(stages)}; it is ignored.")
    if params.init_latent_id is None:
        params, problem = _settle_denoise(params)
        said += problem
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
    if params.init_latent_id is None:
        checks.require_step(params, None)
    return Settled(params, tuple(said))


def _settle_denoise(params: StageParams) -> tuple[StageParams, list[str]]:
    """Of a stage without an initial latent: only a refinement goes back into the noise."""
    said = []
    if params.stage_type == "refine":
        params = msgspec.structs.replace(params, t_start=plan.REFINED if params.t_start is None else params.t_start)
        if params.t_start == 1:
            said.append("With t_start = 1 nothing of the source is left; lower it to keep some.")
        return params, said
    if params.t_start is not None and params.t_start < 1:
        said.append("There is no latent that t_start could go back from; it is ignored. Name one with init_latent_id.")
    return msgspec.structs.replace(params, t_start=None), said
