"""How each player plays: the musical rules a listener would notice being broken."""

from collections import Counter, defaultdict
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from support.scores import STYLE_WORDS, chord_pitch_classes, composed, place

from lofi_daemon.backends.synth.dice import Dice
from lofi_daemon.backends.synth.events import Event
from lofi_daemon.backends.synth.groove import Feel, perform
from lofi_daemon.backends.synth.harmony import Changes, Slot
from lofi_daemon.backends.synth.score import Note
from lofi_daemon.backends.synth.theory import ChordType, motion
from lofi_daemon.backends.synth.timing import Fit, steady
from lofi_daemon.backends.synth.variety import make_distinct

SEEDS = range(8)


def pieces(style, duration=180):
    return [composed(STYLE_WORDS[style], duration, seed) for seed in SEEDS]


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_chords_move_smoothly(style):
    """Voices move about a tone on average and the top line leaps more than a third only now and then."""
    moves, leaps = [], []
    for score in pieces(style):
        for before, after in pairwise(score.chords):
            moves.append(motion(before.pitches, after.pitches) / len(after.pitches))
            leaps.append(abs(after.pitches[-1] - before.pitches[-1]) > 4)
    assert fmean(moves) < 2.0
    assert fmean(leaps) < 0.1


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_chords_are_coloured_and_differ_in_inversion(style):
    for score in pieces(style):
        colours = [any(sign in chord.symbol for sign in ("7", "9", "11", "13", "6")) for chord in score.chords]
        assert all(colours)
        voicings = defaultdict(set)
        for chord in score.chords:
            voicings[chord.symbol].add(chord.pitches)
        if len(score.chords) > 24:
            assert max(len(found) for found in voicings.values()) >= 2


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_melodies_walk_more_than_they_leap(style):
    intervals: Counter[int] = Counter()
    for score in pieces(style):
        for before, after in pairwise(score.layers.get("lead", ())):
            if after.start - before.start < 2 * 60 / score.bpm:
                intervals[abs(after.pitch - before.pitch)] += 1
    total = sum(intervals.values())
    assert sum(intervals[size] for size in (1, 2, 3, 4)) > 0.55 * total
    assert intervals[0] < 0.2 * total
    assert sum(count for size, count in intervals.items() if size > 7) < 0.08 * total


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_melodies_rest_on_chord_tones_on_the_beat(style):
    fits = []
    for score in pieces(style):
        for note in score.layers.get("lead", ()):
            if place(note, score)[1] % 4 == 0:
                chord = chord_pitch_classes(score, note.start)
                fits.append(note.pitch % 12 in chord or (note.pitch - 7) % 12 in chord)
    assert fmean(fits) > 0.95


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_melodies_breathe(style):
    """In the sections where the lead plays, about half of the beats and more have no attack."""
    shares = []
    for score in pieces(style):
        attacked = {(bar, step // 4) for bar, step in (place(note, score) for note in score.layers.get("lead", ()))}
        playing = {bar for bar, _ in attacked}
        for section in score.sections:
            inside = range(section.first_bar, section.first_bar + section.bars)
            if section.name in ("A", "A'", "B") and any(bar in playing for bar in inside):
                shares += [(bar, beat) not in attacked for bar in inside for beat in range(4)]
    assert 0.4 < fmean(shares) < 0.85


def test_a_theme_keeps_its_rhythm_when_it_returns():
    """The commonest two-bar lead rhythm of a piece comes more than once."""
    returning = 0
    for score in pieces("chillhop"):
        rhythms = defaultdict(set)
        for note in score.layers.get("lead", ()):
            bar, step = place(note, score)
            rhythms[bar].add(step)
        counted = Counter(frozenset(steps) for steps in rhythms.values() if len(steps) >= 2)
        returning += bool(counted) and counted.most_common(1)[0][1] >= 2
    assert returning >= 0.8 * len(SEEDS)


@pytest.mark.parametrize("style", ["chillhop", "jazzhop", "boom_bap", "lofi_house"])
def test_the_lead_is_silent_in_intro_breakdown_and_outro(style):
    for score in pieces(style):
        for section in score.sections:
            if section.name not in ("intro", "breakdown", "outro"):
                continue
            end = section.start + section.length - (8 if section.name == "outro" else 0.5)
            assert not any(section.start + 0.05 < n.start < end for n in score.layers.get("lead", ()))


@pytest.mark.parametrize("style", ["chillhop", "jazzhop", "boom_bap", "ambient", "piano_ballad"])
def test_the_bass_lands_on_the_root_where_a_chord_begins(style):
    lands = []
    for score in pieces(style):
        starts = [chord.start for chord in score.chords]
        for note in score.layers.get("bass", ()):
            nearest = min(range(len(starts)), key=lambda i: abs(starts[i] - note.start))
            if abs(starts[nearest] - note.start) < 0.03:
                lands.append(note.pitch % 12 == score.chords[nearest].root)
    assert fmean(lands) > 0.95


def test_the_bass_of_house_plays_off_the_beat():
    steps = Counter(
        place(note, score)[1] for score in pieces("lofi_house") for note in score.layers["bass"] if note.start > 0
    )
    assert sum(steps[step] for step in (2, 6, 10, 14)) > 0.5 * sum(steps.values())


def test_house_has_four_on_the_floor_and_boom_bap_a_backbeat():
    for score in pieces("lofi_house"):
        kicks = defaultdict(set)
        for note in score.layers["kick"]:
            bar, step = place(note, score)
            kicks[bar].add(step)
        assert fmean({0, 4} <= steps for steps in kicks.values()) > 0.9
    for score in pieces("boom_bap"):
        loud = Counter(place(n, score)[1] for n in score.layers["snare"] if n.voice == "snare" and n.velocity > 0.6)
        assert loud[4] + loud[12] > 0.8 * sum(loud.values())


def test_ghost_notes_are_quiet():
    for style in ("chillhop", "boom_bap"):
        ghosts = [n.velocity for score in pieces(style) for n in score.layers["snare"] if n.voice == "ghost"]
        assert ghosts and max(ghosts) < 0.45 and 0.15 < fmean(ghosts) < 0.35


def test_fills_close_the_blocks_unless_the_listener_wants_to_focus():
    def crowded(word):
        bars_with_fill = 0
        for seed in SEEDS:
            score = composed(word, 180, seed)
            late = Counter(place(n, score)[0] for n in score.layers["snare"] if place(n, score)[1] >= 9)
            bars_with_fill += sum(count >= 4 for count in late.values())
        return bars_with_fill

    assert crowded("boom bap") >= 2 * len(SEEDS)
    assert crowded("boom bap, study") < crowded("boom bap") / 4


def test_the_snare_of_chillhop_drags_and_the_hats_lead():
    def lateness(layer, steps):
        out = []
        for score in pieces("chillhop"):
            for note in score.layers.get(layer, ()):
                bar, step = place(note, score)
                if step in steps and note.voice in ("snare", "rim", "hat", "kick"):
                    out.append(note.start - score.bar_starts[bar] - step * 15 / score.bpm)
        return fmean(out), pstdev(out)

    snare, kick, hat = lateness("snare", (4, 12)), lateness("kick", (8,)), lateness("hat", (4, 12))
    assert 0.010 < snare[0] < 0.024
    assert abs(kick[0]) < 0.006 and -0.006 < hat[0] < 0.0
    assert all(0.001 < deviation < 0.01 for _, deviation in (snare, kick, hat))


def test_chords_are_strummed_upwards():
    rising = []
    for score in pieces("chillhop"):
        strokes = defaultdict(list)
        for note in score.layers["keys"]:
            strokes[place(note, score)].append(note)
        for stroke in strokes.values():
            if len(stroke) >= 3:
                ordered = sorted(stroke, key=lambda note: note.pitch)
                rising.append(all(a.start < b.start for a, b in pairwise(ordered)))
    assert fmean(rising) > 0.9


def test_nothing_is_played_exactly_as_written():
    velocities = [round(note.velocity, 4) for note in composed("chillhop", 120, 1).layers["hat"]]
    assert len(set(velocities)) > len(velocities) / 2


def test_a_repeated_pitch_is_cut_short_and_the_end_of_the_piece_too():
    grid = steady(Fit(60.0, 2, 0), 4, 50.0, 8.0)
    events = [Event(0, 20, 60, 0.5, "felt"), Event(8, 20, 60, 0.5, "felt"), Event(8, 99, 64, 0.5, "felt")]
    notes = perform({"keys": events}, grid, Feel(0.0, False, 1.0), 1)["keys"]
    first = next(note for note in notes if note.start < 1)
    again = next(note for note in notes if note.pitch == 60 and note.start > 1)
    assert first.start + first.length <= again.start
    assert all(note.start + note.length <= 8.0 for note in notes)
    assert isinstance(notes[0], Note)


def test_a_repeating_piece_is_made_distinct():
    changes = Changes([Slot(bar * 16, 16, ChordType(0, "maj9"), (52, 59, 62, 67)) for bar in range(40)])
    loop = {"keys": [Event(bar * 16, 16, pitch, 0.5, "felt") for bar in range(40) for pitch in (52, 59, 62, 67)]}
    before = len(loop["keys"])
    added = make_distinct(loop, changes, 16, 640, 8, Dice(1, "variety"))
    assert len(loop["keys"]) == before + added and added > 0
    bars = [frozenset((e.step % 16, e.pitch) for e in loop["keys"] if e.step // 16 == bar) for bar in range(40)]
    passages = [tuple(bars[i : i + 8]) for i in range(33)]
    assert len(set(passages)) == len(passages)
    assert make_distinct(loop, changes, 16, 640, 8, Dice(2, "variety")) == 0
