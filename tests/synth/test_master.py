"""The last stage on its own: loudness, peaks and ends of whatever comes in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from lofi_daemon.audio.loudness import integrated_lufs
from lofi_daemon.backends.base import GenerationCancelled
from lofi_daemon.backends.synth.master import master
from lofi_daemon.backends.synth.units import RATE


def programme(seconds: float = 20.0, level: float = 0.1, spikes: float = 0.0, seed: int = 1) -> np.ndarray:
    """Pink-ish noise with a pulse, and short spikes that need a limiter."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE)
    noise = signal.lfilter([0.05], [1, -0.95], rng.normal(0, 1, (frames, 2)), axis=0)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 1.3 * np.arange(frames) / RATE)
    audio = level * noise * swell[:, None] / noise.std()
    for at in rng.integers(0, frames - 400, int(2 * seconds)) if spikes else ():
        audio[at : at + 400] += spikes * np.hanning(400)[:, None] * np.sin(np.arange(400) * 1.9)[:, None]
    return audio.astype(np.float32)


def someone_elses_peak(audio: np.ndarray, times: int) -> float:
    return float(20 * np.log10(np.abs(signal.resample_poly(audio.astype(float), times, 1, axis=0)).max()))


@pytest.mark.parametrize("level", [3e-3, 0.03, 0.4, 5.0])
@pytest.mark.parametrize("spikes", [0.0, 0.7])
@pytest.mark.parametrize("seconds", [5.0, 21.3])
def test_any_level_comes_out_at_minus_sixteen_and_below_the_ceiling(
    level: float, spikes: float, seconds: float
) -> None:
    audio = programme(seconds, level, spikes * level * 10)
    reached = master(audio)
    assert reached.lufs == pytest.approx(-16.0, abs=0.3)
    assert integrated_lufs(audio, RATE) == pytest.approx(reached.lufs, abs=0.02)
    in_file = np.round(audio * 32_767) / 32_768
    for times in (4, 8):
        assert someone_elses_peak(in_file, times) <= -1.0
    assert someone_elses_peak(audio, 4) == pytest.approx(reached.true_peak_db, abs=0.25)


def test_the_ends_are_faded_and_the_last_sample_is_zero() -> None:
    audio = np.full((10 * RATE, 2), 0.1, np.float32)
    audio *= np.sign(np.sin(np.arange(len(audio)) * 0.1))[:, None]
    master(audio)
    assert np.abs(audio[0]).max() < 1e-4
    assert np.abs(audio[: RATE // 200]).max() < 0.6 * np.abs(audio[RATE]).max()
    assert np.abs(audio[-1]).max() == 0
    assert np.abs(audio[-RATE // 10 :]).max() < 0.02 * np.abs(audio).max()


def test_the_limiter_does_not_distort_what_is_below_the_ceiling() -> None:
    """One spike: two seconds later nothing is left of the gain reduction."""
    calm, spiked = programme(level=0.08), programme(level=0.08)
    at = 10 * RATE
    spiked[at : at + 200] += (1.5 * np.hanning(200))[:, None].astype(np.float32)
    master(calm)
    master(spiked)
    later = slice(12 * RATE, 17 * RATE)
    ratio = np.std(spiked[later]) / np.std(calm[later])
    assert ratio == pytest.approx(1, abs=0.03)
    assert np.allclose(spiked[later], calm[later] * ratio, atol=1e-3)
    assert np.abs(spiked).max() < 0.9


def test_gain_moves_without_steps() -> None:
    frames = 6 * RATE
    bass = 0.2 * np.sin(2 * np.pi * 60 * np.arange(frames) / RATE)
    audio = np.repeat(bass[:, None], 2, axis=1).astype(np.float32)
    audio[3 * RATE : 3 * RATE + 300] += (2 * np.hanning(300))[:, None].astype(np.float32)
    master(audio)
    for outside in (audio[RATE : 3 * RATE - 10], audio[3 * RATE + 310 : 4 * RATE]):
        assert np.abs(np.diff(outside, axis=0)).max() < 0.01


def test_silence_stays_silence() -> None:
    audio = np.zeros((5 * RATE, 2), np.float32)
    reached = master(audio)
    assert reached.lufs is None
    assert reached.true_peak_db == float("-inf")
    assert not audio.any()


def test_softness_can_be_kept() -> None:
    hiss = programme(level=0.001)
    assert master(hiss, raise_level=False).lufs < -50  # type: ignore[operator]
    loud = programme(level=0.5)
    assert master(loud, raise_level=False).lufs == pytest.approx(-16.0, abs=0.3)


def test_stems_get_the_gain_of_the_mix() -> None:
    one, other = programme(spikes=0.8), programme(level=0.05, seed=2)
    mix = one + other
    master(mix, companions=(one, other))
    assert np.abs(one + other - mix).max() < 1e-5


def test_mastering_can_be_given_up() -> None:
    def give_up() -> None:
        raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        master(programme(5), step=give_up)
