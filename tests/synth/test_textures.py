"""Crackle, rain, thunder and sea: how loud, where in the spectrum, and the same in any blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal
from support.listening import QUIET_MIX, band_energy

from lofi_daemon.backends.synth.score import Mix
from lofi_daemon.backends.synth.textures import Textures
from lofi_daemon.backends.synth.units import RATE

FRAMES = 30 * RATE
REFERENCE = 0.1


def texture(seed: int = 1, block: int = FRAMES, **asked: object) -> np.ndarray:
    mix = replace(QUIET_MIX, **asked)  # type: ignore[arg-type]
    textures = Textures(mix, seed, FRAMES, REFERENCE)
    audio = np.zeros((FRAMES, 2), np.float32)
    for start in range(0, FRAMES, block):
        textures.add(start, audio[start : start + block])
    return audio


def below_music(audio: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(audio.astype(float) ** 2)) / REFERENCE))


def pops(audio: np.ndarray) -> int:
    loud = np.abs(audio).max(axis=1)
    return len(signal.find_peaks(loud, height=loud.max() / 12, distance=400)[0])


@pytest.mark.parametrize(("name", "trim"), [("rain_db", 0.0), ("ocean_db", -2.0), ("crackle_db", -4.0)])
@pytest.mark.parametrize("db", [-12.0, -26.0])
def test_levels_are_relative_to_the_music(name: str, trim: float, db: float) -> None:
    assert below_music(texture(**{name: db})) == pytest.approx(db + trim, abs=2.0)


def test_nothing_asked_is_nothing_heard() -> None:
    assert not texture().any()


def test_each_texture_has_its_place_in_the_spectrum() -> None:
    rain = texture(rain_db=-12.0)
    assert band_energy(rain, 400, 6_000) > 0.6
    assert abs(np.corrcoef(rain.T)[0, 1]) < 0.6
    assert band_energy(texture(ocean_db=-12.0), 60, 1_500) > 0.7
    thunder = texture(thunder=True)
    assert band_energy(thunder, 20, 200) > 0.9
    assert np.array_equal(thunder[:, 0], thunder[:, 1])
    assert below_music(texture(hiss=True)) < -38


def test_more_dust_is_more_pops() -> None:
    dusty, clean = (pops(texture(crackle_db=-26.0, crackle_rate=rate)) for rate in (25.0, 6.0))
    assert dusty > 2 * clean
    assert 100 < clean < 250  # six a second, the softest uncounted


def test_no_pop_is_as_loud_as_the_music() -> None:
    """Its peaks reach about 1 where its RMS is .1."""
    assert np.abs(texture(crackle_db=-26.0)).max() < 0.25


def test_the_sea_comes_and_goes() -> None:
    seconds = np.sqrt((texture(ocean_db=-10.0).reshape(30, -1) ** 2).mean(axis=1))
    assert seconds.max() > 2.5 * seconds.min()


def test_thunder_is_rare_and_does_not_start_with_a_bang() -> None:
    thunder = np.abs(texture(seed=4, thunder=True)).max(axis=1)
    assert (thunder < 1e-4).mean() > 0.5
    assert np.abs(np.diff(thunder)).max() < 0.02


@pytest.mark.parametrize("block", [7_000, 32_768])
def test_blocks_do_not_matter(block: int) -> None:
    asked = {"rain_db": -12.0, "ocean_db": -15.0, "crackle_db": -26.0, "hiss": True, "thunder": True}
    assert np.allclose(texture(**asked), texture(block=block, **asked), atol=1e-7)


def test_every_seed_has_its_own_weather() -> None:
    for asked in (Mix(rain_db=-12.0), Mix(crackle_db=-20.0), Mix(ocean_db=-12.0)):
        one, other = np.zeros((RATE, 2), np.float32), np.zeros((RATE, 2), np.float32)
        Textures(asked, 1, RATE, REFERENCE).add(0, one)
        Textures(asked, 2, RATE, REFERENCE).add(0, other)
        assert not np.array_equal(one, other)
