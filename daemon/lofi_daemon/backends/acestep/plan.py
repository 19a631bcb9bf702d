"""Which timesteps a request visits. No torch here: the front refuses a step that no run takes before it queues."""

from __future__ import annotations

from acestep_core import schedules
from acestep_core.schedules import Grid

from ...model import LatentRecord, StageParams

TURBO_STEPS = schedules.TURBO_STEPS
REFINED = 0.5
"""How far back a refinement goes where the request does not say."""

BASE_ONLY = frozenset({"extract", "lego", "complete"})
LATENT_CHANNELS = 64
FRAMES_PER_SEC = 25
MIN_FRAMES = 128


def is_turbo(model: str | None) -> bool:
    """Distilled: eight steps, no guidance."""
    return model is not None and model.endswith("turbo")


def turbo_shift(shift: float) -> float:
    """The shift that a turbo model really uses."""
    return schedules.turbo_shift(shift)


def frames_of(seconds: float) -> int:
    """The length of a latent for so much music (``acestep_core.v15.tasks.frames_of``, which needs torch)."""
    return max(MIN_FRAMES, round(seconds * FRAMES_PER_SEC))


def whole_grid(params: StageParams) -> Grid:
    """From noise to music, as the request's steps and shift have it."""
    assert params.shift is not None
    assert params.inference_steps is not None
    if is_turbo(params.model):
        return schedules.turbo(params.shift)
    return schedules.shifted(params.inference_steps, params.shift)


def grid(params: StageParams, start: LatentRecord | None) -> Grid:
    """The grid to walk from ``start``: cut at ``t_start`` for a finished latent or what is refined, a checkpoint's own
    where the request's ends in it (one that was cut is gone on with as it was), else the request's, which is then cut
    at the saved t."""
    whole = whole_grid(params)
    if start is not None and start.is_checkpoint:
        saved = start.schedule
        return saved if len(saved) > 1 and schedules.same(whole[-len(saved) :], saved) else whole
    if start is not None or params.stage_type == "refine":
        return schedules.truncate(whole, denoise(params))
    if params.cover_noise_strength:
        return schedules.nearest_start(whole, params.cover_noise_strength)
    return whole


def denoise(params: StageParams) -> float:
    """How far back into the noise a latent is taken."""
    return 1.0 if params.t_start is None else params.t_start


def steps_taken(params: StageParams, start: LatentRecord | None) -> range:
    """The indices of the steps that the run takes on its grid (``acestep_core.checkpoint.going_on``)."""
    walked = grid(params, start)
    if start is None or not start.is_checkpoint or start.checkpoint_step is None:
        return range(len(walked) - 1)
    if schedules.same(walked, start.schedule):
        return range(start.checkpoint_step + 1, len(walked) - 1)
    return range(len(schedules.from_level(walked, start.schedule[start.checkpoint_step + 1])) - 1)
