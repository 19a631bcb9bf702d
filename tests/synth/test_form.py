"""Sections for any number of bars, and tempo for any number of seconds."""

import pytest

from lofi_daemon.backends.synth.dice import Dice
from lofi_daemon.backends.synth.form import SKELETONS, plan
from lofi_daemon.backends.synth.timing import RING_SEC, Fit, fit, rubato, steady


@pytest.mark.parametrize("unit", [4, 8])
def test_any_number_of_bars_is_filled_without_gaps(unit):
    for bars in range(1, 340):
        for seed in range(3):
            parts = plan(bars, unit, Dice(seed, "form"))
            at = 0
            for part in parts:
                assert part.first_bar == at and part.bars > 0
                at += part.bars
            assert at == bars


def test_longer_pieces_have_an_arc_and_very_long_ones_movements():
    for seed in range(20):
        half_minute = [part.name for part in plan(10, 4, Dice(seed, "form"))]
        assert half_minute[0] == "intro" and half_minute[-1] == "outro" and "A" in half_minute
        two_minutes = [part.name for part in plan(40, 4, Dice(seed, "form"))]
        assert {"intro", "A", "B", "breakdown", "outro"} <= set(two_minutes)
        ten_minutes = plan(200, 4, Dice(seed, "form"))
        assert max(part.movement for part in ten_minutes) >= 2
        assert [part.bars for part in ten_minutes if part.name == "link"] == [4] * ten_minutes[-1].movement


def test_no_section_lasts_too_long():
    for bars in (40, 75, 120, 200, 230):
        for seed in range(10):
            assert all(part.bars <= 16 for part in plan(bars, 4, Dice(seed, "form")))


def test_every_length_between_two_units_and_a_movement_has_a_skeleton():
    for units in range(2, 20):
        assert any(sum(s.least for s in k) <= units <= sum(s.most for s in k) for k in SKELETONS)


def test_a_free_tempo_moves_a_little_so_that_the_piece_ends_on_a_bar():
    for duration in (60, 93.7, 120, 240, 600):
        for bpm in (58, 71.3, 88, 118):
            fitted = fit(duration, bpm, 4, exact=False, range_bpm=(bpm, bpm))
            if fitted.bpm != bpm:
                assert abs(fitted.bpm / bpm - 1) <= 0.02
                assert fitted.bars * 240 / fitted.bpm == pytest.approx(duration)


def test_an_asked_tempo_is_kept_and_the_last_chord_takes_the_slack():
    for duration in (5, 8, 13, 30, 61.5, 240, 600):
        for bpm in (30, 47, 60, 75, 90, 120, 150):
            for beats in (3, 4):
                fitted = fit(duration, bpm, beats, exact=True, range_bpm=(70, 90))
                assert fitted.bpm == bpm
                last = ((fitted.bars - 1) * beats + fitted.cadence_beats) * 60 / bpm
                ring = duration - last
                assert min(RING_SEC, 0.3 * duration) <= ring + 1e-9
                assert ring <= RING_SEC + 2 * 60 / bpm


def test_swing_moves_the_odd_sixteenths_only():
    grid = steady(Fit(60.0, 4, 0), 4, 60.0, 16.0)
    assert [grid.seconds(step) for step in range(0, 5, 2)] == pytest.approx([0, 0.5, 1.0])
    assert grid.seconds(1) == pytest.approx(0.3)
    assert grid.seconds(1, straight=True) == pytest.approx(0.25)
    assert grid.seconds(17) == pytest.approx(4.3)


def test_rubato_breathes_within_its_depth_slows_down_at_the_end_and_ends_on_time():
    fitted = Fit(66.0, 20, 0)
    grid, tempo = rubato(fitted, 4, 73.0, depth=0.02, ritardando=0.12, phase=0.3)
    beats = [b - a for a, b in zip(grid.beat_starts, grid.beat_starts[1:], strict=False)][: 19 * 4]
    middle = 60 / tempo
    assert all(abs(beat / middle - 1) <= 0.0201 for beat in beats[:-8])
    assert max(beats[:-8]) / min(beats[:-8]) > 1.03
    assert 0.08 < beats[-1] / middle - 1 < 0.15
    assert grid.beat_starts[76] == pytest.approx(76 * 60 / 66)
