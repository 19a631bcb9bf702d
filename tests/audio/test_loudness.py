"""Signals of EBU Tech 3341 and 3342, whose loudness is known."""

from __future__ import annotations

import numpy as np
import pytest

from lofi_daemon.audio.loudness import (
    integrated_lufs,
    loudness_range,
    lufs_to_power,
    true_peak_dbtp,
    weighted_power,
)
from lofi_daemon.backends.base import GenerationCancelled


def tone(parts: list[tuple[float, float]], rate: int = 48_000, hz: float = 997.0, channels: int = 2) -> np.ndarray:
    """A sine whose peak follows (dBFS, seconds) pairs."""
    level = np.concatenate([np.full(int(seconds * rate), 10 ** (db / 20)) for db, seconds in parts])
    wave = level * np.sin(2 * np.pi * hz * np.arange(len(level)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("db", [-23.0, -33.0])
def test_a_stereo_sine_reads_its_level_at_any_rate(rate: int, db: float) -> None:
    assert integrated_lufs(tone([(db, 20)], rate), rate) == pytest.approx(db, abs=0.1)


def test_one_channel_is_half_the_power_of_two() -> None:
    assert integrated_lufs(tone([(-23.0, 10)], channels=1), 48_000) == pytest.approx(-26.0, abs=0.1)


@pytest.mark.parametrize(
    "parts",
    [
        [(-36, 10), (-23, 60), (-36, 10)],  # 3341 case 3: the relative gate
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],  # case 4: both gates
        [(-26, 20), (-20, 20.1), (-26, 20)],  # case 5: what the gates leave in
    ],
)
def test_quiet_passages_are_gated_as_the_standard_says(parts: list[tuple[float, float]]) -> None:
    assert integrated_lufs(tone(parts), 48_000) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(("hz", "gain"), [(40.0, -5.5), (100.0, -1.1), (3_000.0, 3.3), (10_000.0, 4.0)])
def test_the_weighting_hears_treble_louder_than_bass(hz: float, gain: float) -> None:
    """Of the K curve relative to 997 Hz, where it is +.7 dB; the figures are from the standard's plots."""
    heard = integrated_lufs(tone([(-23.0, 10)], hz=hz), 48_000)
    assert heard == pytest.approx(-23.0 + gain - 0.7, abs=0.8)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
)
def test_loudness_range(parts: list[tuple[float, float]], expected: float) -> None:
    assert loudness_range(tone(parts), 48_000) == pytest.approx(expected, abs=1.0)


def test_silence_and_snippets_have_no_loudness() -> None:
    assert integrated_lufs(np.zeros((48_000, 2), np.float32), 48_000) is None
    assert integrated_lufs(tone([(-20, 0.3)]), 48_000) is None
    assert integrated_lufs(np.zeros((0, 2), np.float32), 48_000) is None
    assert loudness_range(np.zeros((48_000, 2), np.float32), 48_000) == 0
    assert true_peak_dbtp(np.zeros((48_000, 2), np.float32)) == float("-inf")
    assert true_peak_dbtp(np.zeros((0, 2), np.float32)) == float("-inf")


@pytest.mark.parametrize(("divisor", "degrees"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_true_peak_sees_between_the_samples(divisor: int, degrees: float) -> None:
    """3341 cases 15 to 18: a sine of −6 dBFS whose samples miss its crests."""
    n = np.arange(48_000)
    wave = 0.5 * np.sin(2 * np.pi * n / divisor + np.radians(degrees))
    wave *= np.minimum(1, np.minimum(n, n[::-1]) / 2_000)
    assert true_peak_dbtp(wave.astype(np.float32)[:, None]) == pytest.approx(-6.02, abs=0.2)


@pytest.mark.parametrize("at", [0, 100, 8_191, 8_192, 20_000, 48_000 - 40])
def test_true_peak_finds_a_crest_wherever_it_lies(at: int) -> None:
    quiet = tone([(-40, 1)])
    quiet[at : at + 24, 1] += (0.7 * np.hanning(24)).astype(np.float32)
    assert true_peak_dbtp(quiet) == pytest.approx(-3.05, abs=0.2)


def test_loudness_does_not_depend_on_where_blocks_begin() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (48_000 * 6, 2)).astype(np.float32)
    whole = integrated_lufs(noise, 48_000)
    again = integrated_lufs(np.concatenate([noise[4_800 * 7 :], noise[: 4_800 * 7]]), 48_000)
    assert whole == pytest.approx(again, abs=0.02)


def test_power_of_a_spectrum_is_the_power_of_the_sound() -> None:
    block = tone([(-23.0, 65_536 / 44_100)], 44_100)[:, 0]
    power = 2 * weighted_power(np.fft.rfft(block), len(block), 44_100) / len(block)
    assert power == pytest.approx(lufs_to_power(-23.0), rel=0.03)


def test_a_long_measurement_can_be_given_up() -> None:
    def give_up() -> None:
        raise GenerationCancelled

    audio = tone([(-23.0, 5)])
    with pytest.raises(GenerationCancelled):
        integrated_lufs(audio, 48_000, step=give_up)
    with pytest.raises(GenerationCancelled):
        true_peak_dbtp(audio, step=give_up)
