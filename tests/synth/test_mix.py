"""The desk: what its faders, pans, sends and side-chain do to notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.listening import QUIET_MIX, band_energy, bass_correlation, largest_step, piece

from lofi_daemon.backends.synth.effects.convolver import BLOCK
from lofi_daemon.backends.synth.mix import GROUPS, Group, mix_music
from lofi_daemon.backends.synth.score import Mix, Note, Score, Section
from lofi_daemon.backends.synth.units import RATE
from lofi_daemon.backends.synth.voices.bank import NoteBank

DRY = replace(QUIET_MIX, lowpass_hz=18_000.0)


def mixed(score: Score, *groups: Group) -> np.ndarray:
    """Left and right, before tape and master."""
    frames = round(score.duration * RATE)
    blocks = list(mix_music(score, NoteBank(), frames, groups or GROUPS))
    mid, side = (np.concatenate([getattr(block, name) for block in blocks])[:frames] for name in ("mid", "side"))
    return np.stack([mid + side, mid - side], axis=1)


def level(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(audio.astype(float) ** 2) + 1e-20))


CHORD = tuple(Note(0.2, 3.0, pitch, 0.6, "rhodes") for pitch in (53, 57, 60, 64, 67))


def test_groups_mixed_alone_add_up_to_the_mix() -> None:
    score = piece(
        keys=CHORD,
        lead=(Note(1.0, 0.5, 72, 0.7, "bells"),),
        bass=(Note(0.2, 1.5, 33, 0.7, "upright"),),
        pad=(Note(0.0, 3.0, 60, 0.5, "pad"),),
        kick=(Note(0.2, 0.1, 0, 0.9, "kick"), Note(1.7, 0.1, 0, 0.9, "kick")),
        snare=(Note(0.9, 0.1, 0, 0.8, "snare"),),
        hat=(Note(0.5, 0.1, 0, 0.6, "hat"), Note(1.5, 0.1, 0, 0.6, "open_hat")),
        mix=replace(DRY, sidechain=0.6),
    )
    whole = mixed(score)
    alone = sum(mixed(score, group) for group in GROUPS)
    assert np.abs(whole - alone).max() < 1e-5


@pytest.mark.parametrize("start", [0.0, 0.31, BLOCK / RATE - 0.001, BLOCK / RATE, BLOCK / RATE + 0.001])
@pytest.mark.parametrize("voice", ["felt", "guitar", "sub"])
def test_a_note_sounds_the_same_wherever_the_block_borders_fall(start: float, voice: str) -> None:
    start = round(start * RATE) / RATE
    here = mixed(piece(4.0, DRY, bass=(Note(start, 1.3, 45, 0.7, voice),)))  # type: ignore[arg-type]
    there = mixed(piece(4.0, DRY, bass=(Note(0.1, 1.3, 45, 0.7, voice),)))  # type: ignore[arg-type]
    first, second = round(start * RATE), round(0.1 * RATE)
    length = round(1.6 * RATE)
    assert np.abs(here[first : first + length] - there[second : second + length]).max() < 2e-5


def test_the_bass_stays_in_the_middle() -> None:
    score = piece(
        keys=tuple(replace(note, pitch=note.pitch - 12) for note in CHORD),
        pad=tuple(Note(0.0, 4.0, pitch, 0.6, "strings") for pitch in (45, 52, 57)),
        bass=(Note(0.2, 3.0, 31, 0.7, "sub"),),
    )
    assert bass_correlation(mixed(score)) > 0.97
    top = mixed(piece(pad=(Note(0.0, 4.0, 64, 0.6, "strings"),)))
    assert np.corrcoef(top.T)[0, 1] < 0.9  # while the rest is wide


def test_hats_lean_right_and_shakers_left() -> None:
    hats = mixed(piece(hat=tuple(Note(t, 0.1, 0, 0.7, "hat") for t in (0.5, 1.0, 1.5))))
    shakers = mixed(piece(shaker=tuple(Note(t, 0.1, 0, 0.7, "shaker") for t in (0.5, 1.0, 1.5))))
    assert level(hats[:, 1]) > level(hats[:, 0]) + 2
    assert level(shakers[:, 0]) > level(shakers[:, 1]) + 2


def test_faders_do_what_they_say() -> None:
    plain = mixed(piece(keys=CHORD))
    louder = mixed(piece(keys=CHORD, mix=replace(QUIET_MIX, gain_db={"keys": 6.0})))
    assert level(louder) - level(plain) == pytest.approx(6.0, abs=0.01)


def test_a_section_sets_the_level_of_the_notes_that_begin_in_it() -> None:
    score = piece(8.0, keys=(*CHORD, *(replace(note, start=4.2) for note in CHORD)))
    sections = (Section("A", 0, 1, 0.0, 4.0), Section("breakdown", 1, 1, 4.0, 4.0, level_db=-6.0))
    even, uneven = mixed(score), mixed(replace(score, sections=sections))
    half = round(4.1 * RATE)
    assert level(uneven[half:]) - level(even[half:]) == pytest.approx(-6.0, abs=0.3)
    assert level(uneven[:half]) == pytest.approx(level(even[:half]), abs=0.01)


def test_velocity_is_loudness() -> None:
    for voice in ("rhodes", "felt", "bells", "guitar"):
        soft, hard = (mixed(piece(lead=(Note(0.1, 1.0, 67, v, voice),))) for v in (0.3, 0.9))  # type: ignore[arg-type]
        assert 8 < level(hard) - level(soft) < 16


def test_the_kick_pushes_the_chords_aside() -> None:
    kicks = (Note(1.5, 0.1, 0, 1.0, "kick"),)
    pressed = mixed(piece(keys=CHORD, kick=kicks, mix=replace(DRY, sidechain=0.6)), "keys")
    free = mixed(piece(keys=CHORD, kick=kicks, mix=replace(DRY, sidechain=0.0)), "keys")
    at = round(1.5 * RATE)
    assert level(pressed[at : at + 1_500]) < level(free[at : at + 1_500]) - 3
    assert level(pressed[:at]) == pytest.approx(level(free[:at]), abs=0.1)


def test_the_low_pass_darkens() -> None:
    bright, dark = (
        mixed(piece(hat=(Note(0.5, 0.1, 0, 0.9, "hat"),), mix=replace(QUIET_MIX, lowpass_hz=hz)))
        for hz in (14_000.0, 2_500.0)
    )
    assert level(bright) - level(dark) > 10


def test_longer_reverb_rings_on() -> None:
    staccato = (Note(0.1, 0.1, 72, 0.8, "bells"),)
    tails = [
        level(mixed(piece(lead=staccato, mix=replace(QUIET_MIX, reverb=space)))[2 * RATE :])
        for space in ("room", "plate", "ambient")
    ]
    assert tails[0] < tails[1] - 6
    assert tails[1] < tails[2] - 6


def test_bit_crushing_adds_grit_to_the_drums() -> None:
    kicks = tuple(Note(t, 0.1, 0, 0.9, "kick") for t in (0.2, 1.0))
    clean, coarse = (
        mixed(piece(kick=kicks, mix=Mix(lowpass_hz=18_000, bit_crush=crush, crackle_db=None, hiss=False)))
        for crush in (0.0, 1.0)
    )
    assert band_energy(coarse, 10_000, 18_000) > 3 * band_energy(clean, 10_000, 18_000)


@pytest.mark.parametrize("voice", ["rhodes", "felt", "bells", "upright", "sub", "guitar", "pad", "strings"])
def test_notes_are_let_go_without_a_click(voice: str) -> None:
    """Cut in mid-vibration, a note may make no larger step than it does while it sounds."""
    pitch = 40 if voice in ("upright", "sub") else 64
    for length in (2.0,) if voice in ("pad", "strings") else (0.05, 0.4, 0.713, 1.2):
        audio = mixed(piece(3.0, DRY, lead=(Note(0.1, length, pitch, 0.9, voice),)))  # type: ignore[arg-type]
        let_go = round((0.1 + length) * RATE)
        assert largest_step(audio[let_go:]) <= largest_step(audio[:let_go]) + 1e-4


def test_absurd_notes_are_survived() -> None:
    notes = (
        Note(-1.0, 1.0, 60, 0.5, "rhodes"),
        Note(0.0, 0.0, 60, 0.5, "felt"),
        Note(1.0, 100.0, 60, 2.0, "felt"),
        Note(5.99, 1.0, 127, 0.5, "guitar"),
        Note(7.0, 1.0, 60, 0.5, "rhodes"),
        Note(2.0, 1.0, 60, 0.0, "pad"),
    )
    assert np.isfinite(mixed(piece(lead=notes))).all()
