import numpy as np
import pytest

from lofi_daemon.player.gain import Fade, Volume, gain_of


def ones(frames):
    return np.ones((frames, 2), np.float32)


def faded(fade, frames):
    out = ones(frames)
    fade.apply(out)
    return out[:, 0]


def test_a_fade_is_a_raised_cosine_from_silence_to_full():
    fade = Fade(100)
    fade.aim(up=True)
    got = faded(fade, 100)
    np.testing.assert_allclose(got, 0.5 - 0.5 * np.cos(np.pi * np.arange(1, 101) / 100), atol=1e-6)
    assert got[-1] == 1.0 and fade.steps_left == 0


def test_a_fade_that_turns_round_goes_back_the_way_it_came():
    fade = Fade(100)
    fade.aim(up=True)
    up = faded(fade, 60)
    fade.aim(up=False)
    down = faded(fade, 60)
    np.testing.assert_array_equal(down[:-1], up[-2::-1])
    assert down[-1] == 0.0 and fade.silent


def test_a_fade_at_full_leaves_every_bit():
    fade = Fade(100)
    fade.aim(up=True)
    faded(fade, 100)
    assert (faded(fade, 10) == 1.0).all()


@pytest.mark.parametrize(("level", "decibel"), [(1.0, 0.0), (0.5, -18.06), (0.1, -60.0)])
def test_volume_is_cubic(level, decibel):
    assert 20 * np.log10(gain_of(level)) == pytest.approx(decibel, abs=0.01)


def test_volume_ramps_straight_to_its_new_gain_and_stays():
    volume = Volume(1.0, 100)
    volume.set(0.5)
    out = ones(150)
    volume.apply(out)
    np.testing.assert_allclose(out[:100, 0], 1 - 0.875 * np.arange(1, 101) / 100, atol=1e-6)
    assert (out[100:] == np.float32(0.125)).all()


def test_volume_set_during_a_ramp_goes_on_from_where_it_is():
    volume = Volume(0.0, 100)
    volume.set(1.0)
    first = ones(40)
    volume.apply(first)
    volume.set(0.0)
    second = ones(100)
    volume.apply(second)
    steps = np.diff(np.concatenate([first, second])[:, 0])
    assert np.abs(steps).max() <= 0.0101


def test_a_ramp_does_not_depend_on_how_it_is_cut_into_blocks():
    whole, cut = Volume(0.2, 100), Volume(0.2, 100)
    whole.set(0.9)
    cut.set(0.9)
    expected = ones(260)
    whole.apply(expected)
    got = [ones(size) for size in (1, 37, 62, 0, 160)]
    for block in got:
        cut.apply(block)
    np.testing.assert_array_equal(np.concatenate(got), expected)


def test_volume_at_one_leaves_every_bit():
    frames = np.random.default_rng(1).uniform(-1, 1, (50, 2)).astype(np.float32)
    out = frames.copy()
    Volume(1.0, 100).apply(out)
    np.testing.assert_array_equal(out, frames)
