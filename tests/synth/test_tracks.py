"""Whole tracks, measured by ear-like means: what was asked must be in the audio, not only in the score."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import signal
from support.listening import (
    band_energy,
    bass_correlation,
    centroid,
    hum,
    key_of,
    largest_step,
    onset_envelope,
    tempo,
    undrummed,
)

from lofi_daemon.audio.loudness import integrated_lufs, loudness_range
from lofi_daemon.backends.synth.composer import compose
from lofi_daemon.backends.synth.keyscale import PARENT_MAJOR
from lofi_daemon.backends.synth.render import Mastered, render
from lofi_daemon.backends.synth.score import Score
from lofi_daemon.backends.synth.units import RATE
from lofi_daemon.backends.synth.voices.bank import NoteBank

BANK = NoteBank()

TRACKS = {
    "chillhop": ("chillhop beat to study, vinyl", 60.0, 11),
    "jazzhop": ("jazzhop with rhodes and upright bass", 60.0, 12),
    "boom bap": ("90s boom bap, dusty", 60.0, 13),
    "house": ("lofi house, 118 bpm", 60.0, 14),
    "ambient": ("ambient space drift", 60.0, 15),
    "ballad": ("sad piano ballad", 60.0, 16),
}
DRUMMED = ("chillhop", "jazzhop", "boom bap", "house")


@cache
def track(name: str) -> tuple[Score, Mastered]:
    return heard(*TRACKS[name])


@cache
def heard(prompt: str, seconds: float = 20.0, seed: int = 5) -> tuple[Score, Mastered]:
    score = compose(prompt, seconds, seed)
    return score, render(score, bank=BANK)


def audio(prompt: str, seconds: float = 20.0, seed: int = 5) -> np.ndarray:
    return heard(prompt, seconds, seed)[1].audio


def beats(sound: np.ndarray) -> float:
    """Onsets a second as sharp as a drum's; a piano chord reaches half of this."""
    peaks, _ = signal.find_peaks(onset_envelope(sound), height=20, distance=12)
    return len(peaks) / (len(sound) / RATE)


@pytest.mark.parametrize("name", TRACKS)
def test_loudness_peak_and_level_contrast(name: str) -> None:
    _, made = track(name)
    assert integrated_lufs(made.audio, RATE) == pytest.approx(-16.0, abs=0.3)
    assert made.lufs == pytest.approx(-16.0, abs=0.3)
    in_file = np.round(made.audio.astype(float) * 32_767) / 32_768
    assert 20 * np.log10(np.abs(signal.resample_poly(in_file, 4, 1, axis=0)).max()) <= -1.0
    assert 2.0 <= loudness_range(made.audio, RATE) <= 12.0


@pytest.mark.parametrize("name", TRACKS)
def test_balance_of_the_spectrum(name: str) -> None:
    _, made = track(name)
    assert 0.02 < band_energy(made.audio, 20, 80) < 0.35
    assert 0.3 < band_energy(made.audio, 80, 400) < 0.75
    assert 0.12 < band_energy(made.audio, 400, 6_000) < 0.6
    if name in DRUMMED:
        assert 0.0005 < band_energy(made.audio, 6_000, 22_000) < 0.03


@pytest.mark.parametrize("name", TRACKS)
def test_the_bass_is_mono_and_the_rest_is_not(name: str) -> None:
    _, made = track(name)
    assert bass_correlation(made.audio) > 0.95
    sos = signal.butter(4, 300, "high", fs=RATE, output="sos")
    assert np.corrcoef(signal.sosfilt(sos, made.audio, axis=0).T)[0, 1] < 0.98
    assert np.abs(made.audio.mean(axis=0)).max() < 1e-4


@pytest.mark.parametrize("name", TRACKS)
def test_ends_are_clean(name: str) -> None:
    _, made = track(name)
    assert np.abs(made.audio[0]).max() < 1e-4
    assert not made.audio[-1].any()
    level = np.sqrt((made.audio[: 59 * RATE].reshape(59 * 20, -1) ** 2).mean(axis=1))
    assert level[:6].max() > 1e-3, "more than .3 s of silence before the music"
    tail = np.abs(made.audio[-round(0.6 * RATE) :]).max()
    assert tail > 1e-3, "more than .6 s of silence after it"
    assert np.abs(made.audio[-round(0.05 * RATE) :]).max() < 0.01


