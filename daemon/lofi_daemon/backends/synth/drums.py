"""The drummer: a kit of patterns per style, played with ghosts, drops, openings and fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .arrangement import Block
from .brief import Brief
from .dice import Dice
from .events import Event, Parts
from .score import Style, Voice

Row = tuple[tuple[int, float], ...]
"""(step, velocity) pairs; written as one digit a step, the digit being ninths of full velocity."""


def _row(text: str) -> Row:
    return tuple((step, int(sign) / 9) for step, sign in enumerate(text) if sign != ".")


def _rows(*texts: str) -> tuple[Row, ...]:
    return tuple(map(_row, texts))


@dataclass(frozen=True, slots=True)
class Kit:
    """Choices of one style in one metre. ``fills`` are (snare row, kick row up to the fill)."""

    kicks: tuple[Row, ...]
    snares: tuple[Row, ...]
    eighths: Row
    sixteenths: Row
    ride: Row
    shaker: Row
    ghosts: tuple[int, ...]
    opens: tuple[int, ...]
    fills: tuple[Row, ...]


_EIGHTHS, _SIXTEENTHS = "6.5.6.5.6.5.6.53", "7354735473547354"
_RIDE = "7.536.537.536.53"
_SHAKER = "3242324232423242"
_FILLS = _rows("....8......34.55", "....8...7..3.445", "....8.....4.5.66", "....8...6.6.6.66", "....8..3.43.4455")

KITS: dict[Style, Kit] = {
    "chillhop": Kit(
        kicks=_rows("8.....5.7.......", "8.....4..46.....", "8.........7.....", "8..5......6.....",
                    "8......57...4...", "7.....6...6..4..", "8.4.......7..5.."),
        snares=_rows("....8.......8...", "....8.......8..3"),
        eighths=_row(_EIGHTHS), sixteenths=_row(_SIXTEENTHS), ride=_row(_RIDE), shaker=_row(_SHAKER),
        ghosts=(7, 9, 15), opens=(14, 6, 10), fills=_FILLS,
    ),
    "jazzhop": Kit(
        kicks=_rows("8.....6...5.....", "7.........6.....", "8..4......6..4..", "7.....5.7.......",
                    "6......5..6...4.", "8...............", "7..5....6....4.."),
        snares=_rows("....7.......7...", "....7.....3.7...", "....7..3....7..."),
        eighths=_row("5.4.5.4.5.4.5.43"), sixteenths=_row("5.425.425.425.42"), ride=_row(_RIDE), shaker=_row(_SHAKER),
        ghosts=(2, 7, 9, 10, 15), opens=(14, 6),
        fills=_rows("....7..3.4.45.55", "....7.....5.5.55", "....7..4..5..56."),
    ),
    "boom_bap": Kit(
        kicks=_rows("9......6.8......", "9..5....8.6.....", "9.........86....", "9.6.......8.....",
                    "9......5..8..6..", "9..6......8....."),
        snares=_rows("....9.......9...", "....9.......9..4", "....9..3....9..."),
        eighths=_row("8.6.8.6.8.6.8.64"), sixteenths=_row("7363736373637364"), ride=_row("7.5.7.5.7.5.7.5."),
        shaker=_row(_SHAKER), ghosts=(7, 9, 15), opens=(14, 10, 2), fills=_FILLS,
    ),
    "lofi_house": Kit(
        kicks=_rows("9...9...9...9...", "9...9...9...9..4", "9...9...9..59...", "9...9.4.9...9...", "9...9...9...9.5."),
        snares=_rows("....6.......6...", "....6.......6..3", "....6..3....6..."),
        eighths=_row("..6...6...6...6."), sixteenths=_row("3.63..633.63..63"), ride=_row("..5...5...5...5."),
        shaker=_row("3232323232323232"), ghosts=(7, 11, 15), opens=(2, 6, 10, 14),
        fills=_rows("....6...3.3.4455", "....6.....4.4.56", "....6..3..4.5.56"),
    ),
    "ambient": Kit(
        kicks=_rows("6...............", "6.........4.....", "5.......5.......", "6.............3."),
        snares=_rows("........5.......", "........4......2"),
        eighths=_row("4...3...4...3..."), sixteenths=_row("4.2.3.2.4.2.3.2."), ride=_row("4...3...4...3..."),
        shaker=_row("2.1.2.1.2.1.2.1."), ghosts=(13,), opens=(14,), fills=_rows("........5...3.34"),
    ),
    "piano_ballad": Kit(
        kicks=_rows("6.........4.....", "6.......5.......", "6......4........", "6...............", "6.....3...5....."),
        snares=_rows("....5.......5...", "........6......."),
        eighths=_row("4.3.4.3.4.3.4.3."), sixteenths=_row("4.324.324.324.32"), ride=_row("5.3.4.3.5.3.4.3."),
        shaker=_row("2.1.2.1.2.1.2.1."), ghosts=(7, 15), opens=(14,),
        fills=_rows("....5.....3.3.44", "....5...3..3.444"),
    ),
}  # fmt: skip


def _waltz(kicks: tuple[Row, ...], snares: tuple[Row, ...]) -> Kit:
    return Kit(
        kicks=kicks,
        snares=snares,
        eighths=_row("6.5.5.5.5.54"),
        sixteenths=_row("735453545354"),
        ride=_row("7.5.536.5.53"),
        shaker=_row("324232423242"),
        ghosts=(3, 7, 11),
        opens=(10, 6),
        fills=_rows("....6..34455", "....6.5.5.66", "....5...4.45"),
    )


WALTZ: dict[Style, Kit] = {
    "chillhop": _waltz(
        _rows("8...........", "8......5....", "8.....6...4.", "8..5........"), _rows("........7...", "....5...7...")
    ),
    "jazzhop": _waltz(
        _rows("7...........", "7.....5.....", "7.........4.", "7..4...4...."), _rows("....5...6...", "........7...")
    ),
    "boom_bap": _waltz(
        _rows("9.....6.....", "9..5........", "9......5..6.", "9.6........."), _rows("....8...8...", "........9...")
    ),
    "lofi_house": _waltz(_rows("9...7...7...", "9...7...7..4", "9.....6....."), _rows("....5...6...", "........6...")),
    "ambient": _waltz(_rows("6...........", "5.....3....."), _rows("........4...")),
    "piano_ballad": _waltz(
        _rows("6...........", "6.......4...", "6.....3....."), _rows("........5...", "....3...5...")
    ),
}

SOFT_KIT = ("ambient", "piano_ballad")


def play(brief: Brief, blocks: Sequence[Block], steps: int, end: int, dice: Dice) -> Parts:
    """All drum layers up to step ``end``."""
    kit = (KITS if steps == 16 else WALTZ)[brief.style]
    parts: Parts = {"kick": [], "snare": [], "hat": [], "shaker": [], "ride": []}
    kicks: list[Row] = []
    movement = -1
    for number, block in enumerate(blocks):
        if block.part.movement != movement:
            movement = block.part.movement
            kicks = dice.shuffled(kit.kicks)[:4]
        pair = (kicks[number % len(kicks)], kicks[(number + 1) % len(kicks)])
        snare_row = dice.pick(kit.snares)
        for bar in range(block.first_bar, block.end_bar):
            at = bar * steps
            if at >= end:
                break
            inside = bar - block.first_bar
            closes = bar == block.end_bar - 1 and block.bars >= 4
            fills = brief.fills and closes and block.intensity > 0.45 and dice.chance(0.75)
            if block.kick:
                row = pair[inside % 2] if inside % 4 != 3 or dice.chance(0.5) else dice.pick(kicks)
                parts["kick"] += _kick(row, at, steps // 2 if fills else steps, brief, dice)
            if block.snare:
                parts["snare"] += _snare(
                    kit, dice.pick(kit.fills) if fills else snare_row, at, block, brief, fills, dice
                )
            if block.hats != "off":
                parts["hat"] += _hats(kit, at, steps, block, inside, brief, dice)
            if block.shaker:
                parts["shaker"] += [
                    Event(at + s, 1, 0, v * (0.8 + 0.3 * block.intensity), "shaker")
                    for s, v in kit.shaker
                    if not dice.chance(0.05)
                ]
            if block.ride:
                parts["ride"] += [
                    Event(at + s, 3, 0, v, "ride") for s, v in kit.ride if s % 4 == 0 or not dice.chance(0.15)
                ]
    return {
        layer: [event for event in events if event.step < end]
        for layer, events in parts.items()
        if layer not in brief.silent
    }


def _kick(row: Row, at: int, until: int, brief: Brief, dice: Dice) -> list[Event]:
    """Off-beat kicks are dropped or moved now and then; the first stays."""
    out = []
    for step, velocity in row:
        anchored = step == 0 or (brief.style == "lofi_house" and step % 4 == 0)
        if step >= until or (not anchored and dice.chance(0.14)):
            continue
        out.append(Event(at + step, 2, 0, velocity, "kick"))
    if until >= 12 and brief.style not in ("lofi_house", *SOFT_KIT) and dice.chance(0.1):
        step = dice.pick((3, 7, 10, 11)) if until == 16 else dice.pick((3, 7, 10))
        if all(event.step != at + step for event in out):
            out.append(Event(at + step, 2, 0, 0.5, "kick"))
    return sorted(out, key=lambda event: event.step)


def _snare(kit: Kit, row: Row, at: int, block: Block, brief: Brief, fills: bool, dice: Dice) -> list[Event]:
    quiet: Voice = brief.snare if brief.snare != "snare" or block.intensity > 0.5 else "rim"
    out: dict[int, Event] = {}
    for step, velocity in row:
        ghostly = velocity < 0.4 and not fills
        voice: Voice = "ghost" if ghostly and quiet in ("snare", "clap") else quiet
        # Fills crescendo on the snare itself: a clap or rim would sound mechanical.
        if fills and step % 4 and quiet == "clap":
            voice = "rim"
        out[step] = Event(at + step, 1, 0, velocity * (0.55 if ghostly else 0.85 if fills and step > 8 else 1), voice)
    for step in kit.ghosts:
        odds = 0.45 if brief.style in ("lofi_house", "piano_ballad") else 0.5 + 0.3 * (block.intensity - 0.5)
        if step not in out and not fills and dice.chance(odds * (0.4 if brief.minimal else 1)):
            out[step] = Event(at + step, 1, 0, dice.between(0.2, 0.3), "ghost" if quiet != "brush" else "brush")
    return [out[step] for step in sorted(out)]


def _hats(kit: Kit, at: int, steps: int, block: Block, inside: int, brief: Brief, dice: Dice) -> list[Event]:
    row = kit.sixteenths if block.hats == "sixteenths" else kit.eighths
    if block.hats == "quarters":
        row = tuple((step, velocity) for step, velocity in row if step % 4 == (2 if brief.style == "lofi_house" else 0))
    opened = dice.pick(kit.opens) if inside % 4 == 3 or dice.chance(0.08) else -1
    always_open = brief.style == "lofi_house"
    out = []
    for step, velocity in row:
        if dice.chance(0.04 if step % 4 else 0.02):
            continue
        wide = step == opened or (always_open and step % 4 == 2)
        voice: Voice = "open_hat" if wide else "hat"
        out.append(Event(at + step, 2 if wide else 1, 0, velocity * (0.75 + 0.3 * block.intensity), voice))
    if block.hats != "quarters" and not brief.minimal and dice.chance(0.2):
        step = dice.pick(range(1, steps, 2))
        if all(event.step != at + step for event in out):
            out.append(Event(at + step, 1, 0, 0.3, "hat"))
    return sorted(out, key=lambda event: event.step)
