"""What every score must be, whatever was asked, and what a request changes in it."""

import hashlib
import itertools
import os
import subprocess
import sys
from statistics import fmean

import pytest
from support.scores import STYLE_WORDS, bars, composed, onsets_per_second, pitch_class_weights

from lofi_daemon.backends.synth.chart import score_text
from lofi_daemon.backends.synth.composer import compose
from lofi_daemon.backends.synth.keyscale import MODES, SPELLINGS, KeyScale
from lofi_daemon.backends.synth.tonality import clarity
from lofi_daemon.errors import LofiError

DRUMS = {"kick", "snare", "hat", "shaker", "ride"}
LAYERS = {"keys", "lead", "bass", "pad", *DRUMS}
ODD_PROMPTS = (
    "minimal drumless",
    "minimal sleep ambient, no melody, no bass",
    "no piano, no drums, no bass, no melody, no pads, no keys",
    "no keys no drums",
    "waltz, jazzy",
    "solo piano",
    "solo guitar",
    "lush strings, very energetic, dilla",
    "150 bpm boom bap",
    "300 bpm",
    "30 bpm",
    "45 bpm ballad in 3/4",
    "🌧️ дождь",
)
LENGTHS = (5, 6.5, 8, 10, 13, 20, 30, 45, 61, 120)


def every_kind_of_request():
    for index, prompt in enumerate((*STYLE_WORDS.values(), *ODD_PROMPTS)):
        for duration in LENGTHS:
            yield prompt, duration, (index * 7919 + int(duration)) * 10**15 % 2**64
        yield prompt, 600, 2**64 - 1 - index


@pytest.fixture(scope="module")
def scores():
    return [composed(*request) for request in every_kind_of_request()]


def test_every_note_lies_inside_the_piece_in_order_at_a_playable_level(scores):
    for score in scores:
        assert set(score.layers) <= LAYERS
        for layer, notes in score.layers.items():
            assert notes, layer
            assert [note.start for note in notes] == sorted(note.start for note in notes)
            for note in notes:
                assert note.start >= 0 and note.length > 0
                assert note.start + note.length <= score.duration + 1e-6
                assert 0 < note.velocity <= 1
                assert (note.pitch == 0) == (layer in DRUMS)


def test_no_pitch_overlaps_itself_and_the_bass_plays_one_note_at_a_time(scores):
    for score in scores:
        for layer, notes in score.layers.items():
            ends: dict[int, float] = {}
            for note in notes:
                line = 0 if layer == "bass" else note.pitch
                assert note.start >= ends.get(line, 0.0) - 1e-9, (score.style, score.duration, layer, note)
                ends[line] = note.start + note.length


def test_instruments_stay_in_their_ranges(scores):
    for score in scores:
        assert all(28 <= note.pitch <= 45 for note in score.layers.get("bass", ()))
        assert all(62 <= note.pitch <= 88 for note in score.layers.get("lead", ()))
        for layer in ("keys", "pad"):
            assert all(32 <= note.pitch <= 90 for note in score.layers.get(layer, ()))


def test_music_starts_at_once_and_the_last_chord_rings_to_the_end(scores):
    for score in scores:
        notes = [note for layer in score.layers.values() for note in layer]
        assert min(note.start for note in notes) < 0.03
        struck = [
            note for layer in ("keys", "pad", "lead") for note in score.layers.get(layer, ()) if note.start < 0.15
        ]
        assert struck
        assert max(note.start + note.length for note in notes) > score.duration - 0.3


def test_the_harmony_never_drops_out(scores):
    """A rest of every pitched part at once is at most the air between two notes."""
    for score in scores:
        spans = sorted(
            (note.start, note.start + note.length)
            for layer in ("keys", "lead", "bass", "pad")
            for note in score.layers.get(layer, ())
        )
        sixteenth = 15 / score.bpm
        silent = spans[0][1]
        for start, end in spans:
            assert start - silent < max(0.3, 3.5 * sixteenth), (score.style, score.duration, silent)
            silent = max(silent, end)


