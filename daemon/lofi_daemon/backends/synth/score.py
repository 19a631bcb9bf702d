"""The piece as data: what the composer hands to the renderer, and what tests read.

Times are seconds from the start of the track, swing and humanised timing already applied. Levels are dB
relative to the mix table in ``mix.py``. Pitches are MIDI numbers (60 = C4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Style = Literal["chillhop", "jazzhop", "boom_bap", "lofi_house", "ambient", "piano_ballad"]

LayerName = Literal["keys", "lead", "bass", "pad", "kick", "snare", "hat", "shaker", "ride"]
"""One mix channel each. A layer's notes may use several voices (snare and rim; closed and open hat)."""

Voice = Literal[
    "rhodes", "felt", "guitar", "bells", "upright", "sub", "pad", "strings",
    "kick", "snare", "ghost", "rim", "brush", "clap", "hat", "open_hat", "shaker", "ride",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Note:
    """One event. ``pitch`` is 0 for drums. ``velocity`` 0…1."""

    start: float
    length: float
    pitch: int
    velocity: float
    voice: Voice


@dataclass(frozen=True, slots=True)
class Chord:
    """Harmony over [start, start + length): ``root`` is a pitch class, ``symbol`` such as "Dm9"."""

    start: float
    length: float
    root: int
    symbol: str
    pitches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the form. ``level_db`` shapes the music bus; the low-pass glides between its two ends."""

    name: Literal["intro", "A", "A'", "B", "breakdown", "outro", "link"]
    first_bar: int
    bars: int
    start: float
    length: float
    level_db: float = 0.0
    lowpass_start_hz: float = 20_000.0
    lowpass_end_hz: float = 20_000.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Everything the renderer needs beside the notes.

    ``gain_db`` and ``mute`` are per layer, on top of the renderer's own balance. Texture levels are dB
    under the music (None = silent). ``wow`` scales tape wow and flutter (1 = normal, 0 = none).
    """

    lowpass_hz: float = 9_000.0
    reverb: Literal["room", "plate", "ambient"] = "plate"
    reverb_time_scale: float = 1.0
    wow: float = 1.0
    saturation: float = 1.0
    sidechain: float = 0.35
    bit_crush: float = 0.0
    crackle_db: float | None = -26.0
    crackle_rate: float = 9.0
    hiss: bool = True
    rain_db: float | None = None
    thunder: bool = False
    ocean_db: float | None = None
    gain_db: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """A whole piece. ``layers`` maps a layer to its notes in time order; absent = not in this piece.

    ``tonic`` is a pitch class (0 = C), ``mode`` one of major, minor (aeolian), dorian, lydian,
    ``swing`` the share in percent of an eighth note taken by its first sixteenth (50 = straight).
    ``bar_starts`` has bars + 1 entries, the last being the end of the last bar; notes ring to ``duration``.
    """

    seed: int
    style: Style
    bpm: float
    beats_per_bar: int
    tonic: int
    mode: Literal["major", "minor", "dorian", "lydian"]
    swing: float
    duration: float
    bar_starts: tuple[float, ...]
    sections: tuple[Section, ...]
    chords: tuple[Chord, ...]
    layers: dict[LayerName, tuple[Note, ...]]
    mix: Mix
