"""Voicings and the way from one to the next."""

import itertools

import pytest

from lofi_daemon.backends.synth.keyscale import KeyScale, parse
from lofi_daemon.backends.synth.theory import (
    HIGHEST,
    LOWEST,
    QUALITIES,
    SCALES,
    ChordType,
    climb,
    lead_voices,
    motion,
    nearest,
    pitch_classes,
    voicings,
)
from lofi_daemon.backends.synth.tonality import clarity

CHORDS = [ChordType(root, quality) for root in range(12) for quality in QUALITIES]


def test_every_chord_can_be_played_everywhere_on_the_keyboard():
    for chord in CHORDS:
        assert voicings(chord), chord


def test_voicings_hold_the_chord_and_stay_in_range():
    for chord in CHORDS:
        for voicing in voicings(chord):
            assert voicing[0] >= LOWEST and voicing[-1] <= HIGHEST
            assert {pitch % 12 for pitch in voicing} <= chord.tones()
            assert list(voicing) == sorted(set(voicing))


def test_low_notes_keep_a_third_apart_and_the_top_two_are_no_semitone():
    for chord in CHORDS:
        for voicing in voicings(chord):
            for low, high in itertools.pairwise(voicing):
                assert high - low >= 3 or low >= 55
            assert voicing[-1] - voicing[-2] > 1


def test_ninths_leave_the_root_to_the_bass():
    for quality in ("maj9", "m9", "13", "7b9"):
        assert all(pitch % 12 != 0 for voicing in voicings(ChordType(0, quality)) for pitch in voicing)


def test_voices_move_little_and_the_top_line_hardly_leaps():
    for before in CHORDS:
        start = lead_voices(before, None)
        for after in CHORDS:
            following = lead_voices(after, start)
            assert motion(start, following) <= 6 * len(following)
            assert abs(following[-1] - start[-1]) <= 7


def test_a_chord_that_returns_may_come_back_in_another_inversion():
    chord = ChordType(2, "m9")
    first = lead_voices(chord, None)
    moved = 0
    for between in CHORDS:
        passing = lead_voices(between, first)
        plainly = lead_voices(chord, passing)
        varied = lead_voices(chord, passing, avoid=frozenset({plainly}))
        assert {pitch % 12 for pitch in varied} == {pitch % 12 for pitch in first}
        moved += varied != plainly
    assert moved > len(CHORDS) / 2


@pytest.mark.parametrize(
    ("key", "root", "quality", "symbol"),
    [
        ("D minor", 2, "m9", "Dm9"),
        ("D minor", 10, "maj9", "Bbmaj9"),
        ("E major", 8, "m7", "G#m7"),
        ("Bb lydian", 10, "maj7#11", "Bbmaj7#11"),
        ("F major", 7, "m7b5", "Gm7b5"),
        ("A minor", 9, "madd9", "Am(add9)"),
    ],
)
def test_symbols_are_spelled_in_the_key(key, root, quality, symbol):
    assert ChordType(root, quality).symbol(parse(key)) == symbol


def test_nearest_and_climb_walk_the_scale():
    c_major = pitch_classes(0, SCALES["major"])
    assert nearest(61, frozenset({0})) == 60
    assert nearest(66, frozenset({0})) == 60
    assert climb(60, 2, c_major) == 64
    assert climb(60, -1, c_major) == 59
    assert climb(61, 0, c_major) == 60


def test_a_plain_scale_states_its_own_key_and_not_its_neighbours():
    weights = [4.0, 0, 2, 0, 3, 3, 0, 2.5, 0, 3, 0, 1]
    assert clarity(weights, KeyScale(0, "major")) > 0
    assert clarity(weights, KeyScale(9, "minor")) == clarity(weights, KeyScale(0, "major"))
    assert clarity(weights, KeyScale(7, "major")) < 0
    turned = weights[-5:] + weights[:-5]
    assert clarity(turned, KeyScale(5, "major")) == pytest.approx(clarity(weights, KeyScale(0, "major")))
