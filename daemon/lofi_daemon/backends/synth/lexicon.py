"""The words a prompt may use and what each does. Data only; ``intent`` reads prompts with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .keyscale import Mode
from .score import Style, Voice

Part = Literal[
    "keys", "lead", "bass", "pad", "guitar",
    "drums", "kick", "snare", "hat", "shaker", "ride",
    "crackle", "hiss", "swing", "fills",
]  # fmt: skip
"""What a prompt can name: a layer, a group of layers, or a texture."""

ProgressionHint = Literal["bittersweet", "gentle"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one word does. Sums are scaled and added, factors raised to the scale and multiplied, choices
    replace each other (the last word wins), flags switch on; a negated word does the opposite."""

    # sums
    energy: float = 0.0
    valence: float = 0.0
    brightness: float = 0.0  # octaves of the low-pass
    tempo: float = 0.0  # bpm
    swing: float = 0.0  # percent
    late_ms: float = 0.0  # of the snare
    register: float = 0.0  # semitones
    pad_db: float = 0.0
    rain: float = 0.0
    thunder: float = 0.0
    ocean: float = 0.0
    # factors
    lead_density: float = 1.0
    soft: float = 1.0
    wow: float = 1.0
    noise: float = 1.0
    reverb: float = 1.0
    # choices
    style: Style | None = None
    leaning: Style | None = None  # the style if no genre is named
    colour: Mode | None = None
    beats: int | None = None
    progression: ProgressionHint | None = None
    straightness: float | None = None  # swing percent outright
    keys_voice: Voice | None = None
    lead_voice: Voice | None = None
    bass_voice: Voice | None = None
    # flags
    beatless: bool = False
    no_fills: bool = False
    busy_hats: bool = False
    ride: bool = False
    rim: bool = False
    dilla: bool = False
    crushed: bool = False
    clean: bool = False
    underwater: bool = False
    solo: bool = False
    minimal: bool = False
    lush: bool = False


SUMS = (
    "energy", "valence", "brightness", "tempo", "swing", "late_ms", "register", "pad_db", "rain", "thunder", "ocean",
)  # fmt: skip
FACTORS = ("lead_density", "soft", "wow", "noise", "reverb")
CHOICES = (
    "style", "leaning", "colour", "beats", "progression", "straightness", "keys_voice", "lead_voice", "bass_voice",
)  # fmt: skip
FLAGS = (
    "beatless", "no_fills", "busy_hats", "ride", "rim", "dilla", "crushed", "clean", "underwater", "solo",
    "minimal", "lush",
)  # fmt: skip


NEGATIONS = frozenset({"no", "not", "without", "never", "don't", "dont"})
NEGATION_REACH = 2
TRANSPARENT = frozenset({"a", "an", "any", "the", "or", "nor", "of", "too", "some"})
"""Words a negation or an intensifier looks through."""

INTENSIFIERS: dict[str, float] = {
    "very": 1.5, "extremely": 1.5, "super": 1.5, "really": 1.5, "more": 1.5, "heavy": 1.5, "so": 1.5,
    "slightly": 0.5, "somewhat": 0.5, "bit": 0.5, "subtle": 0.5, "faint": 0.5, "light": 0.5,
    "less": -0.5, "fewer": -0.5,
}  # fmt: skip

PHRASES: tuple[tuple[str, str], ...] = (
    (r"hip[\s-]?hop", "hiphop"),
    (r"boom[\s-]?bap", "boombap"),
    (r"jazz[\s-]?hop", "jazzhop"),
    (r"chill[\s-]?(?:hop|beats?)", "chillhop"),
    (r"deep[\s-]house", "house"),
    (r"lo[\s-]?fi", "lofi"),
    (r"hi[\s-]?fi", "hifi"),
    (r"hi[\s-]hats?", "hat"),
    (r"(?:electric|e)[\s-]piano", "rhodes"),
    (r"grand[\s-]piano", "piano"),
    (r"(?:upright|double)[\s-]bass", "upright"),
    (r"sub[\s-]?bass", "sub"),
    (r"music[\s-]box", "bells"),
    (r"bossa[\s-]nova", "bossa"),
    (r"j[\s-]dilla", "dilla"),
    (r"drum[\s-]?kit", "drums"),
    (r"drum[\s-]?less|beat[\s-]?less|percussionless", "no drums ,"),
    (r"(?:3/4|three[\s-]four|6/8)", "waltz"),
    (r"'?(?:19)?50'?s|fifties", "era50"),
    (r"'?(?:19)?70'?s|seventies", "era70"),
    (r"'?(?:19)?80'?s|eighties", "era80"),
    (r"'?(?:19)?90'?s|nineties", "era90"),
)
"""Expressions of several words or with digits, and the one word each stands for; matched in this order."""


def _each(words: str, effect: Effect) -> dict[str, Effect]:
    return dict.fromkeys(words.split(), effect)


