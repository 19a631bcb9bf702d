"""The chord progressions of each mode, what may stand in for a chord, and where a piece goes and ends."""

from __future__ import annotations

from .keyscale import Mode

Steps = tuple[tuple[int, str], ...]
"""(semitones above the tonic, quality) of each chord."""


def _steps(text: str) -> Steps:
    return tuple((int(word.split(":")[0]), word.split(":")[1]) for word in text.split())


# Ninths everywhere would tilt every piece to the key of its dominant (major sevenths and ninths are full of
# its notes): each row is balanced by sixths, suspensions and elevenths so that its own key explains it best.
_PROGRESSIONS: dict[Mode, tuple[str, ...]] = {
    "major": (
        "2:m9 7:9sus4 0:6/9 9:m7",
        "2:m9 7:13 0:6/9 9:m7",
        "2:m11 7:13 0:maj7 9:m7",
        "5:maj9 4:m7 2:m9 7:9sus4",
        "5:maj7 4:m7 2:m9 0:6/9",
        "0:maj9 9:m7 5:6/9 7:9sus4",
        "0:maj9 9:m7 2:m9 7:9sus4",
        "0:6/9 4:m7 5:maj7 5:6/9",
        "5:maj7 7:9sus4 4:m7 9:m7",
        "0:maj9 2:m9 5:maj7 0:6/9",
        "0:6/9 2:m9 4:m7 5:maj7",
        "9:m9 5:maj9 0:maj9 7:9sus4",
        "5:maj9 0:6/9 2:m9 9:m11",
        "0:6/9 5:maj9 0:maj9 2:m11",
        "5:6/9 9:m7 2:m9 0:maj9",
        "2:m9 7:9sus4 0:maj9 5:maj7",
        "5:maj7 5:m9 0:maj9 9:m7",
        "5:maj9 5:m6/9 0:maj9 0:6/9",
        "0:maj9 8:maj9 5:maj9 5:m9",
        "0:6/9 9:7b9 2:m9 7:9sus4",
        "0:maj7 5:9 2:m9 7:9sus4",
        "0:6/9 4:7b9 9:m7 5:maj7",
    ),
    "minor": (
        "0:m9 8:maj9 3:6/9 10:9sus4",
        "0:m9 8:maj7 3:6/9 10:9",
        "0:m9 5:m9 8:maj9 7:7b9",
        "8:maj9 10:9sus4 0:m9 0:m11",
        "8:maj7 10:6/9 0:m9 0:m7",
        "0:m9 2:m7b5 7:7b9 0:m7",
        "0:m7 10:9sus4 8:maj7 7:m7",
        "8:maj9 7:m7 5:m9 0:m7",
        "8:maj7 7:m7add11 5:m9 0:m9",
        "5:m9 10:13 3:maj9 8:maj9",
        "0:m9 3:maj9 8:maj9 10:9sus4",
        "0:m11 8:maj9 0:m9 5:m11",
        "5:m9 7:m7add11 8:maj9 0:m9",
        "8:maj9 10:9sus4 3:6/9 0:m7",
        "8:maj7 10:9sus4 0:m9 5:m9",
        "0:madd9 8:maj9 5:m9 10:9sus4",
        "0:m9 0:m7 5:m9 5:m11",
    ),
    "dorian": (
        "0:m9 5:13 0:m11 5:9",
        "0:m9 5:9sus4 10:maj7 5:13",
        "10:6/9 0:m11 5:13 0:m9",
        "10:maj9 0:m11 5:13 0:m9",
        "0:m11 3:maj9 10:6/9 5:9",
        "0:m9 2:m7 3:maj7 5:9sus4",
        "3:maj9 2:m7 0:m9 5:9sus4",
        "0:m9 0:m6/9 5:13 5:9sus4",
        "0:m9 3:maj9 5:9sus4 5:13",
        "0:m7 7:m7 3:maj9 5:9sus4",
        "0:m9 10:6/9 3:maj7 5:9",
    ),
    "lydian": (
        "0:maj7#11 2:9 0:maj9 2:9",
        "0:maj9 7:maj9 2:9 9:m9",
        "0:maj9 7:6/9 2:9 9:m9",
        "0:maj9 2:9 9:m9 4:m9",
        "2:9 0:maj9 4:m7 9:m11",
        "0:maj9 11:m7 9:m9 2:9sus4",
        "0:maj7#11 2:9sus4 9:m9 2:9",
        "9:m9 0:maj9 7:6/9 2:9sus4",
        "0:maj7#11 4:m7 2:9 2:9sus4",
        "0:maj9 9:m9 2:9sus4 2:9",
        "0:maj7#11 2:6/9 0:maj9 2:9sus4",
    ),
}
PROGRESSIONS: dict[Mode, tuple[Steps, ...]] = {mode: tuple(map(_steps, rows)) for mode, rows in _PROGRESSIONS.items()}
BITTERSWEET: tuple[Steps, ...] = (
    _steps("5:maj7 5:m9 0:maj9 9:m7"),
    _steps("0:maj9 8:maj9 5:maj9 5:m9"),
    _steps("5:maj9 5:m6/9 0:maj9 0:6/9"),
)
"""Major with its minor fourth degree: the sound of nostalgia."""
GENTLE: dict[Mode, tuple[Steps, ...]] = {
    "major": (_steps("0:6/9 4:m7 5:maj7 5:6/9"), _steps("0:maj9 9:m7 5:6/9 7:9sus4")),
    "minor": (_steps("0:m9 8:maj9 3:6/9 10:9sus4"), _steps("8:maj9 7:m7 5:m9 0:m7")),
}
HOME: dict[Mode, tuple[str, ...]] = {
    "major": ("maj9", "6/9", "add9"),
    "minor": ("m9", "m11"),
    "dorian": ("m9", "m6/9"),
    "lydian": ("maj9", "maj7#11"),
}
"""Qualities of the last chord."""

