"""From what the prompt asks for to the numbers of the mix."""

from __future__ import annotations

import math

from .brief import DRUM_LAYERS, Brief
from .dice import Dice
from .intent import Amount, Intent
from .lexicon import Part
from .score import LayerName, Mix

RAIN_DB = -12.0
OCEAN_DB = -13.0

_GAIN: dict[Amount, float] = {"off": 0.0, "less": -5.0, "on": 3.0, "more": 5.0}
_SPEAKS_OF: dict[Part, tuple[LayerName, ...]] = {
    "keys": ("keys",), "lead": ("lead",), "guitar": ("lead",), "bass": ("bass",), "pad": ("pad",),
    "drums": DRUM_LAYERS, "kick": ("kick",), "snare": ("snare",), "hat": ("hat",), "shaker": ("shaker",),
    "ride": ("ride",),
}  # fmt: skip


def mix(intent: Intent, brief: Brief, dice: Dice) -> Mix:
    """The mix of a piece: the style's, bent by the mood, turned up where an instrument was named."""
    mood, profile = intent.mood, brief.profile
    lowpass = dice.between(*profile.lowpass_hz) * 2.0**mood.brightness
    if mood.clean:
        lowpass = 14_000.0
    if mood.underwater:
        lowpass = dice.between(1_500, 2_500)
    crackle = profile.crackle_db + 20 * math.log10(mood.noise)
    crackles = intent.said("crackle") != "off" and (not mood.clean or intent.said("crackle") is not None)
    return Mix(
        lowpass_hz=round(max(1_200.0, min(16_000.0, lowpass)), 1),
        reverb=profile.reverb,
        reverb_time_scale=round(mood.reverb, 3),
        wow=round((0.15 if mood.clean else 1.0) * profile.wow * mood.wow, 3),
        saturation=profile.saturation,
        sidechain=0.0 if "kick" in brief.silent else profile.sidechain,
        bit_crush=0.25 if mood.crushed else 0.12 if brief.style == "boom_bap" and not mood.clean else 0.0,
        crackle_db=round(max(-40.0, min(-17.0, crackle)), 2) if crackles else None,
        crackle_rate=round(min(25.0, dice.between(7, 11) * mood.noise), 2),
        hiss=not mood.clean and intent.said("hiss") != "off",
        rain_db=_texture(RAIN_DB, mood.rain),
        thunder=mood.thunder > 0,
        ocean_db=_texture(OCEAN_DB, mood.ocean),
        gain_db=_gains(intent, brief),
    )


def _texture(level_db: float, amount: float) -> float | None:
    return round(level_db + 20 * math.log10(amount), 2) if amount > 0 else None


def _gains(intent: Intent, brief: Brief) -> dict[str, float]:
    gains: dict[str, float] = {}
    for part, layers in _SPEAKS_OF.items():
        amount = intent.said(part)
        if amount is None:
            continue
        gain = _GAIN[amount]
        if part == "drums" and amount == "on":
            gain = 0.0
        for layer in layers:
            if layer not in brief.silent:
                gains[layer] = gains.get(layer, 0.0) + gain
    if intent.mood.pad_db:
        gains["pad"] = gains.get("pad", 0.0) + intent.mood.pad_db
    if brief.style in ("ambient", "piano_ballad"):
        for layer in DRUM_LAYERS:
            gains[layer] = gains.get(layer, 0.0) - 4.0
    return {layer: round(gain, 2) for layer, gain in sorted(gains.items()) if gain}
