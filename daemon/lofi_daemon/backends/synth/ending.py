"""The last chord: the tonic, rolled, left to ring to the end of the piece."""

from __future__ import annotations

from .arrangement import Block
from .bass import LOWEST
from .brief import Brief
from .dice import Dice
from .events import Event, Parts
from .harmony import Slot
from .theory import nearest

RING_STEPS = 1000.0
"""Longer than any piece can ring; playing cuts it at the end."""


def close(parts: Parts, brief: Brief, block: Block, home: Slot, dice: Dice) -> None:
    """Adds the final events at the start of ``home``, the last chord."""
    step = home.step
    keys, pad = "keys" not in brief.silent, "pad" not in brief.silent
    if keys:
        voicing = home.voicing[-3:] if brief.minimal else home.voicing
        low = () if "bass" not in brief.silent else (nearest(48, frozenset({home.chord.root})),)
        for order, pitch in enumerate((*low, *voicing)):
            parts.setdefault("keys", []).append(Event(step, RING_STEPS, pitch, 0.58, brief.keys, order * 3))
    if pad and (parts.get("pad") or not keys):
        for pitch in home.voicing[-3:]:
            parts.setdefault("pad", []).append(Event(step, RING_STEPS, pitch, 0.5, brief.pad))
    if parts.get("bass"):
        root = LOWEST + (home.chord.root - LOWEST) % 12
        parts["bass"].append(Event(step, RING_STEPS, root, 0.62, brief.bass))
    if parts.get("kick") and step > 0:
        parts["kick"].append(Event(step, 2, 0, 0.6, "kick"))
        if parts.get("hat") and dice.chance(0.5):
            parts["hat"].append(Event(step, 3, 0, 0.4, "open_hat"))
    if parts.get("lead") and dice.chance(0.6):
        last = parts["lead"][-1].pitch
        goal = nearest(max(72, min(84, last)), home.chord.guide_tones())
        parts["lead"].append(Event(step + (4 if dice.chance(0.4) else 0), RING_STEPS, goal, 0.5, block.lead_voice))
