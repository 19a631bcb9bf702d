"""How x moves from t to t'. Sources: ``generate_audio`` of the reference, base/sft and turbo.

A solver takes a ``Move`` and returns where it arrived, the velocity it went by, and the noise level it is at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from .errors import SettingError
from .noise import renoise

Name = Literal["euler", "heun", "pingpong", "sde"]


@dataclass(frozen=True)
class Move:
    """One step to take. ``corrector(x', t')`` is the second evaluation of Heun; ``draw`` is fresh noise.

    ``distilled``: a turbo model, whose last step goes straight to x̂0.
    """

    x: Tensor
    v: Tensor
    t: float
    t_next: float
    step: int
    steps: int
    distilled: bool
    corrector: Callable[[Tensor, float], Tensor]
    draw: Callable[[], Tensor]

    @property
    def clean(self) -> Tensor:
        """x̂0 = x − t·v."""
        return self.x - self.t * self.v


@dataclass(frozen=True)
class Moved:
    x: Tensor
    v: Tensor
    t: float


def euler(move: Move) -> Moved:
    """x' = x − (t − t')·v."""
    return Moved(move.x - (move.t - move.t_next) * move.v, move.v, move.t_next)


def heun(move: Move) -> Moved:
    """The trapezoid: v is the mean of the velocities at both ends. The last step of a turbo model is Euler's."""
    if move.distilled and move.step == move.steps - 1:
        return euler(move)
    v = 0.5 * (move.v + move.corrector(euler(move).x, move.t_next))
    return Moved(move.x - (move.t - move.t_next) * v, v, move.t_next)


def pingpong(move: Move) -> Moved:
    """x' = t'·ε + (1 − t')·x̂0: to the clean estimate and back to the noise level of t'."""
    return _back_to(move, move.t_next)


def sde(move: Move) -> Moved:
    """The reference's: as pingpong for turbo; base and sft go back to τ = 1 − (i + 1)/N, which knows no shift."""
    return _back_to(move, move.t_next if move.distilled else 1 - (move.step + 1) / move.steps)


def _back_to(move: Move, level: float) -> Moved:
    x = move.clean
    return Moved(renoise(x, level, move.draw()) if level > 0 else x, move.v, level)


SOLVERS: dict[str, Callable[[Move], Moved]] = {"euler": euler, "heun": heun, "pingpong": pingpong, "sde": sde}


def solver(name: str) -> Callable[[Move], Moved]:
    """The solver of that name; ``SettingError`` where there is none."""
    if name not in SOLVERS:
        raise SettingError(f"There is no solver {name!r}: it is one of {', '.join(SOLVERS)}.")
    return SOLVERS[name]