def test_the_last_chord_is_the_tonic(scores):
    for score in scores:
        assert score.chords[-1].root == score.tonic
        assert score.chords[-1].length >= min(1.9, 0.28 * score.duration)


def test_bars_sections_and_chords_tile_the_piece(scores):
    for score in scores:
        assert score.bar_starts[0] == 0 and score.bar_starts[-1] == score.duration
        assert all(a < b for a, b in zip(score.bar_starts, score.bar_starts[1:], strict=False))
        for spans in (score.sections, score.chords):
            at = 0.0
            for span in spans:
                assert span.start == pytest.approx(at, abs=1e-6) and span.length > 0
                at = span.start + span.length
            assert at == pytest.approx(score.duration)
        assert sum(section.bars for section in score.sections) == len(score.bar_starts) - 1


def test_no_two_passages_of_eight_bars_are_the_same(scores):
    for score in scores:
        played = bars(score)
        passages = [tuple(played[i : i + 8]) for i in range(len(played) - 7)]
        assert len(set(passages)) == len(passages), (score.style, score.duration, score.seed)


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_four_minutes_do_not_loop(style):
    """Eight-bar blocks and the block most like each: under two thirds shared, half on average."""
    for seed in range(4):
        played = bars(composed(STYLE_WORDS[style], 240, seed))
        blocks = [played[i : i + 8] for i in range(0, len(played) - 7, 8)]
        nearest = [max(likeness(a, b) for b in blocks if b is not a) for a in blocks]
        assert max(nearest) < 0.67 and fmean(nearest) < 0.5


def likeness(a, b):
    shared = sum(len(x & y) for x, y in zip(a, b, strict=True))
    return shared / max(1, sum(len(x | y) for x, y in zip(a, b, strict=True)))


def test_themes_come_back():
    """Variation is not noise: a later A shares chords with the first one."""
    for style in ("chillhop", "boom_bap", "piano_ballad"):
        for seed in range(6):
            score = composed(STYLE_WORDS[style], 150, seed)
            sections = [s for s in score.sections if s.name in ("A", "A'")]
            roots = [
                {c.root for c in score.chords if s.start - 1e-6 <= c.start < s.start + s.length - 1e-6}
                for s in sections
            ]
            assert len(roots) > 1
            for later in roots[1:]:
                assert len(roots[0] & later) >= len(later) / 2


# --- determinism ---


def test_the_same_request_is_the_same_score_in_another_process():
    code = (
        "import hashlib; from lofi_daemon.backends.synth.composer import compose; "
        "print(hashlib.sha256(repr(compose('rainy jazz, bells', 90, 2**64 - 1)).encode()).hexdigest())"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": salt}, capture_output=True, check=True
        ).stdout.strip()
        for salt in ("1", "77")
    }
    here = hashlib.sha256(repr(compose("rainy jazz, bells", 90, 2**64 - 1)).encode()).hexdigest()
    assert prints == {here.encode()}


