"""The decisions of a piece that are made once: style, key, players, feel. Intent first, then style and seed."""

from __future__ import annotations

from dataclasses import dataclass

from .dice import Dice
from .intent import Intent
from .keyscale import KeyScale, Mode
from .lexicon import Part
from .score import LayerName, Style, Voice
from .styles import PROFILES, STYLE_ODDS, Choice, Profile

DRUM_LAYERS: tuple[LayerName, ...] = ("kick", "snare", "hat", "shaker", "ride")
BAND: tuple[LayerName, ...] = (*DRUM_LAYERS, "bass", "pad", "lead", "keys")
ANY_LEAD: tuple[Voice, ...] = ("bells", "felt", "guitar", "rhodes")


@dataclass(frozen=True, slots=True)
class Brief:
    """``silent`` layers must not play, ``wanted`` ones must; ``strict_key`` = the listener asked for the
    key; ``swing`` in percent; ``late`` is the snare behind the beat, in seconds."""

    style: Style
    profile: Profile
    key: KeyScale
    strict_key: bool
    beats: int
    swing: float
    late: float
    keys: Voice
    leads: tuple[Voice, ...]
    bass: Voice
    snare: Voice
    pad: Voice
    silent: frozenset[LayerName]
    wanted: frozenset[LayerName]
    energy: float
    soft: float
    talk: float
    lead_density: float
    fills: bool
    busy_hats: bool
    dilla: bool
    rim: bool
    minimal: bool
    lush: bool
    register: int

    @property
    def drums(self) -> bool:
        return not {"kick", "snare", "hat"} <= self.silent


def decide(intent: Intent, seed: int, keyscale: KeyScale | None, beats: int | None) -> Brief:
    """Explicit ``keyscale`` and ``beats`` win over the prompt, the prompt over style and seed."""
    mood = intent.mood
    dice = Dice(seed, "brief")
    # Rolled even where it is not needed, so that naming a style changes nothing else about a seed.
    rolled = dice.weighted(STYLE_ODDS)
    if mood.beatless and intent.said("drums") is None:
        rolled = "ambient"
    style: Style = mood.style or mood.leaning or rolled
    profile = PROFILES[style]
    asked = keyscale or intent.keyscale
    key = KeyScale(dice.below(12), _mode(intent, profile, dice))
    swing = mood.straightness if mood.straightness is not None else dice.between(*profile.swing)
    swing = 50.0 if intent.said("swing") == "off" else max(50.0, min(67.0, swing + mood.swing))
    late = dice.between(*profile.late_ms) + mood.late_ms
    keys = _keys(intent, profile, dice)
    silent, wanted = _layers(intent, profile)
    if wanted & set(DRUM_LAYERS) and style in ("ambient", "piano_ballad"):
        swing = max(swing, 54.0)
        late = max(late, 8.0)
    return Brief(
        style=style,
        profile=profile,
        key=asked or key,
        strict_key=asked is not None,
        beats=beats or mood.beats or 4,
        swing=round(swing, 2),
        late=max(0.0, late) / 1000,
        keys=keys,
        leads=_leads(intent, profile, keys, dice),
        bass=_voice("bass", mood.bass_voice, profile.bass, intent, dice),
        snare=_voice("snare", "rim" if mood.rim else None, profile.snare, intent, dice),
        pad=_voice("pad", "pad" if intent.said("pad") else None, (("pad", 4), ("strings", 1)), intent, dice),
        silent=silent,
        wanted=wanted,
        energy=mood.energy,
        soft=max(0.55, min(1.15, mood.soft * (1 + 0.1 * max(0.0, mood.energy)))),
        talk=min(1.0, profile.talk * mood.lead_density),
        lead_density=mood.lead_density,
        fills=not mood.no_fills and intent.said("fills") != "off",
        busy_hats=mood.busy_hats or mood.energy > 0.3,
        dilla=mood.dilla or (style == "chillhop" and dice.chance(0.12)),
        rim=mood.rim,
        minimal=mood.minimal,
        lush=mood.lush,
        register=round(mood.register),
    )


