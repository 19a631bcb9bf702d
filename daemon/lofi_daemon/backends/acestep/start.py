"""Where a run begins: noise, a finished latent noised again, or the state after a step of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from acestep_core.checkpoint import Checkpoint
from acestep_core.errors import ResumeError
from acestep_core.noise import SeededNoise, renoise
from acestep_core.schedules import Grid
from acestep_core.stored import unpack, unpack_latent

from ...model import StageParams
from ..base import Latent
from . import plan


@dataclass(frozen=True)
class Start:
    """``x`` is what ``sample`` starts from on ``grid``."""

    grid: Grid
    x: Tensor | Checkpoint


def begin(params: StageParams, noise: SeededNoise, first: Tensor, latent: Latent | None) -> Start:
    """``first`` [batch, frames, 64] is the noise that was drawn for the start. Raises ``ResumeError``."""
    if latent is None:
        return Start(plan.grid(params, None), first)
    grid, batch = plan.grid(params, latent.record), first.shape[0]
    if latent.record.is_checkpoint:
        return Start(grid, _items(unpack(latent.blob), _which(params, batch), noise))
    x0 = unpack_latent(latent.blob).float()
    x0 = x0[_checked(_which(params, batch), x0.shape[0])]
    if x0.shape != first.shape:
        raise ResumeError(f"The latent is {list(x0.shape)}, this run makes {list(first.shape)}.")
    return Start(grid, renoise(x0, 1.0 if params.t_start is None else params.t_start, first))


def left_off(latent: Latent) -> Start:
    """Where the worker before this one died: all of the batch, as it was."""
    saved = unpack(latent.blob)
    return Start(saved.grid, saved)


def _which(params: StageParams, batch: int) -> list[int]:
    """Which item of the latent each of ours goes on from: the one that is named, else each from its own."""
    index = params.resume_sample_index
    return list(range(batch)) if index is None else [index] * batch


def _checked(which: list[int], there: int) -> list[int]:
    if max(which) >= there:
        raise ResumeError(f"The latent holds {there} items; item {max(which)} (from 0) is not of them.")
    return which


def _items(saved: Checkpoint, which: list[int], noise: SeededNoise) -> Checkpoint:
    """The named items of a checkpoint; each keeps its randomness where its seed is still the same."""
    _checked(which, saved.x.shape[0])

    def pick(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor[which].contiguous()

    state = tuple(
        saved.noise[item] if saved.seeds[item] == seed else fresh
        for item, seed, fresh in zip(which, noise.seeds, noise.state(), strict=True)
    )
    x = pick(saved.x)
    assert x is not None
    return replace(
        saved,
        x=x.to(torch.float32),
        momentum=pick(saved.momentum),
        velocity=pick(saved.velocity),
        noise=state,
        seeds=noise.seeds,
    )
