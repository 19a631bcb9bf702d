"""Keys and time signatures as people write them."""

import subprocess
import sys

import pytest

from lofi_daemon.backends.synth.keyscale import MODES, KeyScale, parse, parse_timesignature
from lofi_daemon.errors import LofiError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("D minor", "D minor"),
        ("C# major", "Db major"),
        ("Bb dorian", "Bb dorian"),
        ("F♯ min", "F# minor"),
        ("B♭ Lydian", "Bb lydian"),
        ("Am", "A minor"),
        ("ebm", "Eb minor"),
        ("bbm", "Bb minor"),
        ("bm", "B minor"),
        ("Bb", "Bb major"),
        ("G", "G major"),
        ("Cmaj", "C major"),
        ("F# major", "F# major"),
        ("c ionian", "C major"),
        ("A aeolian", "A minor"),
        ("C natural minor", "C minor"),
        ("E-flat major", "Eb major"),
        ("g sharp minor", "G# minor"),
        ("  d   MINOR ", "D minor"),
        ("Ｄ minor", "D minor"),
    ],
)
def test_keys_are_read_as_musicians_write_them(text, name):
    assert parse(text).name == name


def test_every_canonical_name_reads_back_as_itself():
    for tonic in range(12):
        for mode in MODES:
            key = KeyScale(tonic, mode)
            assert parse(key.name) == key


@pytest.mark.parametrize("text", ["", "H minor", "D minr", "D minor 7", "12", "m", "é", "D minor\0", "🎹"])
def test_what_is_no_key_is_named_with_its_field(text):
    with pytest.raises(LofiError) as failed:
        parse(text)
    assert (failed.value.name, failed.value.field) == ("INVALID_PARAMS", "keyscale")
    assert "D minor" in failed.value.message


@pytest.mark.parametrize(("text", "name"), [("4/4", "4/4"), ("4", "4/4"), ("3", "3/4"), (" 3 / 4 ", "3/4")])
def test_time_signatures_have_one_form(text, name):
    assert parse_timesignature(text) == name


@pytest.mark.parametrize("text", ["", "6/8", "5/4", "2", "44", "four"])
def test_other_time_signatures_are_refused_with_the_supported_ones(text):
    with pytest.raises(LofiError) as failed:
        parse_timesignature(text)
    assert (failed.value.name, failed.value.field) == ("INVALID_PARAMS", "timesignature")
    assert "4/4" in failed.value.message and "3/4" in failed.value.message


def test_the_front_can_read_keys_without_numpy():
    code = (
        "import sys; from lofi_daemon.backends.synth import keyscale, info; "
        "sys.exit(any(m in sys.modules for m in ('numpy', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
