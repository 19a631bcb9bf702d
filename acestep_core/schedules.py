"""Grids of timesteps: t from 1 (noise) down to a terminal 0. Plain floats, so that a grid can be stored as it is.

A grid of N steps has N + 1 points; step i goes from grid[i] to grid[i + 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from .errors import ScheduleError

Grid = tuple[float, ...]

TURBO_STEPS = 8
TURBO_SHIFTS = (1.0, 2.0, 3.0)

# Two t this close are the same: grids were float32 in the reference, and are written out in decimal.
SAME = 1e-6


def shifted(steps: int, shift: float) -> Grid:
    """The grid of base and sft: u_i = 1 − i/N, t = s·u / (1 + (s − 1)·u). Source: modeling_acestep_v15_base.py."""
    if steps < 1:
        raise ScheduleError("A schedule needs at least one step.")
    if not (math.isfinite(shift) and shift > 0):
        raise ScheduleError(f"The shift must be a positive number, not {shift}.")
    return tuple(_shift(1 - i / steps, shift) for i in range(steps + 1))


def _shift(u: float, shift: float) -> float:
    return shift * u / (1 + (shift - 1) * u)


# What the turbo models were distilled on: 20 values, the union of their three grids.
TURBO_TIMESTEPS: tuple[float, ...] = tuple(
    sorted({round(t, 12) for s in TURBO_SHIFTS for t in shifted(TURBO_STEPS, s)[:-1]}, reverse=True)
)


def turbo(shift: float = 3.0) -> Grid:
    """The grid of the turbo models: always 8 steps, the shift rounded to 1, 2 or 3 (``turbo_shift``)."""
    return shifted(TURBO_STEPS, turbo_shift(shift))


def turbo_shift(shift: float) -> float:
    """The shift that a turbo model really uses; of two equally near ones the smaller."""
    return min(TURBO_SHIFTS, key=lambda allowed: abs(allowed - shift))


def custom(timesteps: Sequence[float], *, distilled: bool = False) -> Grid:
    """A grid of one's own: falling values in (0, 1]; the terminal 0 may be left out.

    For a distilled (turbo) model each is snapped to the nearest of its 20, of which no more than 20 are taken.
    """
    values = [float(t) for t in timesteps]
    while values and values[-1] == 0:
        values.pop()
    if not values:
        raise ScheduleError("A schedule needs at least one timestep above 0.")
    if any(not 0 < t <= 1 for t in values):
        raise ScheduleError("Timesteps lie above 0 and at or below 1.")
    if distilled:
        if len(values) > len(TURBO_TIMESTEPS):
            raise ScheduleError(f"A turbo model takes at most {len(TURBO_TIMESTEPS)} timesteps, not {len(values)}.")
        values = [min(TURBO_TIMESTEPS, key=lambda allowed: abs(allowed - t)) for t in values]
    if any(later > earlier for earlier, later in pairwise(values)):
        raise ScheduleError("Timesteps must fall from noise (1) towards music (0).")
    return (*values, 0.0)


def truncate(grid: Grid, t_start: float) -> Grid:
    """What is left of ``grid`` from its first t ≤ ``t_start`` on; never less than one step.

    If only the terminal 0 is left, the last positive t is kept.
    """
    if math.isnan(t_start) or t_start < 0:
        raise ScheduleError(f"t_start lies between 0 and 1, not {t_start}.")
    return grid[start_index(grid, t_start) :]


def start_index(grid: Grid, t_start: float) -> int:
    """Where ``truncate`` cuts."""
    first = next((i for i, t in enumerate(grid) if t <= t_start + SAME), len(grid) - 1)
    return min(first, len(grid) - 2)


def from_level(grid: Grid, t: float) -> Grid:
    """A grid that begins at exactly ``t`` and goes on as ``grid`` does below it.

    For a latent that is already at noise level ``t``, as a checkpoint is: nothing is left to do where t is 0.
    """
    if t <= SAME:
        return (0.0,)
    return (t, *(u for u in grid if u < t - SAME))


def nearest_start(grid: Grid, noise_strength: float) -> Grid:
    """The grid for a cover that starts from its noised source: cut at the t nearest 1 − ``noise_strength``."""
    if not 0 <= noise_strength <= 1:
        raise ScheduleError(f"The cover's noise strength lies between 0 and 1, not {noise_strength}.")
    level = 1 - noise_strength
    starts = range(len(grid) - 1)
    return grid[min(starts, key=lambda i: abs(grid[i] - level)) :]


def same(one: Grid, other: Grid) -> bool:
    """Whether two grids visit the same timesteps."""
    return len(one) == len(other) and all(abs(a - b) <= SAME for a, b in zip(one, other, strict=True))
