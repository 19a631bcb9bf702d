"""Who plays what where: one arrangement per block of up to eight bars, and the level of each section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .brief import Brief
from .dice import Dice
from .form import Part, PartName
from .score import Voice

BLOCK_BARS = 8

Hats = Literal["off", "quarters", "eighths", "sixteenths"]


@dataclass(frozen=True, slots=True)
class Block:
    """One arrangement. ``intensity`` 0…1; ``comp`` and ``bass_line`` number a player's choices."""

    part: Part
    first_bar: int
    bars: int
    intensity: float
    comp: int = 0
    keys: bool = True
    keys_up: bool = False
    pad: bool = False
    bass: bool = False
    bass_line: int = 0
    kick: bool = False
    snare: bool = False
    hats: Hats = "off"
    shaker: bool = False
    ride: bool = False
    lead: bool = False
    lead_voice: Voice = "bells"

    @property
    def end_bar(self) -> int:
        return self.first_bar + self.bars

    def face(self) -> tuple[object, ...]:
        """What a listener can tell two blocks apart by."""
        return (
            self.comp, self.keys_up, self.pad, self.bass and self.bass_line, self.kick, self.hats, self.shaker,
            self.ride, self.lead and self.lead_voice,
        )  # fmt: skip


INTENSITY: dict[PartName, float] = {
    "intro": 0.25, "A": 0.6, "A'": 0.75, "B": 0.9, "breakdown": 0.15, "outro": 0.35, "link": 0.2,
}  # fmt: skip
LEVEL_DB: dict[PartName, float] = {
    "intro": -2.8, "A": -1.2, "A'": -0.2, "B": 0.7, "breakdown": -3.6, "outro": -2.5, "link": -3.2,
}  # fmt: skip


def arrange(brief: Brief, parts: Sequence[Part], dice: Dice) -> tuple[Block, ...]:
    """Blocks in order; neighbours differ in at least two ways a listener can hear."""
    blocks: list[Block] = []
    for part in parts:
        at = part.first_bar
        while at <= part.last_bar:
            left = part.last_bar + 1 - at
            # Nine to eleven bars split better after four than after eight.
            bars = left if left <= BLOCK_BARS else 4 if left < 12 and left % 8 else BLOCK_BARS
            if part.name in ("intro", "outro") and at == part.first_bar and left >= 4:
                bars = left // 2  # the band comes in, or leaves, half-way
            block = _cast(brief, part, at, bars, sum(b.part is part for b in blocks), dice)
            if blocks:
                block = _vary(brief, blocks[-1], block, dice)
            blocks.append(block)
            at += bars
    return tuple(blocks)


def _cast(brief: Brief, part: Part, first_bar: int, bars: int, inside: int, dice: Dice) -> Block:
    """The players of one block, by section and mood."""
    growth = -0.1 * inside if part.name == "outro" else 0.1 * min(inside, 2)
    intensity = INTENSITY[part.name] + growth + 0.25 * brief.energy + 0.1 * (dice.unit() - 0.5)
    intensity = max(0.05, min(1.0, intensity))
    band = part.name in ("A", "A'", "B") or (part.name == "outro" and inside == 0)
    opens = part.name == "intro" and inside > 0 and dice.chance(0.6)
    drums = brief.drums and (band or opens)
    hats: Hats = "off"
    if drums:
        hats = "sixteenths" if brief.busy_hats or (intensity > 0.8 and dice.chance(0.4)) else "eighths"
        if opens or (intensity < 0.55 and dice.chance(0.4)):
            hats = "quarters" if dice.chance(0.5) else "eighths"
    ride = drums and (brief.style == "jazzhop" or "ride" in brief.wanted) and intensity > 0.5
    pad_odds = brief.profile.pad * (0.6 + 0.8 * intensity) + (0.35 if part.name in ("breakdown", "link") else 0)
    block = Block(
        part=part,
        first_bar=first_bar,
        bars=bars,
        intensity=intensity,
        comp=dice.below(1 << 16),
        keys_up=part.name in ("B", "breakdown") and dice.chance(0.3),
        pad="pad" in brief.wanted or dice.chance(pad_odds),
        bass=band or part.name == "outro" or (part.name == "intro" and inside > 0 and dice.chance(0.5)),
        bass_line=dice.below(1 << 16),
        kick=drums and (band or dice.chance(0.4)),
        snare=drums and (band or dice.chance(0.3)),
        hats=hats,
        shaker=drums and intensity > 0.7 and dice.chance(0.5),
        ride=ride and dice.chance(0.85),
        lead=part.name in ("A", "A'", "B") and (dice.chance(brief.talk) or "lead" in brief.wanted),
        lead_voice=_lead_voice(brief, part),
    )
    if block.ride and dice.chance(0.7):
        block = replace(block, hats="off" if "ride" in brief.wanted or dice.chance(0.5) else "quarters")
    return _obey(brief, block)


def _lead_voice(brief: Brief, part: Part) -> Voice:
    """One lead per theme, and another per movement."""
    place = part.movement + (part.theme == "B")
    return brief.leads[place % len(brief.leads)]


def _obey(brief: Brief, block: Block) -> Block:
    """Takes out what the listener does not want."""
    silent = brief.silent
    quiet = brief.minimal
    return replace(
        block,
        keys="keys" not in silent,
        pad=block.pad and "pad" not in silent,
        bass=block.bass and "bass" not in silent,
        kick=block.kick and "kick" not in silent,
        snare=block.snare and "snare" not in silent,
        hats="off" if "hat" in silent else "quarters" if quiet and block.hats != "off" else block.hats,
        shaker=(block.shaker or ("shaker" in brief.wanted and block.kick)) and "shaker" not in silent,
        ride=block.ride and "ride" not in silent,
        lead=block.lead and "lead" not in silent,
    )


def _vary(brief: Brief, before: Block, block: Block, dice: Dice) -> Block:
    """Changes one thing after another until at least two differ from the block before."""
    moves = dice.shuffled(("lead", "hats", "pad", "shaker", "keys_up", "bass_line"))
    for move in moves:
        changed = sum(a != b for a, b in zip(before.face()[1:], block.face()[1:], strict=True))
        if changed >= 2:
            break
        if move == "lead" and block.part.name in ("A", "A'", "B"):
            block = replace(block, lead=not before.lead or "lead" in brief.wanted)
        elif move == "hats" and block.hats != "off":
            other: Hats = (
                "eighths" if before.hats != "eighths" else "sixteenths" if block.intensity > 0.6 else "quarters"
            )
            block = replace(block, hats=other)
        elif move == "pad":
            block = replace(block, pad=not before.pad or "pad" in brief.wanted)
        elif move == "shaker" and block.kick:
            block = replace(block, shaker=not before.shaker)
        elif move == "keys_up":
            block = replace(block, keys_up=not before.keys_up)
        elif move == "bass_line":
            block = replace(block, bass_line=before.bass_line + 1)
    return _obey(brief, block)


def level_db(brief: Brief, part: Part, dice: Dice) -> float:
    """The section's place in the dynamics of the piece."""
    lift = 0.4 * min(part.visit, 2) if part.name in ("A", "A'", "B") else 0.0
    return round(LEVEL_DB[part.name] * brief.profile.dynamics + lift + 0.6 * (dice.unit() - 0.5), 2)