@pytest.mark.parametrize("name", DRUMMED)
def test_the_tempo_is_heard_within_one_percent(name: str) -> None:
    score, made = track(name)
    assert tempo(made.audio, score.bpm) == pytest.approx(score.bpm, rel=0.01)


@pytest.mark.parametrize("bpm", [64, 75, 93, 121])
def test_an_asked_tempo_is_heard(bpm: int) -> None:
    score = compose("boom bap", 60.0, bpm, bpm=bpm)
    made = render(score, bank=BANK).audio
    folded = [tempo(made, near) for near in (bpm / 2, bpm, 2 * bpm)]
    assert min(abs(np.log2(found / bpm) - round(np.log2(found / bpm))) for found in folded) < np.log2(1.01)


@pytest.mark.parametrize("keyscale", ["C major", "D minor", "F# minor", "Ab major", "E dorian"])
@pytest.mark.parametrize("prompt", ["chillhop", "piano ballad"])
def test_an_asked_key_is_heard_up_to_its_relative(prompt: str, keyscale: str) -> None:
    score = compose(prompt, 45.0, 21, keyscale=keyscale)
    tonic, mode = key_of(render(score, bank=BANK).audio)
    parent = (tonic + (0 if mode == "major" else 3)) % 12
    asked = (score.tonic + PARENT_MAJOR[score.mode]) % 12
    assert parent == asked


@pytest.mark.parametrize("name", TRACKS)
def test_no_clicks_at_starts_joins_or_ends(name: str) -> None:
    """A step of .01 in the middle of a chord raises what is heard above 10 kHz to −51 dBFS."""
    score, _ = track(name)
    music = render(undrummed(score), bank=BANK).audio
    plucked = any(note.voice == "guitar" for notes in score.layers.values() for note in notes)
    assert largest_step(music) < (0.25 if plucked else 0.16)
    assert hum(music) < (-40 if plucked else -52)


def test_a_click_would_be_noticed() -> None:
    score, _ = track("ballad")
    music = render(undrummed(score), bank=BANK).audio.copy()
    music[20 * RATE :] += 0.01
    assert hum(music[: 40 * RATE]) > -52


def test_two_seeds_are_two_pieces() -> None:
    for prompt in ("chillhop", "piano ballad"):
        one, other = audio(prompt, seed=5), audio(prompt, seed=6)
        assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.5


def test_rain_is_heard_in_the_rain() -> None:
    dry, wet = audio("chillhop, clean"), audio("chillhop, clean, rain")
    quiet = slice(RATE // 2, RATE * 2)
    assert band_energy(wet[quiet], 2_000, 8_000) > 3 * band_energy(dry[quiet], 2_000, 8_000)


def test_vinyl_crackles() -> None:
    clean, dusty = audio("piano ballad, clean"), audio("piano ballad, dusty vinyl crackle")
    assert hum(dusty, 6_000) > hum(clean, 6_000) + 10


def test_no_drums_means_no_drums() -> None:
    with_drums, without = audio("boom bap, vinyl off, clean"), audio("boom bap, no drums, clean")
    assert beats(with_drums) > 1
    assert beats(without) < 0.1
    assert band_energy(without, 6_000, 20_000) < 0.2 * band_energy(with_drums, 6_000, 20_000)


def test_dark_is_darker_than_bright() -> None:
    assert centroid(audio("chillhop, dark and hazy")) < 0.85 * centroid(audio("chillhop, bright and sunny"))


def test_styles_are_far_apart() -> None:
    rates = {name: beats(track(name)[1].audio) for name in TRACKS}
    for drummed in DRUMMED:
        for calm in ("ambient", "ballad"):
            assert rates[drummed] > 1.5 * rates[calm], (drummed, calm)
    assert centroid(track("ambient")[1].audio) < centroid(track("boom bap")[1].audio)


@pytest.mark.parametrize("seconds", [5.0, 8.0, 13.0])
@pytest.mark.parametrize("prompt", ["lofi house", "sad piano ballad", "dusty jazz"])
def test_short_pieces_are_whole(prompt: str, seconds: float) -> None:
    _, made = heard(prompt, seconds)
    assert len(made.audio) == round(seconds * RATE)
    assert made.lufs == pytest.approx(-16.0, abs=0.5)
    assert np.isfinite(made.audio).all()
    assert not made.audio[-1].any()
