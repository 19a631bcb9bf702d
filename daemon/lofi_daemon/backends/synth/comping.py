"""The pianist: how the chords are played, and the pad behind them.

A pattern is a list of hits, a step and a letter for what the hand plays there: f full chord, r rolled,
u upper voices, m middle, l lower, t top note, b left-hand root, v left-hand fifth, o left-hand tenth or
octave, p a push: the next chord, played early and held over the bar line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .arrangement import Block
from .brief import Brief
from .dice import Dice
from .events import Event
from .harmony import Changes, Slot
from .score import Style, Voice
from .theory import Voicing, nearest

Hit = tuple[int, str]


def _hits(text: str) -> tuple[Hit, ...]:
    return tuple((int(step), kind) for step, kind in re.findall(r"(\d+)([a-z])", text))


_PATTERNS: dict[Style, tuple[str, ...]] = {
    "chillhop": (
        "0r", "0f 8u", "0f 6f", "0f 7u 10u", "0f 6u 14p", "0l 2u 6t 8u 11t", "0f 10u 13t", "0r 12u", "0f 3u 8f 14t",
        "0l 4u 10f", "0r 6t 9t", "0f 6u 8t 11u",
    ),
    "jazzhop": (
        "0f 6f", "2f 7f 12u", "0f 6f 14p", "0f 3u 10f", "4f 7f 14p", "2f 10f 13u", "0f 5u 8f 11u", "0r 10u 14p",
        "0f 7f 13t", "2f 6u 11f", "0l 2u 7u 10f", "3f 8f 14u",
    ),
    "boom_bap": (
        "0f 3u", "0f 7u 10f", "0f 10f 12u", "0f 6f 9l 14u", "0r", "0f 4u 8f 11u", "0f 6u 14p", "0f 3f 10u",
        "0r 8u 11t", "0l 3u 7f 10t",
    ),
    "lofi_house": (
        "0f 3f 6f 11f", "2f 6f 10f 14f", "0f 3f 8u 11f", "0r 10u", "3f 6f 11f 14p", "0f 6u 10f 13u", "2f 5u 10f 13f",
        "0f 3u 6u 10f 14u", "0r 6t 11u",
    ),
    "ambient": ("0r", "0r 8t", "0l 4u 10t", "0r 12t", "0l 6t 8u", "0r 6t", "0l 8u", "0r 10m", "0l 2m 8t"),
    "piano_ballad": (
        "0b 2v 4f 6o 8u 12m", "0b 4u 8o 12u", "0b 2v 4o 6m 8t 10m 12u", "0b 0r 8v 10u", "0b 4f 6v 8u 14t",
        "0b 2v 4o 8u 10m 12t 14m", "0b 0f 6v 8o 12t", "0b 2o 4u 8b 10o 12u",
    ),
}  # fmt: skip
PATTERNS: dict[Style, tuple[tuple[Hit, ...], ...]] = {
    style: tuple(map(_hits, rows)) for style, rows in _PATTERNS.items()
}
_WALTZ: dict[Style, tuple[str, ...]] = {
    "chillhop": ("0l 4u 8u", "0f 6u", "0r", "0l 4u 6t 8u", "0f 8u 10p", "0f 4u", "0r 8t", "0l 3u 6u 9t"),
    "jazzhop": ("0l 4f 8f", "0f 6f", "0f 6f 10p", "2f 6u 8f", "0f 4u 10p", "4f 8f", "0l 3u 6f"),
    "boom_bap": ("0f 3u 8f", "0f 6u", "0r", "0l 4u 8u", "0f 4u 10p", "0f 7u 10u"),
    "lofi_house": ("0f 3f 6f 9f", "2f 6f 10f", "0f 6u 8f", "0r 8u", "3f 6f 10p", "0f 4u 8u"),
    "ambient": ("0r", "0r 6t", "0l 4u 8t", "0l 6u", "0r 8m"),
    "piano_ballad": (
        "0b 4u 8u", "0b 2v 4u 6o 8u", "0b 4f 6v 8m", "0b 0r 8t", "0b 2v 4o 6m 8t 10m", "0b 4u 6o 8u 10t",
    ),
}  # fmt: skip
WALTZ: dict[Style, tuple[tuple[Hit, ...], ...]] = {style: tuple(map(_hits, rows)) for style, rows in _WALTZ.items()}
SHORT: dict[Style, float] = {"lofi_house": 2.5, "boom_bap": 7.0, "jazzhop": 8.0}
"""Longest a chord is held, in steps, where the style plays short; elsewhere until the next hit."""


@dataclass(frozen=True, slots=True)
class Comper:
    """``steps`` per bar; ``voice`` is the instrument."""

    style: Style
    voice: Voice
    steps: int
    end: int

    def patterns(self) -> tuple[tuple[Hit, ...], ...]:
        return (PATTERNS if self.steps == 16 else WALTZ)[self.style]


def play(brief: Brief, blocks: Sequence[Block], changes: Changes, steps: int, end: int, dice: Dice) -> list[Event]:
    """The keys' part up to step ``end``, where the final chord takes over."""
    comper = Comper(brief.style, brief.keys, steps, end)
    out: list[Event] = []
    held_over = -1
    for block in blocks:
        if not block.keys:
            continue
        own = Dice(block.comp, "comp")
        family = own.shuffled(comper.patterns())[: 2 if brief.minimal else 4]
        for bar in range(block.first_bar, block.end_bar):
            if bar * steps >= end:
                break
            # Calls and answers: odd and even bars differ, the fourth breathes, now and then one surprises.
            place = (bar - block.first_bar) % 4
            pattern = family[(0, 1, 0, 2)[place] % len(family)]
            if dice.chance(0.3):
                pattern = dice.pick(family)
            start = held_over if held_over > bar * steps else bar * steps
            hits, held_over = _vary(pattern, brief, block, bar, steps, dice)
            out += _bar(comper, brief, block, changes, start, bar, hits, held_over, dice)
    return out


