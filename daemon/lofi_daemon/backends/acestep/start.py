"""Where a run begins: noise, a finished latent noised again, or the state after a step of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from acestep_core.checkpoint import Checkpoint
from acestep_core.errors import ResumeError
from acestep_core.noise import SeededNoise, renoise
from acestep_core.sampler import cover_switch
from acestep_core.schedules import Grid
from acestep_core.stored import unpack, unpack_latent

from ...model import StageParams
from ..base import Latent
from . import plan


@dataclass(frozen=True)
class Start:
    """``x`` is what ``sample`` starts from on ``grid``; from ``switch_step`` on a cover goes by words alone."""

    grid: Grid
    x: Tensor | Checkpoint
    switch_step: int | None


def begin(
    params: StageParams, noise: SeededNoise, first: Tensor, latent: Latent | None, source: Tensor | None = None
) -> Start:
    """``first`` [batch, frames, 64] is the noise that was drawn for the start, ``source`` [1 or batch, frames, 64] what
    a refinement or a cover may start near. Raises ``ResumeError``."""
    if latent is None:
        grid, x = plan.grid(params, None), first
        if source is not None and params.stage_type == "refine":
            x = renoise(source, plan.denoise(params), first)
        elif source is not None and params.cover_noise_strength:
            x = renoise(source, grid[0], first)
        return Start(grid, x, _switch(params, grid))
    grid, batch = plan.grid(params, latent.record), first.shape[0]
    if latent.record.is_checkpoint:
        saved = _items(unpack(latent.blob), _which(params, batch), noise)
        return Start(grid, saved, _switch(params, grid))
    x0 = unpack_latent(latent.blob).float()
    x0 = x0[_checked(_which(params, batch), x0.shape[0])]
    if x0.shape != first.shape:
        raise ResumeError(f"The latent is {list(x0.shape)}, this run makes {list(first.shape)}.")
    return Start(grid, renoise(x0, plan.denoise(params), first), _switch(params, grid))


def left_off(latent: Latent) -> Start:
    """Where the worker before this one died: all of the batch, as it was."""
    saved = unpack(latent.blob)
    return Start(saved.grid, saved, saved.switch_step)


def _switch(params: StageParams, grid: Grid) -> int | None:
    if params.stage_type != "cover" or params.cover_strength is None:
        return None
    return cover_switch(len(grid) - 1, params.cover_strength)


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
