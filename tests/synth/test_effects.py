"""The desk's effects, one by one, on signals whose result is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal
from support.listening import pitch_of

from lofi_daemon.backends.synth.effects import filters
from lofi_daemon.backends.synth.effects.convolver import BLOCK, SIZE, OverlapAdd, Partitioned, spectrum
from lofi_daemon.backends.synth.effects.duck import Duck
from lofi_daemon.backends.synth.effects.reverb import impulse_response
from lofi_daemon.backends.synth.effects.rider import ride
from lofi_daemon.backends.synth.effects.sweep import Sweep
from lofi_daemon.backends.synth.effects.tape import Transport, gain_between, saturate
from lofi_daemon.backends.synth.score import Note, Section
from lofi_daemon.backends.synth.units import RATE


def sine(hz: float, frames: int, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(frames) / RATE)).astype(np.float32)


def noise(frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, frames).astype(np.float32)


def through(sweep: Sweep, audio: np.ndarray) -> np.ndarray:
    silence = np.zeros(BLOCK, np.float32)
    blocks = [
        sweep.push(start, audio[start : start + BLOCK], silence.copy())[0] for start in range(0, len(audio), BLOCK)
    ]
    return np.concatenate(blocks)


@pytest.mark.parametrize("hz", [100.0, 1_000.0, 8_000.0])
def test_filters_are_three_decibels_down_at_their_corner(hz: float) -> None:
    at = round(hz * SIZE / RATE)
    for response in (filters.lowpass(SIZE, hz), filters.highpass(SIZE, hz)):
        assert 20 * np.log10(abs(response[at])) == pytest.approx(-3.0, abs=0.1)
    assert abs(filters.lowpass(SIZE, hz)[0]) == pytest.approx(1, abs=1e-4)
    assert abs(filters.highpass(SIZE, hz)[0]) < 1e-6
    bell = filters.peaking(SIZE, hz, -4.0, 0.7)
    assert 20 * np.log10(abs(bell[at])) == pytest.approx(-4.0, abs=0.1)


def test_filters_are_causal() -> None:
    """Before-ringing would wrap round the FFT and sound two thirds of a second late."""
    for response in (
        filters.lowpass(SIZE, 1_500),
        filters.highpass(SIZE, 28),
        filters.peaking(SIZE, 230, -1.2, 0.7),
    ):
        impulse = np.fft.irfft(response, SIZE)
        assert np.abs(impulse[SIZE // 2 :]).max() < 1e-6


def test_partitioned_convolution_equals_the_direct_one() -> None:
    audio, response = noise(4 * BLOCK), noise(2 * BLOCK + 777, seed=2) * np.float32(0.1)
    reverb, back = Partitioned([response, response[::-1].copy()]), (OverlapAdd(), OverlapAdd())
    made: list[list[np.ndarray]] = [[], []]
    for start in range(0, len(audio), BLOCK):
        totals = [np.zeros(SIZE // 2 + 1, np.complex64) for _ in range(2)]
        reverb.push(spectrum(audio[start : start + BLOCK]), totals)
        for channel, total in enumerate(totals):
            made[channel].append(back[channel].push(total))
    for blocks, kernel in zip(made, (response, response[::-1]), strict=True):
        direct = signal.fftconvolve(audio.astype(float), kernel.astype(float))[: len(audio)]
        assert np.abs(np.concatenate(blocks) - direct).max() < 1e-5 * np.abs(direct).max() + 1e-6


def test_an_open_sweep_changes_nothing() -> None:
    audio = noise(3 * BLOCK)
    assert np.array_equal(through(Sweep([Section("A", 0, 1, 0.0, 99.0)]), audio), audio)
    assert np.array_equal(through(Sweep([]), audio), audio)


def test_a_still_sweep_is_a_plain_low_pass() -> None:
    audio = noise(3 * BLOCK)
    section = Section("A", 0, 1, 0.0, 99.0, lowpass_start_hz=1_200, lowpass_end_hz=1_200)
    made = through(Sweep([section]), audio)
    impulse = np.fft.irfft(filters.lowpass(SIZE, 1_200), SIZE)[:BLOCK]
    expected = signal.fftconvolve(audio, impulse)[: len(audio)]
    assert np.abs(made - expected).max() < 1e-5


def test_a_sweep_opens_as_time_goes_by_and_leaves_lows_alone() -> None:
    frames = 6 * BLOCK
    seconds = frames / RATE
    opening = [
        Section("breakdown", 0, 1, 0.0, seconds / 2, lowpass_start_hz=400, lowpass_end_hz=9_000),
        Section("A", 1, 1, seconds / 2, seconds),
    ]
    high = through(Sweep(opening), sine(4_000, frames))
    early, late = np.abs(high[: RATE // 4]).max(), np.abs(high[-RATE // 4 :]).max()
    assert early < 0.05 < 0.45 < late
    low = through(Sweep(opening), sine(80, frames))
    assert np.abs(np.diff(low)).max() < 1.1 * np.abs(np.diff(sine(80, frames))).max()


@pytest.mark.parametrize(("space", "t60"), [("room", 0.8), ("plate", 1.6), ("ambient", 2.6)])
def test_the_reverb_decays_in_its_time(space: str, t60: float) -> None:
    mid, side = impulse_response(space, 1.0, 20_000.0, 20.0)  # type: ignore[arg-type]
    sos = signal.butter(2, (400, 1_200), "band", fs=RATE, output="sos")
    tail = signal.sosfilt(sos, mid.astype(float)) ** 2
    schroeder = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum() + 1e-12)
    five, twenty_five = (int(np.argmax(schroeder < level)) / RATE for level in (-5, -25))
    assert 3 * (twenty_five - five) == pytest.approx(t60, rel=0.2)
    played = np.abs(np.fft.rfft(mid, 2**18)[2_000:12_000]) ** 2
    assert np.mean(played) == pytest.approx(1, abs=0.1)
    assert abs(np.corrcoef(mid + side, mid - side)[0, 1]) < 0.35
    assert abs(mid[-1]) < 1e-6


def test_a_longer_reverb_is_longer() -> None:
    def late(scale: float) -> float:
        mid, _ = impulse_response("plate", scale, 8_000.0)
        return float(np.sum(mid[int(1.2 * RATE) :] ** 2) / np.sum(mid**2))

    assert late(0.5) < late(1.0) < late(1.5)


def test_the_kick_ducks_and_lets_go() -> None:
    duck = Duck([Note(0.5, 0.1, 0, 1.0, "kick"), Note(1.0, 0.1, 0, 0.5, "kick")], 0.6)
    gain = duck.gain(0, 2 * RATE)
    assert gain is not None
    assert gain[int(0.45 * RATE)] == 1
    assert gain[round(0.5 * RATE) : round(0.51 * RATE)].min() == pytest.approx(0.4, abs=0.01)
    assert gain[int(1.005 * RATE)] == pytest.approx(0.7, abs=0.03)
    assert gain[-1] > 0.98
    assert np.abs(np.diff(gain)).max() < 0.01


def test_ducking_is_the_same_in_any_blocks() -> None:
    duck = Duck([Note(0.2, 0.1, 0, 0.9, "kick"), Note(0.8, 0.1, 0, 0.9, "kick")], 0.35)
    whole = duck.gain(0, 3 * RATE)
    ones = np.ones(1_000, np.float32)
    parts = [part if (part := duck.gain(start, 1_000)) is not None else ones for start in range(0, 3 * RATE, 1_000)]
    assert np.array_equal(np.concatenate(parts)[: 3 * RATE], whole)
    assert Duck([], 0.5).gain(0, 100) is None
    assert Duck([Note(0, 1, 0, 1.0, "kick")], 0.0).gain(0, 100) is None


def test_tape_leaves_soft_sounds_alone_and_rounds_loud_ones() -> None:
    loud = np.linspace(-3, 3, 20_001, dtype=np.float32)
    rounded = saturate(loud, 1.0)
    assert np.abs(rounded[9_900:10_101] - loud[9_900:10_101]).max() < 1e-4
    assert np.abs(rounded).max() <= 1 / 1.25 + 1e-6
    assert (np.diff(rounded) >= 0).all()
    assert np.array_equal(saturate(loud, 0.0), loud)
    assert np.allclose(loud * gain_between(loud, rounded), rounded, atol=1e-6)


def test_wow_bends_the_pitch_a_little_but_not_the_time() -> None:
    frames = 8 * BLOCK
    stereo = np.repeat(sine(3_000, frames)[:, None], 2, axis=1).copy()
    transport = Transport(1, 1.0, frames)
    for start in range(0, frames, BLOCK):
        transport.push(start, stereo[start : start + BLOCK])
    heard = [pitch_of(stereo[at : at + 8_192, 0], 3_000) for at in range(8_192, frames - 8_192, 8_192)]
    bend = np.ptp(heard) / 3_000
    assert 0.001 < bend < 0.008
    assert np.mean(heard) == pytest.approx(3_000, rel=5e-4)
    assert np.array_equal(stereo[:, 0], stereo[:, 1])
    # Interpolation costs a 3 kHz tone neither level nor purity.
    assert np.abs(stereo[2_000:]).max() == pytest.approx(0.5, abs=0.005)


def test_wow_is_the_same_in_any_blocks() -> None:
    whole = np.stack([noise(4 * BLOCK), noise(4 * BLOCK, 2)], axis=1)
    parts = whole.copy()
    Transport(3, 1.5, len(whole)).push(0, whole)
    transport = Transport(3, 1.5, len(parts))
    for start in range(0, len(parts), 6_400):
        transport.push(start, parts[start : start + 6_400])
    assert np.array_equal(whole, parts)


def test_a_perfect_machine_does_nothing() -> None:
    audio = np.stack([noise(BLOCK), noise(BLOCK, 2)], axis=1)
    played = audio.copy()
    Transport(1, 0.0, BLOCK).push(0, played)
    assert np.array_equal(audio, played)


def test_the_rider_lifts_soft_passages_and_keeps_their_order() -> None:
    decibels = np.repeat([-30.0, -16.0, -20.0, -23.0, -12.0], 12)
    gains = 20 * np.log10(ride(10 ** (decibels / 10)))
    ridden = (decibels + (gains[:-1] + gains[1:]) / 2)[6::12]
    assert ridden[0] > -30 + 3
    assert ridden[0] < ridden[3] < ridden[2] - 1.5 < ridden[1] < ridden[4]
    assert np.abs(np.diff(gains)).max() < 4
    assert np.array_equal(ride(np.zeros(5)), np.ones(6))
    assert np.isfinite(ride(np.array([0, 0, 1.0, 0]))).all()
