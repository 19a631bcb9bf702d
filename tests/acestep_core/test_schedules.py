from __future__ import annotations

from itertools import pairwise, product

import pytest

from acestep_core import schedules
from acestep_core.errors import ScheduleError

GRIDS = [schedules.shifted(n, s) for n, s in product((1, 2, 8, 27, 50), (0.5, 1.0, 3.0, 5.5))]


@pytest.mark.parametrize("grid", GRIDS, ids=len)
def test_a_grid_falls_from_noise_to_music(grid: schedules.Grid) -> None:
    assert grid[0] == 1
    assert grid[-1] == 0
    assert all(a > b for a, b in pairwise(grid))


@pytest.mark.parametrize("grid", GRIDS, ids=len)
@pytest.mark.parametrize("t", [0.0, 1e-9, 0.1, 0.31, 0.5, 0.75, 1.0, 3.0])
def test_truncating_keeps_the_first_t_at_or_below_and_always_a_step(grid: schedules.Grid, t: float) -> None:
    rest = schedules.truncate(grid, t)
    assert rest == grid[-len(rest) :]
    assert len(rest) >= 2
    below = [u for u in grid[:-1] if u <= t + schedules.SAME]
    assert rest == ((*below, 0.0) if below else grid[-2:])


@pytest.mark.parametrize("grid", GRIDS, ids=len)
def test_truncating_at_each_point_of_a_grid_keeps_that_point(grid: schedules.Grid) -> None:
    for i, t in enumerate(grid[:-1]):
        assert schedules.truncate(grid, t) == grid[i:]
        assert schedules.from_level(grid, t) == grid[i:]


def test_from_a_level_between_two_points_the_grid_begins_at_that_level() -> None:
    assert schedules.from_level((1.0, 0.5, 0.0), 0.7) == (0.7, 0.5, 0.0)
    assert schedules.from_level((1.0, 0.5, 0.0), 0.3) == (0.3, 0.0)
    assert schedules.from_level((1.0, 0.5, 0.0), 0.0) == (0.0,)


def test_turbo_rounds_the_shift_and_has_twenty_timesteps() -> None:
    assert schedules.turbo() == pytest.approx((1, 0.954545, 0.9, 0.833333, 0.75, 0.642857, 0.5, 0.3, 0), abs=1e-6)
    assert [schedules.turbo_shift(s) for s in (0.1, 1.4, 1.6, 2.4, 9.0)] == [1, 1, 2, 2, 3]
    assert len(schedules.TURBO_TIMESTEPS) == 20


def test_custom_timesteps_are_snapped_for_turbo_alone() -> None:
    assert schedules.custom([0.97, 0.5, 0]) == (0.97, 0.5, 0.0)
    assert schedules.custom([0.97, 0.49], distilled=True) == pytest.approx((0.9545454545, 0.5, 0.0))


@pytest.mark.parametrize("timesteps", [[], [0.0], [0.5, 0.6], [1.2], [float("nan")], [-0.1]])
def test_custom_timesteps_that_cannot_be_walked_are_refused(timesteps: list[float]) -> None:
    with pytest.raises(ScheduleError):
        schedules.custom(timesteps)


def test_a_noised_cover_starts_at_the_nearest_t() -> None:
    grid = schedules.shifted(6, 3.0)
    assert schedules.nearest_start(grid, 0.4)[0] == pytest.approx(0.6)
    assert schedules.nearest_start(grid, 0.0) == grid
    assert len(schedules.nearest_start(grid, 1.0)) == 2


@pytest.mark.parametrize(("steps", "shift"), [(0, 1.0), (8, 0.0), (8, float("nan"))])
def test_a_grid_needs_steps_and_a_positive_shift(steps: int, shift: float) -> None:
    with pytest.raises(ScheduleError):
        schedules.shifted(steps, shift)
