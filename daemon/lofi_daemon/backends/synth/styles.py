"""What sets the six styles apart, as one table: tempo, feel, sound and how busy each player is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .keyscale import Mode
from .score import Style, Voice

Choice = tuple[tuple[Voice, float], ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """Pairs are ranges, tuples of pairs are weighted choices. ``swing`` in percent, ``late_ms`` the snare
    behind the beat, ``phrase`` the unit of the form in bars, ``jazz`` how readily chords are substituted,
    ``talk`` the share of phrases in which the lead plays, ``dynamics`` scales section levels in dB."""

    bpm: tuple[float, float]
    swing: tuple[float, float]
    late_ms: tuple[float, float]
    lowpass_hz: tuple[float, float]
    modes: tuple[tuple[Mode, float], ...]
    keys: Choice
    lead: Choice
    bass: Choice
    snare: Choice
    drums: bool
    unit: int
    jazz: float
    bars_per_chord: tuple[tuple[float, float], ...]
    talk: float
    pad: float
    dynamics: float
    centre: float
    reverb: Literal["room", "plate", "ambient"]
    sidechain: float
    saturation: float
    wow: float
    crackle_db: float


PROFILES: dict[Style, Profile] = {
    "chillhop": Profile(
        bpm=(70, 92), swing=(55.5, 60), late_ms=(12, 20), lowpass_hz=(8_000, 10_000),
        modes=(("minor", 3), ("major", 3), ("dorian", 2), ("lydian", 1)),
        keys=(("rhodes", 7), ("felt", 3)), lead=(("guitar", 3), ("bells", 3), ("felt", 2), ("rhodes", 1)),
        bass=(("sub", 1), ("upright", 2)), snare=(("snare", 3), ("rim", 1)), drums=True,
        unit=4, jazz=0.45, bars_per_chord=((1.0, 6), (0.5, 1), (2.0, 1)), talk=0.85, pad=0.45, dynamics=1.0,
        centre=62.0, reverb="plate", sidechain=0.35, saturation=1.0, wow=1.0, crackle_db=-26,
    ),
    "jazzhop": Profile(
        bpm=(80, 100), swing=(58, 66), late_ms=(8, 14), lowpass_hz=(9_000, 11_000),
        modes=(("major", 4), ("dorian", 3), ("minor", 3)),
        keys=(("rhodes", 5), ("felt", 5)), lead=(("guitar", 5), ("bells", 3), ("felt", 2)),
        bass=(("upright", 1),), snare=(("rim", 1), ("brush", 1)), drums=True,
        unit=4, jazz=0.85, bars_per_chord=((1.0, 3), (0.5, 3)), talk=0.85, pad=0.15, dynamics=1.0,
        centre=62.5, reverb="room", sidechain=0.2, saturation=0.9, wow=0.8, crackle_db=-27,
    ),
    "boom_bap": Profile(
        bpm=(82, 96), swing=(54, 60), late_ms=(4, 10), lowpass_hz=(10_000, 12_000),
        modes=(("minor", 5), ("dorian", 4), ("major", 1)),
        keys=(("rhodes", 4), ("felt", 4), ("guitar", 2)), lead=(("bells", 3), ("guitar", 3), ("felt", 3)),
        bass=(("sub", 3), ("upright", 2)), snare=(("snare", 1),), drums=True,
        unit=4, jazz=0.35, bars_per_chord=((1.0, 4), (2.0, 2), (0.5, 1)), talk=0.7, pad=0.25, dynamics=1.0,
        centre=61.0, reverb="room", sidechain=0.35, saturation=1.25, wow=1.0, crackle_db=-24,
    ),
    "lofi_house": Profile(
        bpm=(112, 122), swing=(51, 56), late_ms=(0, 0), lowpass_hz=(11_000, 13_000),
        modes=(("minor", 5), ("dorian", 3), ("major", 2)),
        keys=(("rhodes", 8), ("felt", 2)), lead=(("bells", 4), ("rhodes", 2), ("guitar", 2)),
        bass=(("sub", 4), ("upright", 1)), snare=(("clap", 1),), drums=True,
        unit=8, jazz=0.2, bars_per_chord=((1.0, 3), (2.0, 3)), talk=0.6, pad=0.7, dynamics=0.9,
        centre=61.0, reverb="plate", sidechain=0.6, saturation=1.1, wow=0.7, crackle_db=-28,
    ),
    "ambient": Profile(
        bpm=(55, 80), swing=(50, 50), late_ms=(0, 0), lowpass_hz=(5_000, 7_000),
        modes=(("major", 3), ("lydian", 4), ("minor", 2), ("dorian", 2)),
        keys=(("rhodes", 5), ("felt", 5)), lead=(("bells", 5), ("felt", 2), ("guitar", 1)),
        bass=(("sub", 1),), snare=(("brush", 1),), drums=False,
        unit=4, jazz=0.1, bars_per_chord=((2.0, 3), (1.0, 2)), talk=0.65, pad=1.0, dynamics=1.0,
        centre=62.0, reverb="ambient", sidechain=0.0, saturation=0.6, wow=1.1, crackle_db=-30,
    ),
    "piano_ballad": Profile(
        bpm=(58, 78), swing=(50, 50), late_ms=(0, 0), lowpass_hz=(8_000, 9_000),
        modes=(("major", 4), ("minor", 4), ("lydian", 1)),
        keys=(("felt", 1),), lead=(("felt", 1),),
        bass=(("upright", 1),), snare=(("brush", 1),), drums=False,
        unit=4, jazz=0.4, bars_per_chord=((1.0, 4), (0.5, 1)), talk=0.9, pad=0.25, dynamics=1.15,
        centre=62.0, reverb="plate", sidechain=0.0, saturation=0.6, wow=0.8, crackle_db=-29,
    ),
}  # fmt: skip

STYLE_ODDS: tuple[tuple[Style, float], ...] = (("chillhop", 7), ("jazzhop", 2), ("boom_bap", 1))
"""The style of a prompt that names none."""