def _mode(intent: Intent, profile: Profile, dice: Dice) -> Mode:
    """The mode the mood asks for, or one of the style's."""
    roll = dice.unit()
    mood = intent.mood
    if mood.colour == "dorian":
        return "dorian" if roll < 0.7 and mood.valence > -0.3 else "minor"
    if mood.colour == "major":
        return "major" if roll < 0.75 or mood.valence < 0.3 else "lydian"
    if mood.colour is not None:
        return mood.colour
    if mood.progression == "bittersweet":
        return "major"
    return Dice(dice.below(1 << 30), "mode").weighted(profile.modes)


def _voice(part: Part, hint: Voice | None, choices: Choice, intent: Intent, dice: Dice) -> Voice:
    named = intent.voice(part) or hint
    allowed = tuple(choice for choice in choices if not intent.banned(choice[0]))
    chosen = dice.weighted(allowed or choices)
    return named if named is not None and not intent.banned(named) else chosen


def _keys(intent: Intent, profile: Profile, dice: Dice) -> Voice:
    spare: Choice = (("rhodes", 1.0), ("felt", 1.0), ("guitar", 0.2))
    choices = profile.keys
    if all(intent.banned(voice) for voice, _ in choices):
        choices = spare
    chosen = _voice("keys", intent.mood.keys_voice, choices, intent, dice)
    alone = intent.mood.solo and intent.said("guitar") not in (None, "off") and intent.voice("keys") is None
    if alone or (intent.said("keys") == "off" and intent.said("guitar") not in (None, "off")):
        return "guitar"
    return chosen


def _leads(intent: Intent, profile: Profile, keys: Voice, dice: Dice) -> tuple[Voice, ...]:
    """Lead instruments in order of preference; only the one the prompt names, if it names one."""
    order: list[Voice] = []
    while len(order) < 3:
        left: Choice = tuple(c for c in profile.lead if c[0] not in order)
        if not left:
            break
        order.append(dice.weighted(left))
    order = [v for v in order if not intent.banned(v) and (v != keys or profile.lead == ((keys, 1),))]
    if intent.mood.solo:
        order = [keys]
    named = intent.voice("lead") or intent.voice("guitar")
    suited = intent.mood.lead_voice
    if named is not None and not intent.banned(named):
        order = [named]
    elif suited is not None and not intent.banned(suited):
        order = [suited, *(v for v in order if v != suited)]
    fallback = [voice for voice in ANY_LEAD if not intent.banned(voice)]
    return tuple(order) or tuple(fallback[:1]) or (keys,)


def _layers(intent: Intent, profile: Profile) -> tuple[frozenset[LayerName], frozenset[LayerName]]:
    """(layers that must stay silent, layers that must be heard)."""
    silent: set[LayerName] = set()
    wanted: set[LayerName] = set()
    drums = intent.said("drums")
    solo = intent.mood.solo and any(
        m.amount != "off" and m.part in ("keys", "guitar", "lead", "pad", "bass") for m in intent.mentions
    )
    named_drum = any(intent.said(layer) not in (None, "off") for layer in DRUM_LAYERS)
    if drums == "off" or solo or (drums is None and not named_drum and (intent.mood.beatless or not profile.drums)):
        silent.update(DRUM_LAYERS)
    elif drums is not None or named_drum:
        wanted.update(("kick", "snare", "hat"))
    for layer in BAND:
        said = intent.said(layer)
        if said == "off":
            silent.add(layer)
        elif said is not None and layer not in silent:
            wanted.add(layer)
    if solo:
        silent.add("pad")
        if intent.said("bass") is None:
            silent.add("bass")
    if intent.said("guitar") not in (None, "off"):
        wanted.add("lead")
    if intent.mood.ride and "snare" not in silent:
        wanted.add("ride")
    if intent.mood.lush:
        wanted.update(layer for layer in ("pad", "lead") if layer not in silent)
    if intent.mood.minimal:
        silent.update(layer for layer in ("pad", "shaker", "ride") if layer not in wanted)
    if "keys" in silent:
        # Something must carry the chords.
        if "pad" in silent:
            silent.discard("keys")
        else:
            wanted.add("pad")
    return frozenset(silent), frozenset(wanted - silent)