def _vary(
    pattern: tuple[Hit, ...], brief: Brief, block: Block, bar: int, steps: int, dice: Dice
) -> tuple[list[Hit], int]:
    """The bar as it is played this time, and the step up to which a push holds over the bar line (or −1)."""
    hits = list(pattern)
    if bar == 0 and (0, "b") not in hits and not any(step == 0 for step, _ in hits):
        hits.insert(0, (0, "f"))
    if block.intensity < 0.3:
        # Quiet sections are played plainly, though never the same way twice.
        hits = [hit for hit in hits if hit[0] == 0 or (hit[1] not in "fp" and dice.chance(0.6))] or [(0, "r")]
    elif len(hits) > 2 and dice.chance(0.2):
        hits.pop(1 + dice.below(len(hits) - 1))
    if dice.chance(0.22 + 0.15 * block.intensity) and not brief.minimal:
        used = {step for step, _ in hits}
        free = [step for step in range(3, steps) if not used & {step - 1, step, step + 1}]
        if brief.style in ("ambient", "piano_ballad"):
            free = [step for step in free if step % 2 == 0]
        if free:
            hits.append((dice.pick(free), dice.pick("tum")))
            hits.sort(key=lambda hit: hit[0])
    pushed = [step for step, kind in hits if kind == "p"]
    return hits, (bar + 1) * steps + 2 if pushed else -1