EFFECTS: dict[str, Effect] = {
    # moods
    **_each(
        "sad sadness melancholy melancholic lonely loneliness blue heartbreak heartbroken sorrow tears gloomy",
        Effect(colour="minor", valence=-0.4, tempo=-6),
    ),
    **_each("happy sunny cheerful hopeful joyful playful", Effect(colour="major", valence=0.4, brightness=0.3)),
    "bright": Effect(colour="major", valence=0.2, brightness=0.5),
    **_each("nostalgic nostalgia wistful bittersweet", Effect(progression="bittersweet", wow=1.4)),
    **_each("dreamy dream dreams hazy floating ethereal", Effect(pad_db=6, reverb=1.5, brightness=-0.3)),
    **_each(
        "calm mellow soft gentle cozy cosy warm relaxing relaxed relax peaceful chill",
        Effect(energy=-0.3, brightness=-0.3, soft=0.8),
    ),
    **_each("dark moody noir night midnight", Effect(colour="dorian", brightness=-0.4, register=-5)),
    **_each("focus study studying coding code work working", Effect(lead_density=0.6, no_fills=True)),
    **_each("sleep sleepy lullaby asleep", Effect(tempo=-12, beatless=True, brightness=-0.5)),
    **_each("energetic upbeat groovy funky", Effect(energy=0.4, tempo=6, busy_hats=True)),
    **_each("romantic tender love", Effect(keys_voice="felt", progression="gentle")),
    "minor": Effect(colour="minor"),
    "major": Effect(colour="major"),
    "dorian": Effect(colour="dorian"),
    "lydian": Effect(colour="lydian"),
    # places and weather
    **_each("rain rainy drizzle rainfall raindrops", Effect(rain=1)),
    **_each("storm stormy thunder thunderstorm", Effect(rain=1, thunder=1)),
    **_each("snow snowy winter cold", Effect(keys_voice="felt", brightness=0.2, lead_density=0.7)),
    **_each("ocean waves sea beach summer", Effect(ocean=1, lead_voice="guitar")),
    **_each(
        "forest morning sunrise coffee cafe café coffeeshop",
        Effect(colour="major", lead_voice="guitar", leaning="jazzhop", valence=0.2),
    ),
    **_each("space cosmic galaxy", Effect(leaning="ambient", brightness=-0.8)),
    "underwater": Effect(leaning="ambient", underwater=True),
    # media
    **_each("vinyl dusty crackle crackly tape cassette vhs worn lp record", Effect(noise=1.8, wow=1.8)),
    **_each("clean hifi pristine", Effect(clean=True)),
    # tempo and feel
    **_each("slow slower", Effect(tempo=-10)),
    **_each("fast faster quick", Effect(tempo=10)),
    **_each("lazy laidback", Effect(swing=3, late_ms=6)),
    **_each("swing swung swinging", Effect(straightness=62.0)),
    "straight": Effect(straightness=50.0),
    **_each("waltz", Effect(beats=3)),
    # eras
    "era50": Effect(ride=True, bass_voice="upright"),
    "era70": Effect(keys_voice="rhodes"),
    "era80": Effect(pad_db=4),
    "era90": Effect(leaning="boom_bap", crushed=True),
    # genres
    **_each("jazz jazzy jazzhop bebop", Effect(style="jazzhop", straightness=62.0)),
    "bossa": Effect(style="jazzhop", straightness=50.0, rim=True),
    **_each("chillhop hiphop", Effect(style="chillhop")),
    "dilla": Effect(style="chillhop", dilla=True),
    **_each("boombap rap", Effect(style="boom_bap")),
    **_each("house", Effect(style="lofi_house")),
    **_each("ambient drone soundscape meditation meditative", Effect(style="ambient")),
    **_each("ballad", Effect(style="piano_ballad")),
    # size
    **_each("minimal minimalist sparse minimalistic", Effect(minimal=True, lead_density=0.8)),
    **_each("lush rich orchestral", Effect(lush=True)),
    **_each("solo only just", Effect(solo=True)),
}

INSTRUMENTS: dict[str, tuple[Part, Voice | None]] = {
    "rhodes": ("keys", "rhodes"),
    "wurlitzer": ("keys", "rhodes"),
    "wurli": ("keys", "rhodes"),
    "piano": ("keys", "felt"),
    "felt": ("keys", "felt"),
    "keys": ("keys", None),
    "chord": ("keys", None),
    "guitar": ("guitar", "guitar"),
    "bell": ("lead", "bells"),
    "vibraphone": ("lead", "bells"),
    "glockenspiel": ("lead", "bells"),
    "celesta": ("lead", "bells"),
    "kalimba": ("lead", "bells"),
    "lead": ("lead", None),
    "melody": ("lead", None),
    "bass": ("bass", None),
    "bassline": ("bass", None),
    "upright": ("bass", "upright"),
    "contrabass": ("bass", "upright"),
    "sub": ("bass", "sub"),
    "808": ("bass", "sub"),
    "pad": ("pad", None),
    "synth": ("pad", "pad"),
    "strings": ("pad", "strings"),
    "violin": ("pad", "strings"),
    "cello": ("pad", "strings"),
    "drum": ("drums", None),
    "drums": ("drums", None),
    "beat": ("drums", None),
    "percussion": ("drums", None),
    "kick": ("kick", None),
    "snare": ("snare", None),
    "clap": ("snare", "clap"),
    "rim": ("snare", "rim"),
    "rimshot": ("snare", "rim"),
    "brush": ("snare", "brush"),
    "brushes": ("snare", "brush"),
    "hat": ("hat", None),
    "hihat": ("hat", None),
    "shaker": ("shaker", None),
    "ride": ("ride", None),
    "vinyl": ("crackle", None),
    "crackle": ("crackle", None),
    "hiss": ("hiss", None),
    "noise": ("hiss", None),
    "swing": ("swing", None),
    "fill": ("fills", None),
}
"""Words that name a part, and the voice they ask for where they ask for one."""