def test_composing_needs_no_numpy():
    code = (
        "import sys; from lofi_daemon.backends.synth.composer import compose; compose('lofi', 30, 1); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_unknown_words_change_nothing():
    assert compose("lofi zebra", 60, 4) == compose("lofi", 60, 4)


# --- seeds and styles ---


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_a_genre_word_gives_its_style_and_seeds_differ(style):
    scores = [composed(STYLE_WORDS[style], 120, seed) for seed in range(12)]
    assert {score.style for score in scores} == {style}
    assert len({(score.tonic, score.mode) for score in scores}) >= 8
    assert len({round(score.bpm, 1) for score in scores}) >= 4
    assert len({tuple((c.root - s.tonic) % 12 for c in s.chords[:4]) for s in scores}) >= 5
    assert len({tuple((n.name, n.bars) for n in s.sections) for s in scores}) >= 3
    for a, b in itertools.pairwise(scores):
        assert likeness(bars(a)[:8], bars(b)[:8]) < 0.4


@pytest.mark.parametrize(
    ("style", "least", "most"),
    [
        ("chillhop", 2, 7),
        ("jazzhop", 2.5, 8),
        ("boom_bap", 2.5, 8),
        ("lofi_house", 3, 10),
        ("ambient", 0, 2),
        ("piano_ballad", 0.7, 5),
    ],
)
def test_each_style_is_as_busy_as_its_listeners_expect(style, least, most):
    for seed in range(8):
        for duration in (60, 180):
            assert least <= onsets_per_second(composed(STYLE_WORDS[style], duration, seed)) <= most


def test_sections_stand_apart_in_level_and_the_breakdown_opens_its_filter():
    for style in STYLE_WORDS:
        for seed in range(6):
            score = composed(STYLE_WORDS[style], 150, seed)
            levels = [section.level_db for section in score.sections]
            assert len(score.sections) >= 3 and max(levels) - min(levels) >= 2
            for section in score.sections:
                if section.name == "breakdown":
                    assert section.lowpass_start_hz < 2_000 < section.lowpass_end_hz
                    # A grace note may lead into the next section.
                    inside = section.start + 0.05, section.start + section.length - 0.5
                    for layer in ("kick", "bass", "lead"):
                        assert not any(inside[0] < note.start < inside[1] for note in score.layers.get(layer, ()))


# --- tempo ---


@pytest.mark.parametrize("style", STYLE_WORDS)
def test_a_tempo_in_the_prompt_is_kept_exactly_and_a_parameter_wins_over_it(style):
    word = STYLE_WORDS[style]
    for bpm in (42, 60, 75, 90, 104, 125, 140, 180):
        score = composed(f"{word}, {bpm} bpm", 60, bpm)
        assert score.bpm == bpm
        assert composed(f"{word}, 70 bpm", 60, 3, bpm=bpm).bpm == bpm
        lengths = [b - a for a, b in zip(score.bar_starts, score.bar_starts[1:], strict=False)][:-2]
        assert fmean(lengths) == pytest.approx(240 / bpm, rel=0.01)


def test_a_free_tempo_ends_on_a_bar_line_in_the_range_of_the_style():
    ranges = {"chillhop": (70, 92), "jazzhop": (80, 100), "boom_bap": (82, 96), "lofi_house": (112, 122)}
    for style, (low, high) in ranges.items():
        for seed in range(10):
            score = composed(STYLE_WORDS[style], 120, seed)
            assert low * 0.98 <= score.bpm <= high * 1.02
            assert score.bar_starts[-1] - score.bar_starts[-2] == pytest.approx(240 / score.bpm)


def test_drums_keep_strict_time_and_only_the_ballad_breathes():
    for style, word in STYLE_WORDS.items():
        score = composed(word, 120, 5)
        lengths = [b - a for a, b in zip(score.bar_starts, score.bar_starts[1:], strict=False)][:-1]
        breathes = max(lengths) / min(lengths) > 1.01
        assert breathes == (style == "piano_ballad")
    with_drums = composed("piano ballad with drums", 120, 5)
    lengths = [b - a for a, b in zip(with_drums.bar_starts, with_drums.bar_starts[1:], strict=False)][:-1]
    assert max(lengths) == pytest.approx(min(lengths))


def test_three_four_is_a_waltz():
    for request in ({"prompt": "chillhop waltz"}, {"prompt": "chillhop", "timesignature": "3/4"}):
        score = composed(duration=60, seed=2, **request)
        assert score.beats_per_bar == 3
        assert score.bar_starts[1] == pytest.approx(180 / score.bpm)
    assert composed("waltz", 60, 2, timesignature="4").beats_per_bar == 4


def test_swing_is_heard_where_the_style_has_it():
    score = composed("jazzhop swing", 120, 1)
    assert score.swing == 62
    odd = [
        share
        for note in score.layers["ride"] if note.start < score.bar_starts[-2]
        for share in [note.start * score.bpm / 30 % 1.0]
        if 0.3 < share < 0.8
    ]  # fmt: skip
    assert fmean(odd) == pytest.approx(0.62, abs=0.03)
    assert composed("lofi house, no swing", 30, 1).swing == 50


# --- key ---


def test_the_asked_key_explains_the_notes_best():
    """Up to the relative key, by probe-tone profiles with the harmonics of the instruments counted in."""
    found = []
    for mode in MODES:
        for index, word in enumerate(STYLE_WORDS.values()):
            for seed in range(6):
                tonic = (index * 3 + seed * 5) % 12
                score = composed(word, 60, seed, keyscale=f"{SPELLINGS[mode][tonic]} {mode}")
                assert (score.tonic, score.mode) == (tonic, mode)
                found.append(clarity(pitch_class_weights(score), KeyScale(tonic, mode)))
    found.sort()
    assert found[0] > -0.03
    assert found[len(found) // 40] > 0.02


def test_a_key_parameter_wins_over_the_prompt():
    assert (composed("in D minor", 30, 1).tonic, composed("in D minor", 30, 1).mode) == (2, "minor")
    score = composed("in D minor", 30, 1, keyscale="F# major")
    assert (score.tonic, score.mode) == (6, "major")


def test_an_asked_key_keeps_foreign_notes_rare():
    home = {"major": {0, 2, 4, 5, 7, 9, 11}, "minor": {0, 2, 3, 5, 7, 8, 10}}
    for mode, scale in home.items():
        for seed in range(10):
            score = composed("lofi", 120, seed, keyscale=f"C {mode}")
            weights = pitch_class_weights(score)
            foreign = sum(weight for pitch_class, weight in enumerate(weights) if pitch_class not in scale)
            assert foreign / sum(weights) < 0.08


def test_chord_symbols_name_their_roots():
    score = composed("lofi", 60, 3, keyscale="Eb major")
    names = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    for chord in score.chords:
        accidental = {"b": -1, "#": 1}.get(chord.symbol[1:2], 0)
        assert (names[chord.symbol[0]] + accidental) % 12 == chord.root
        assert "#" not in chord.symbol[1:2]


def test_bad_parameters_are_named():
    for asked, field in (({"keyscale": "H moll"}, "keyscale"), ({"timesignature": "7/8"}, "timesignature")):
        with pytest.raises(LofiError) as failed:
            compose("lofi", 30, 1, **asked)
        assert failed.value.field == field


# --- words ---


@pytest.mark.parametrize(
    ("prompt", "silent"),
    [
        ("no drums", DRUMS),
        ("chillhop without drums", DRUMS),
        ("drumless boom bap", DRUMS),
        ("beatless house", DRUMS),
        ("solo piano", {*DRUMS, "bass", "pad"}),
        ("no bass", {"bass"}),
        ("no melody", {"lead"}),
        ("no kick", {"kick"}),
        ("no hats", {"hat"}),
        ("no pads", {"pad"}),
        ("jazzhop, no ride", {"ride"}),
        ("ambient", DRUMS),
        ("sleep", DRUMS),
    ],
)
def test_what_the_prompt_rules_out_is_not_played(prompt, silent):
    for seed in range(5):
        score = composed(prompt, 90, seed)
        assert not silent & set(score.layers)
        assert score.layers


@pytest.mark.parametrize(
    ("prompt", "layers"),
    [
        ("ambient with drums", {"kick", "snare", "hat"}),
        ("piano ballad with beats", {"kick", "snare", "hat"}),
        ("lush", {"pad", "lead"}),
        ("strings", {"pad"}),
        ("guitar", {"lead"}),
        ("1950s jazz", {"ride"}),
        ("sleep with drums", {"kick"}),
    ],
)
def test_what_the_prompt_names_is_played(prompt, layers):
    for seed in range(5):
        assert layers <= set(composed(prompt, 90, seed).layers)


@pytest.mark.parametrize(
    ("prompt", "layer", "voice"),
    [
        ("rhodes", "keys", "rhodes"),
        ("felt piano", "keys", "felt"),
        ("bells", "lead", "bells"),
        ("guitar", "lead", "guitar"),
        ("upright bass house", "bass", "upright"),
        ("sub bass jazz", "bass", "sub"),
        ("strings", "pad", "strings"),
        ("solo guitar", "keys", "guitar"),
        ("jazz, no piano", "keys", "rhodes"),
    ],
)
def test_a_named_instrument_plays_its_part(prompt, layer, voice):
    for seed in range(5):
        assert {note.voice for note in composed(prompt, 60, seed).layers[layer]} == {voice}


@pytest.mark.parametrize(
    ("prompt", "field", "test"),
    [
        ("rain", "rain_db", lambda value, plain: value is not None and plain is None),
        ("no rain", "rain_db", lambda value, plain: value is None),
        ("storm", "thunder", lambda value, plain: value and not plain),
        ("ocean", "ocean_db", lambda value, plain: value is not None and plain is None),
        ("vinyl", "crackle_db", lambda value, plain: value > plain),
        ("vinyl", "crackle_rate", lambda value, plain: value > plain),
        ("no crackle", "crackle_db", lambda value, plain: value is None),
        ("worn tape", "wow", lambda value, plain: value > plain),
        ("clean", "wow", lambda value, plain: value < plain),
        ("clean", "crackle_db", lambda value, plain: value is None),
        ("clean", "hiss", lambda value, plain: not value),
        ("bright", "lowpass_hz", lambda value, plain: value > plain),
        ("dark", "lowpass_hz", lambda value, plain: value < plain),
        ("very dark", "lowpass_hz", lambda value, plain: value < plain * 0.7),
        ("dreamy", "reverb_time_scale", lambda value, plain: value > plain),
    ],
)
def test_words_shape_the_mix(prompt, field, test):
    for seed in range(4):
        plain = getattr(composed("chillhop", 30, seed).mix, field)
        assert test(getattr(composed(f"chillhop, {prompt}", 30, seed).mix, field), plain)


def test_moods_choose_the_mode_and_the_pace():
    for seed in range(10):
        assert composed("sad", 60, seed).mode == "minor"
        assert composed("happy", 60, seed).mode in ("major", "lydian")
        assert composed("dark", 60, seed).mode in ("dorian", "minor")
        assert composed("not sad", 60, seed).mode in ("major", "lydian")
        paces = [composed(f"chillhop {word}", 60, seed).bpm for word in ("slow", "", "fast")]
        assert paces == sorted(paces) and paces[2] - paces[0] > 10


def test_soft_words_play_softer():
    def loudness(prompt):
        return fmean(note.velocity for note in composed(prompt, 60, 3).layers["keys"])

    assert loudness("chillhop, soft") < 0.87 * loudness("chillhop")
    assert loudness("chillhop, very soft") < loudness("chillhop, soft")


def test_focus_leaves_room_and_fills_out():
    busy = sum(len(composed("chillhop", 180, seed).layers.get("lead", ())) for seed in range(6))
    quiet = sum(len(composed("chillhop for coding", 180, seed).layers.get("lead", ())) for seed in range(6))
    assert quiet < 0.75 * busy


def test_a_named_instrument_comes_forward():
    assert composed("chillhop rhodes", 30, 1).mix.gain_db["keys"] > 0
    assert composed("chillhop, less drums", 30, 1).mix.gain_db["kick"] < 0
    assert composed("chillhop, more bass", 30, 1).mix.gain_db["bass"] > 3


def test_the_chart_names_every_section_and_bar():
    score = composed("jazzhop", 60, 1)
    text = score_text(score)
    assert all(section.name in text for section in score.sections)
    assert len([line for line in text.splitlines() if " s  " in line]) == len(score.bar_starts) - 1
