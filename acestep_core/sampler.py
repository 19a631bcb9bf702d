"""The loop: from noise to a latent, one velocity after another. The modules are parts; this is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from .checkpoint import Checkpoint, Going, going_on
from .conditioning.repaint import Repaint
from .errors import ConditionError, NotFiniteError, SettingError
from .guidance import Guidance, guide, guide_corrector
from .noise import Noise
from .schedules import Grid
from .solvers import Move, solver


@dataclass(frozen=True)
class Condition:
    """What the model hears of: ``encoder`` [batch, tokens, width] (lyrics, timbre, text packed) and ``context``
    [batch, frames, 128], the source's 64 channels and the mask's."""

    encoder: Tensor
    context: Tensor


class Model(Protocol):
    """What the loop asks of a model: velocities float32 [batch, frames, 64] at noise level ``t``."""

    def velocity(self, x: Tensor, t: float, condition: Condition) -> Tensor: ...

    def velocities(self, x: Tensor, t: float, condition: Condition) -> tuple[Tensor, Tensor]:
        """With the condition, and without it (the learned null condition)."""
        ...


@dataclass(frozen=True)
class Settings:
    """How to go. ``distilled``: a turbo model. ``switch_step``: from this step on a cover uses the condition without
    its source (``cover_switch``). The velocity's norm may be clamped to a multiple of x's, and smoothed by its last
    value; 0 is off."""

    grid: Grid
    solver: str = "euler"
    guidance: Guidance = field(default_factory=Guidance)
    distilled: bool = False
    switch_step: int | None = None
    velocity_clamp: float = 0.0
    velocity_smoothing: float = 0.0

    def __post_init__(self) -> None:
        solver(self.solver)
        if self.distilled and self.guidance.used:
            raise SettingError("Turbo models are distilled and take no guidance: leave it away, or use base or sft.")


@dataclass(frozen=True)
class Step:
    """A step that was taken: ``index`` from 0 of ``total``.

    ``checkpoint()``, called before the next step, is the run as it now is; it copies nothing, so it costs nothing.
    """

    index: int
    total: int
    checkpoint: Callable[[], Checkpoint]


@dataclass(frozen=True)
class Sampled:
    """The latent float32 [batch, frames, 64], and the checkpoint if one was asked for."""

    latent: Tensor
    checkpoint: Checkpoint | None


def cover_switch(steps: int, strength: float) -> int | None:
    """The step from which a cover of this strength forgets its source; None where it never does."""
    return None if strength >= 1 else int(steps * max(strength, 0.0))


@torch.no_grad()
def sample(
    model: Model,
    settings: Settings,
    condition: Condition,
    noise: Noise,
    *,
    start: Tensor | Checkpoint,
    switched: Condition | None = None,
    repaint: Repaint | None = None,
    on_step: Callable[[Step], None] | None = None,
    checkpoint_step: int | None = None,
) -> Sampled:
    """Walk the grid from ``start``: noise, a renoised latent, or a checkpoint.

    ``on_step`` is called after each step; what it raises ends the run and nothing else. ``switched`` is the condition
    from ``settings.switch_step`` on. ``checkpoint_step`` K gives the run as it was after step K (0 … N − 1 of the whole
    grid). Errors: ``NotFiniteError``, ``ResumeError``, ``ConditionError``, ``SettingError``.
    """
    going = _start(settings, condition, start, noise)
    steps = len(going.grid) - 1
    if checkpoint_step is not None and not going.first <= checkpoint_step < steps:
        raise SettingError(f"This run takes steps {going.first} to {steps - 1}: step {checkpoint_step} is not of them.")
    if going.switch_step is not None and going.switch_step < steps and switched is None:
        raise ConditionError("A cover that goes over to text alone needs the condition to go over to.")
    walk = _Walk(model, settings, going, noise)

    wanted: Checkpoint | None = None
    for index in range(going.first, steps):
        over = going.switch_step is not None and index >= going.switch_step
        walk.take(index, switched if over and switched is not None else condition)
        if repaint is not None and not (settings.distilled and index == steps - 1):
            walk.x = repaint.inject(walk.x, index, steps, walk.level)
        if not bool(torch.isfinite(walk.x).all()):
            raise NotFiniteError(index, steps)
        if index == checkpoint_step:
            wanted = walk.checkpoint(index)
        if on_step is not None:
            on_step(Step(index, steps, lambda at=index: walk.checkpoint(at)))  # type: ignore[misc]
    return Sampled(walk.x if repaint is None else repaint.blend(walk.x), wanted)


def _start(settings: Settings, condition: Condition, start: Tensor | Checkpoint, noise: Noise) -> Going:
    batch, frames, channels = condition.context.shape
    shape = torch.Size((batch, frames, channels // 2))
    if isinstance(start, Checkpoint):
        if start.seeds == noise.seeds:
            noise.restore(start.noise)
        return going_on(start, settings.grid, settings.guidance.kind, settings.switch_step, shape)
    if start.shape != shape:
        raise ConditionError(f"The run starts from a latent {list(start.shape)}, its context asks for {list(shape)}.")
    return Going(settings.grid, 0, start.float(), switch_step=settings.switch_step)


class _Walk:
    """The state that a step changes."""

    def __init__(self, model: Model, settings: Settings, going: Going, noise: Noise) -> None:
        self._model, self._settings, self._going, self._noise = model, settings, going, noise
        self._solve = solver(settings.solver)
        self.x, self.momentum, self.velocity = going.x, going.momentum, going.velocity
        self.level = going.grid[going.first] if going.first < len(going.grid) else 0.0

    def take(self, index: int, condition: Condition) -> None:
        grid = self._going.grid
        t, t_next = grid[index], grid[index + 1]
        v = self._smooth(self._clamp(self._guided(self.x, t, condition), self.x), self.velocity)

        def corrector(x: Tensor, at: float) -> Tensor:
            return self._smooth(self._clamp(self._corrected(x, at, condition), x), v)

        def draw() -> Tensor:
            return self._noise.draw().to(self.x)

        moved = self._solve(Move(self.x, v, t, t_next, index, len(grid) - 1, self._settings.distilled, corrector, draw))
        self.x, self.velocity, self.level = moved.x, moved.v, moved.t

    def _guided(self, x: Tensor, t: float, condition: Condition) -> Tensor:
        guidance = self._settings.guidance
        if not guidance.at(t):
            return self._model.velocity(x, t, condition)
        v_c, v_u = self._model.velocities(x, t, condition)
        v, self.momentum = guide(guidance, v_c, v_u, x, t, self.momentum)
        return v

    def _corrected(self, x: Tensor, t: float, condition: Condition) -> Tensor:
        guidance = self._settings.guidance
        if not guidance.at(t):
            return self._model.velocity(x, t, condition)
        v_c, v_u = self._model.velocities(x, t, condition)
        return guide_corrector(guidance, v_c, v_u, x, t)

    def _clamp(self, v: Tensor, x: Tensor) -> Tensor:
        threshold = self._settings.velocity_clamp
        if threshold <= 0:
            return v
        allowed = threshold * (x.norm(dim=(1, 2), keepdim=True) + 1e-10)
        return v * torch.clamp(allowed / (v.norm(dim=(1, 2), keepdim=True) + 1e-10), max=1.0)

    def _smooth(self, v: Tensor, before: Tensor | None) -> Tensor:
        factor = self._settings.velocity_smoothing
        return v if factor <= 0 or before is None else (1 - factor) * v + factor * before

    def checkpoint(self, index: int) -> Checkpoint:
        smoothing = self._settings.velocity_smoothing > 0
        return Checkpoint(
            x=self.x,
            step=index,
            grid=self._going.grid,
            solver=self._settings.solver,
            guidance=self._settings.guidance.kind,
            momentum=self.momentum,
            velocity=self.velocity if smoothing else None,
            noise=self._noise.state(),
            seeds=self._noise.seeds,
            switch_step=self._going.switch_step,
        )