RELATIVE: dict[Mode, tuple[int, Mode]] = {
    "major": (9, "minor"),
    "minor": (3, "major"),
    "dorian": (10, "major"),
    "lydian": (7, "major"),
}
"""Where the contrasting section goes: another tonic and mode with the same notes."""

_SUBSTITUTES: dict[Mode, dict[str, str]] = {
    "major": {
        "0:maj9": "0:6/9 9:m7", "0:6/9": "0:maj9 9:m11", "5:maj9": "2:m11 5:6/9", "5:maj7": "2:m9 5:6/9",
        "7:13": "7:9sus4", "7:9sus4": "7:13 2:m11", "9:m9": "9:m7 0:6/9", "9:m7": "9:m11 0:6/9", "2:m9": "2:m11 5:6/9",
        "4:m7": "9:m7 0:6/9", "5:6/9": "2:m9 5:maj7",
    },
    "minor": {
        "0:m9": "0:m11 0:m7", "0:m7": "0:m9 3:6/9", "0:m11": "0:m9", "8:maj9": "5:m9 8:6/9", "8:maj7": "5:m11 8:6/9",
        "10:13": "10:9sus4", "10:9sus4": "10:13 5:m11", "3:6/9": "0:m7 3:maj9", "3:maj9": "3:6/9 0:m7",
        "5:m9": "5:m11 8:maj7", "7:m7": "3:6/9 10:9sus4", "7:m7add11": "10:9sus4 3:6/9", "10:6/9": "10:9sus4",
    },
    "dorian": {
        "0:m9": "0:m11 0:m6/9", "0:m11": "0:m9 0:m7", "5:13": "5:9 5:9sus4", "5:9": "5:13 5:9sus4", "5:9sus4": "5:9",
        "10:maj9": "10:6/9", "10:6/9": "7:m7", "3:maj9": "0:m11 3:maj7", "3:maj7": "0:m7 3:6/9",
    },
    "lydian": {
        "0:maj7#11": "0:maj9 0:6/9", "0:maj9": "0:maj7#11 9:m7", "2:9": "2:9sus4 2:6/9", "2:9sus4": "2:9",
        "9:m9": "9:m11 9:m7", "7:6/9": "7:maj9", "7:maj9": "7:6/9 4:m7", "4:m7": "7:6/9",
    },
}  # fmt: skip
SUBSTITUTES: dict[Mode, dict[tuple[int, str], Steps]] = {
    mode: {_steps(chord)[0]: _steps(others) for chord, others in rows.items()} for mode, rows in _SUBSTITUTES.items()
}
"""What may stand in for a chord when it comes round again."""
