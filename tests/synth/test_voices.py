"""Each instrument alone: in tune, without a click, soft when played softly, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from support.listening import band_energy, centroid, pitch_of

from lofi_daemon.backends.synth.score import Note
from lofi_daemon.backends.synth.units import RATE, hertz
from lofi_daemon.backends.synth.voices.bank import INSTRUMENTS, NoteBank, key_of

STRUCK = [name for name, instrument in INSTRUMENTS.items() if instrument.struck]
HELD = [name for name, instrument in INSTRUMENTS.items() if instrument.held]
DRUMS = [name for name, instrument in INSTRUMENTS.items() if instrument.hit]
LOW = ("upright", "sub")


def note(voice: str, pitch: int = 60, velocity: float = 0.7, length: float = 2.0, take: int = 0) -> np.ndarray:
    return NoteBank().get(key_of(Note(0.0, length, pitch, velocity, voice), take, 0))  # type: ignore[arg-type]


@pytest.mark.parametrize("voice", [*STRUCK, *HELD])
def test_pitched_voices_are_in_tune(voice: str) -> None:
    for pitch in (28, 36, 45) if voice in LOW else (50, 62, 76):
        heard = pitch_of(note(voice, pitch)[int(0.1 * RATE) :], hertz(pitch))
        cents = 1200 * np.log2(heard / hertz(pitch))
        assert abs(cents) < (9 if voice in HELD else 4), (pitch, cents)


@pytest.mark.parametrize("voice", [*STRUCK, *DRUMS])
def test_a_note_begins_without_a_click(voice: str) -> None:
    sound = note(voice, 36 if voice in LOW else 64, 1.0)
    assert sound[0] == 0
    # The first tenth of a millisecond holds nearly nothing, however hard the blow.
    assert np.abs(sound[:5]).max() < 0.12 * np.abs(sound).max()


@pytest.mark.parametrize("voice", DRUMS)
def test_a_hit_ends_in_silence(voice: str) -> None:
    sound = note(voice)
    assert abs(sound[-1]) < 1e-6
    assert np.abs(sound[-20:]).max() < 0.01


@pytest.mark.parametrize("voice", HELD)
def test_a_held_voice_is_a_loop_without_a_seam(voice: str) -> None:
    loop = note(voice, 57)
    steps = np.abs(np.diff(loop))
    assert abs(loop[0] - loop[-1]) <= steps.max()


@pytest.mark.parametrize("voice", [*STRUCK, *HELD])
@pytest.mark.parametrize("velocity", [0.1, 0.5, 1.0])
def test_pitched_voices_come_at_one_level(voice: str, velocity: float) -> None:
    """Velocity is timbre here; loudness is the mixer's."""
    sound = note(voice, 36 if voice in LOW else 60, velocity)
    heard = sound if voice in HELD else sound[: int(0.4 * RATE)]
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("voice", ["rhodes", "felt", "bells", "guitar", "upright", "pad", "strings", "snare"])
def test_a_harder_blow_is_brighter(voice: str) -> None:
    pitch = 36 if voice in LOW else 60
    assert centroid(note(voice, pitch, 1.0)) > 1.05 * centroid(note(voice, pitch, 0.2))


@pytest.mark.parametrize("voice", STRUCK)
def test_a_struck_note_dies_away_and_holds_no_dc(voice: str) -> None:
    sound = note(voice, 36 if voice in LOW else 60, 0.8, 2.5)
    tenth = len(sound) // 10
    assert np.abs(sound[-tenth:]).max() < (0.95 if voice == "sub" else 0.5) * np.abs(sound[:tenth]).max()
    assert abs(sound.mean()) < 1e-3


def test_high_notes_die_sooner_than_low_ones() -> None:
    for voice in ("rhodes", "felt", "guitar"):
        low, high = (np.abs(note(voice, pitch)[int(1.2 * RATE) : int(1.6 * RATE)]).max() for pitch in (50, 79))
        assert high < low, voice


def test_the_kit_covers_the_spectrum() -> None:
    assert band_energy(note("kick"), 30, 150) > 0.8
    assert band_energy(note("snare"), 150, 5_000) > 0.7
    assert band_energy(note("hat"), 5_000, 20_000) > 0.8
    assert band_energy(note("open_hat"), 5_000, 20_000) > 0.8
    assert band_energy(note("shaker"), 2_500, 12_000) > 0.8
    assert band_energy(note("ride"), 2_000, 16_000) > 0.8
    assert band_energy(note("rim"), 300, 6_000) > 0.8
    assert band_energy(note("clap"), 500, 6_000) > 0.8
    assert len(note("open_hat")) > 2 * len(note("hat"))


@pytest.mark.parametrize("voice", ["snare", "hat", "shaker", "clap", "brush", "ride"])
def test_successive_hits_differ(voice: str) -> None:
    """The same hit over and over sounds like a machine gun."""
    takes = [note(voice, take=take) for take in range(3)]
    assert not np.array_equal(takes[0], takes[1])
    assert not np.array_equal(takes[1], takes[2])


@pytest.mark.parametrize("voice", sorted(INSTRUMENTS))
@pytest.mark.parametrize("velocity", [0.0, 0.01, 1.0, 1.5])
def test_no_velocity_pitch_or_length_makes_nonsense(voice: str, velocity: float) -> None:
    for pitch in (0, 21, 60, 108, 127):
        for length in (0.0, 0.01, 30.0):
            sound = note(voice, pitch, velocity, length)
            assert np.isfinite(sound).all()
            assert np.abs(sound).max() < 4
            assert np.abs(sound).max() > 0 or pitch == 127


def test_a_kept_note_equals_a_fresh_one_whatever_came_before() -> None:
    keys = [
        key_of(Note(0, length, pitch, velocity, voice), 0, 25 if voice in DRUMS else 0)
        for voice in INSTRUMENTS
        for pitch, velocity, length in ((48, 0.4, 0.5), (60, 0.9, 1.7))
    ]
    forwards, backwards = NoteBank(), NoteBank()
    first = [forwards.get(key).copy() for key in keys]
    second = [backwards.get(key).copy() for key in reversed(keys)][::-1]
    for key, one, other in zip(keys, first, second, strict=True):
        assert np.array_equal(one, other), key
        assert np.array_equal(forwards.get(key), one), key


def test_what_is_kept_cannot_be_changed() -> None:
    sound = NoteBank().get(key_of(Note(0, 1, 60, 0.5, "felt"), 0, 0))
    with pytest.raises(ValueError, match="read-only"):
        sound[0] = 1


def test_the_bank_forgets_the_oldest_when_full() -> None:
    keys = [key_of(Note(0, 1.0, pitch, 0.5, "sub"), 0, 0) for pitch in range(28, 38)]
    size = NoteBank().get(keys[0]).nbytes
    bank = NoteBank(budget_bytes=3 * size)
    for key in keys:
        bank.get(key)
    assert keys[-1] in bank
    assert keys[0] not in bank
    assert len(bank) <= 3
    assert bank.clear()
    assert not bank.clear()
    assert len(bank) == 0
