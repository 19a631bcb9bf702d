"""A run stopped after a step, with all that its further steps depend on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import schedules
from .errors import ResumeError
from .guidance import Kind
from .schedules import Grid


@dataclass(frozen=True)
class Checkpoint:
    """``x`` float32 [batch, frames, 64] after step ``step`` (from 0) of the whole ``grid``.

    ``momentum`` is APG's, ``velocity`` the last one where velocities are smoothed, ``noise`` the state of each item's
    generator and ``seeds`` whose it is; ``switch_step`` is where a cover goes over to the condition without source.
    """

    x: Tensor
    step: int
    grid: Grid
    solver: str
    guidance: Kind
    momentum: Tensor | None
    velocity: Tensor | None
    noise: tuple[Tensor, ...]
    seeds: tuple[int, ...]
    switch_step: int | None = None

    @property
    def t(self) -> float:
        """The timestep at which the next step is taken."""
        return self.grid[self.step + 1]


@dataclass(frozen=True)
class Going:
    """Where a run begins: its grid, the first step to take, and what it brings along."""

    grid: Grid
    first: int
    x: Tensor
    momentum: Tensor | None = None
    velocity: Tensor | None = None
    switch_step: int | None = None


def going_on(saved: Checkpoint, grid: Grid, guidance: Kind, switch_step: int | None, shape: torch.Size) -> Going:
    """How a run on ``grid`` goes on from ``saved``: never renoised, and on the same grid at the very next step.

    Another grid is taken from the saved t on. Momentum stays where the guidance is still APG. ``shape`` is the
    latent's, which must be the saved one.
    """
    if saved.x.shape != shape:
        raise ResumeError(f"The checkpoint's latent is {list(saved.x.shape)}, this run makes {list(shape)}.")
    if not 0 <= saved.step < len(saved.grid) - 1:
        raise ResumeError(f"The checkpoint says step {saved.step} of {len(saved.grid) - 1}.")
    momentum = saved.momentum if guidance == saved.guidance else None
    if schedules.same(grid, saved.grid):
        return Going(saved.grid, saved.step + 1, saved.x.float(), momentum, saved.velocity, switch_step)
    rest = schedules.from_level(grid, saved.t)
    if switch_step is not None:
        switch_step = max(0, switch_step - (len(grid) - len(rest)))
    return Going(rest, 0, saved.x.float(), momentum, saved.velocity, switch_step)
