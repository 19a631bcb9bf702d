"""What the words of a prompt ask for."""

import pytest

from lofi_daemon.backends.synth.intent import read
from lofi_daemon.backends.synth.lexicon import EFFECTS, INSTRUMENTS


def mood(prompt):
    return read(prompt).mood


@pytest.mark.parametrize(
    ("prompt", "field", "value"),
    [
        ("sad", "colour", "minor"),
        ("melancholy evening", "valence", -0.4),
        ("very sad", "valence", pytest.approx(-0.6)),
        ("slightly sad", "valence", pytest.approx(-0.2)),
        ("not sad", "colour", "major"),
        ("not sad", "valence", pytest.approx(0.4)),
        ("never too sad", "valence", pytest.approx(0.4)),
        ("happy", "colour", "major"),
        ("nostalgic", "progression", "bittersweet"),
        ("dreamy", "pad_db", 6),
        ("calm", "energy", pytest.approx(-0.3)),
        ("not calm", "energy", pytest.approx(0.3)),
        ("mellow", "soft", pytest.approx(0.8)),
        ("dark", "colour", "dorian"),
        ("midnight", "register", -5),
        ("coding session", "lead_density", pytest.approx(0.6)),
        ("studying", "no_fills", True),
        ("sleepy", "beatless", True),
        ("energetic", "busy_hats", True),
        ("rain", "rain", 1),
        ("RAINY!", "rain", 1),
        ("heavy rain", "rain", 1.5),
        ("light rain", "rain", 0.5),
        ("no rain", "rain", -1),
        ("thunderstorm", "thunder", 1),
        ("ocean waves", "ocean", 2),
        ("vinyl", "noise", pytest.approx(1.8)),
        ("tape", "wow", pytest.approx(1.8)),
        ("no tape", "wow", pytest.approx(1 / 1.8)),
        ("hi-fi", "clean", True),
        ("slow", "tempo", -10),
        ("fast", "tempo", 10),
        ("lazy", "late_ms", 6),
        ("waltz", "beats", 3),
        ("in 3/4", "beats", 3),
        ("bossa nova", "straightness", 50),
        ("1990s", "leaning", "boom_bap"),
        ("80's synth", "pad_db", 4),
        ("'70s soul", "keys_voice", "rhodes"),
        ("lo-fi house", "style", "lofi_house"),
        ("boom bap", "style", "boom_bap"),
        ("boom-bap", "style", "boom_bap"),
        ("hip hop", "style", "chillhop"),
        ("jazzy", "style", "jazzhop"),
        ("ambient", "style", "ambient"),
        ("piano ballad", "style", "piano_ballad"),
        ("jazz then house", "style", "lofi_house"),
        ("house, no jazz", "style", "lofi_house"),
        ("no house", "style", None),
        ("boom bap in a cafe", "style", "boom_bap"),
        ("cafe", "leaning", "jazzhop"),
        ("minimal", "minimal", True),
        ("lush", "lush", True),
        ("ｓａｄ", "colour", "minor"),
    ],
)
def test_a_word_has_the_effect_it_names(prompt, field, value):
    assert getattr(mood(prompt), field) == value


@pytest.mark.parametrize(
    ("prompt", "part", "amount"),
    [
        ("no drums", "drums", "off"),
        ("without any drums", "drums", "off"),
        ("drumless", "drums", "off"),
        ("beatless", "drums", "off"),
        ("no drums or bass", "bass", "off"),
        ("no drums, bass", "bass", "on"),
        ("no vinyl crackle", "crackle", "off"),
        ("less drums", "drums", "less"),
        ("more bass", "bass", "more"),
        ("guitars", "guitar", "on"),
        ("no melody", "lead", "off"),
        ("hi-hats", "hat", "on"),
        ("soft piano", "keys", "on"),
        ("soft piano", "drums", None),
        ("no swing", "swing", "off"),
    ],
)
def test_parts_are_named_and_ruled_out(prompt, part, amount):
    assert read(prompt).said(part) == amount


def test_a_negation_reaches_two_words_and_not_past_a_comma():
    assert read("no piano guitar strings").said("pad") == "on"
    assert read("no, piano").said("keys") == "on"
    assert read("without piano guitar").said("guitar") is None  # the voice is banned, not the lead
    assert read("without piano guitar").banned("guitar")


@pytest.mark.parametrize(
    ("prompt", "part", "voice"),
    [
        ("rhodes", "keys", "rhodes"),
        ("electric piano", "keys", "rhodes"),
        ("felt piano", "keys", "felt"),
        ("rhodes and piano", "keys", "felt"),
        ("bells", "lead", "bells"),
        ("double bass", "bass", "upright"),
        ("808s", "bass", "sub"),
        ("strings", "pad", "strings"),
        ("brushes", "snare", "brush"),
    ],
)
def test_instruments_choose_their_voice(prompt, part, voice):
    assert read(prompt).voice(part) == voice


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("75 bpm", 75),
        ("80bpm", 80),
        ("at 82.5 BPM", 82.5),
        ("bpm: 90", 90),
        ("tempo 64", 64),
        ("80-90 bpm", 85),
        ("70 bpm, no: 74 bpm", 74),
        ("８０ bpm", 80),
        ("72 beats per minute", 72),
        ("fast, 60 bpm", 60),
        ("1000 bpm", None),
        ("10 bpm", None),
        ("80", None),
        ("bpm", None),
        ("24/7 study beats", None),
    ],
)
def test_a_number_with_bpm_is_the_tempo(prompt, bpm):
    assert read(prompt).bpm == bpm


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("in D minor", "D minor"),
        ("rain in f# minor, slow", "F# minor"),
        ("B♭ dorian", "Bb dorian"),
        ("key of E flat major", "Eb major"),
        ("something in Am", "A minor"),
        ("F#m", "F# minor"),
        ("Dm", "D minor"),
        ("in A", "A major"),
        ("in a minor", "A minor"),
        ("C major or G major", "G major"),
        ("a minor delay", None),
        ("in A rainy night", None),
        ("Am I dreaming", None),
        ("a b c d", None),
        ("I'm in a cafe", None),
        ("plan b", None),
    ],
)
def test_keys_are_found_only_where_they_are_meant(prompt, name):
    key = read(prompt).keyscale
    assert (key.name if key else None) == name


@pytest.mark.parametrize(
    "prompt",
    ["", " ", "\0", "no", "very", "not very", "🌧️🎹" * 100, "дождь", "雨の夜", "ليل ممطر", "x" * 512, "'" * 512,
     "#b" * 256,
     "no " * 170, "bpm " * 128, "٨٠ bpm", "\ud800", "in in in key of", "- – — . , ; :"],
)  # fmt: skip
def test_any_text_is_read_without_complaint(prompt):
    read(prompt)


def test_unknown_words_change_nothing():
    assert read("zebra qwerty дождь 雨") == read("")


def test_every_word_of_the_lexicon_is_understood():
    for word in EFFECTS:
        spoken = {"era50": "50s", "era70": "70s", "era80": "80s", "era90": "90s"}.get(word, word)
        assert read(spoken) != read(""), word
    for word in INSTRUMENTS:
        assert read(word).mentions, word
