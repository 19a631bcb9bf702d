"""Keys and time signatures as people write them, in one canonical form. Imports no numpy: the front uses it."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from msgspec import Struct

from ...errors import LofiError

Mode = Literal["major", "minor", "dorian", "lydian"]
MODES: tuple[Mode, ...] = ("major", "minor", "dorian", "lydian")
TIME_SIGNATURES = ("4/4", "3/4")

SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
SPELLINGS: dict[Mode, tuple[str, ...]] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
    "dorian": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
    "lydian": ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"),
}
"""The usual name of each tonic (pitch class 0 = C), the one with fewer accidentals in its signature."""

PARENT_MAJOR: dict[Mode, int] = {"major": 0, "minor": 3, "dorian": 10, "lydian": 7}
"""Semitones from the tonic up to the tonic of the major key with the same notes."""

_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_MODE_WORDS: dict[str, Mode] = {
    "": "major", "major": "major", "maj": "major", "ionian": "major",
    "m": "minor", "min": "minor", "minor": "minor", "aeolian": "minor", "natural minor": "minor",
    "dorian": "dorian", "lydian": "lydian",
}  # fmt: skip
_PATTERN = re.compile(r"([a-g])(##?|bb?|-?(?:sharp|flat))?(?: ?-?(natural minor|[a-z]+))?")


class KeyScale(Struct, frozen=True):
    """``tonic`` is a pitch class, 0 = C."""

    tonic: int
    mode: Mode

    @property
    def name(self) -> str:
        """Canonical text, such as "D minor" or "F# major"; ``parse`` reads it back."""
        return f"{SPELLINGS[self.mode][self.tonic]} {self.mode}"

    @property
    def uses_flats(self) -> bool:
        """Whether the key signature is written with flats."""
        return (self.tonic + PARENT_MAJOR[self.mode]) % 12 in (1, 3, 5, 8, 10)

    def spell(self, pitch_class: int) -> str:
        """The name of a pitch class as this key's signature would write it."""
        return (FLATS if self.uses_flats else SHARPS)[pitch_class % 12]


def parse(text: str) -> KeyScale:
    """Reads "D minor", "C# maj", "Bb dorian", "F♯ min", "Am", "ebm", "E-flat major", "G".

    Raises ``LofiError`` INVALID_PARAMS (field keyscale) for anything else.
    """
    plain = unicodedata.normalize("NFKC", text).replace("♯", "#").replace("♭", "b").casefold()
    plain = re.sub(r"[\s_]+", " ", plain).strip().replace(" sharp", "-sharp").replace(" flat", "-flat")
    match = _PATTERN.fullmatch(plain)
    mode = _MODE_WORDS.get(match[3] or "") if match else None
    if match is None or mode is None:
        raise LofiError(
            "INVALID_PARAMS",
            'Name the key as a note and a mode, such as "D minor", "F# major", "Bb dorian" or "C lydian".',
            field="keyscale",
            expected=[f"note {mode}" for mode in MODES],
            got=text[:100],
        )
    accidental = (match[2] or "").removeprefix("-")
    shift = {"": 0, "#": 1, "sharp": 1, "##": 2, "b": -1, "flat": -1, "bb": -2}[accidental]
    return KeyScale((_LETTERS[match[1]] + shift) % 12, mode)


def parse_timesignature(text: str, known: tuple[str, ...] = TIME_SIGNATURES) -> str:
    """Reads the ``known`` ones ("4/4", "3/4") and their short forms ("4", "3").

    Raises ``LofiError`` INVALID_PARAMS (field timesignature) for anything else.
    """
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    for signature in known:
        if plain in (signature, signature[0]):
            return signature
    raise LofiError(
        "INVALID_PARAMS",
        f"Ask for one of the supported time signatures: {', '.join(known)}.",
        field="timesignature",
        expected=list(known),
        got=text[:100],
    )