def _bar(
    comper: Comper,
    brief: Brief,
    block: Block,
    changes: Changes,
    start: int,
    bar: int,
    hits: list[Hit],
    held_over: int,
    dice: Dice,
) -> list[Event]:
    first = bar * comper.steps
    last = min(first + comper.steps, comper.end)
    placed = {first + step: [k for s, k in hits if s == step] for step, _ in hits}
    # A new chord under a held one must be heard: strike it where the pattern does not.
    for slot in changes.within(first, last):
        near = any(slot.step <= step <= slot.step + 2 for step in placed)
        if slot.step > first and not near:
            placed[slot.step] = ["u" if dice.chance(0.4) else "f"]
    at = sorted(step for step in placed if start <= step < last)
    if at and at[0] - start > 8 and start == first:
        placed[start] = ["l"]
        at.insert(0, start)
    elif not at and start == first:
        placed[start] = ["r"]
        at = [start]
    out: list[Event] = []
    for index, step in enumerate(at):
        following = at[index + 1] if index + 1 < len(at) else last
        for kind in placed[step]:
            if kind == "p":
                slot = changes.after(step) if changes.after(step).step >= last else changes.at(step)
                length = float(max(last, held_over) - step + 4)
                if slot.step < last or held_over < 0 or last >= comper.end:
                    slot, length = changes.at(step), float(last - step)
            else:
                slot = changes.at(step)
                # Legato, and never into the next chord. Single notes ring over the hits that follow.
                length = float(min(following, slot.step + slot.steps) - step)
                if kind in "bvo" or brief.style in ("ambient", "piano_ballad"):
                    length = float(max(length, min(last, slot.step + slot.steps) - step))
                elif len(out) and step % 4 and block.intensity > 0.4:
                    length = min(length, SHORT.get(brief.style, 99.0))
            pitches = _hand(kind, slot, block, brief)
            if kind in "fr" and step == slot.step and dice.chance(0.75 if brief.strict_key else 0.3):
                pitches = _rooted(pitches, slot)
            weight = {"f": 0.66, "r": 0.62, "p": 0.64, "b": 0.6, "v": 0.45, "o": 0.5}.get(kind, 0.52)
            weight += 0.12 * (block.intensity - 0.5)
            for order, pitch in enumerate(pitches):
                top = 0.04 if order == len(pitches) - 1 else 0.0
                spread = order * 3 if kind == "r" else order
                out.append(Event(step, length, pitch, weight + top, comper.voice, spread))
    return out


def _hand(kind: str, slot: Slot, block: Block, brief: Brief) -> Voicing:
    """The pitches of one hit."""
    voicing = slot.voicing
    if kind in "bvo":
        low = 36 + (slot.chord.root - 36) % 12
        low = low - 12 if low > 44 else low
        tones = slot.chord.tones()
        fifth = low + 7 if (slot.chord.root + 7) % 12 in tones else low + 12
        tenth = nearest(low + 15, tones)
        return ({"b": low, "v": fifth, "o": tenth if tenth < voicing[0] else low + 12}[kind],)
    if brief.minimal and len(voicing) > 3:
        voicing = voicing[-3:]
    if block.keys_up and voicing[-1] + 12 <= 84 and kind not in "lr":
        voicing = tuple(sorted((*voicing[1:], voicing[0] + 12)))
    if kind == "u":
        return voicing[1:]
    if kind == "l":
        return voicing[:2]
    if kind == "m":
        return voicing[1:3]
    if kind == "t":
        return voicing[-1:]
    return voicing


def _rooted(pitches: Voicing, slot: Slot) -> Voicing:
    """The voicing with its root below, where that leaves at least a fourth of room."""
    root = 43 + (slot.chord.root - 43) % 12
    return (root, *pitches) if pitches[0] - root >= 5 else pitches


def pad(brief: Brief, blocks: Sequence[Block], changes: Changes, steps: int, end: int, dice: Dice) -> list[Event]:
    """Long chords behind the keys: three voices (four if lush), the inner ones moving now and then."""
    out: list[Event] = []
    for block in blocks:
        if not block.pad:
            continue
        for slot in changes.within(block.first_bar * steps, min(block.end_bar * steps, end)):
            voicing = slot.voicing if brief.lush or not block.keys else slot.voicing[-3:]
            if dice.chance(0.3):
                voicing = tuple(sorted((*voicing[1:], voicing[0] + 12)))
            velocity = 0.5 + 0.15 * block.intensity
            turn = dice.below(len(voicing)) if slot.steps >= steps and dice.chance(0.4) else -1
            for order, pitch in enumerate(voicing):
                if order != turn:
                    out.append(Event(slot.step, slot.steps, pitch, velocity, brief.pad))
                    continue
                half = slot.steps // 2
                other = _neighbour(pitch, slot, voicing)
                out.append(Event(slot.step, half, pitch, velocity, brief.pad))
                out.append(Event(slot.step + half, slot.steps - half, other, velocity, brief.pad))
    return out


def _neighbour(pitch: int, slot: Slot, voicing: Voicing) -> int:
    """Another chord tone close by that nobody else holds."""
    for distance in (2, -2, 3, -3, 4, -4, 5, -5):
        if (pitch + distance) % 12 in slot.chord.guide_tones() and pitch + distance not in voicing:
            return pitch + distance
    return pitch
