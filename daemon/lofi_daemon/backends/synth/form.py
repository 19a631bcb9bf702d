"""The form of a piece in bars: sections for any length, and movements for long ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .dice import Dice

PartName = Literal["intro", "A", "A'", "B", "breakdown", "outro", "link"]

MOVEMENT_UNITS = 19
"""A piece longer than this many units is divided into movements."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section in bars. ``visit`` counts earlier parts of the same letter in the movement."""

    name: PartName
    first_bar: int
    bars: int
    movement: int = 0
    visit: int = 0

    @property
    def last_bar(self) -> int:
        return self.first_bar + self.bars - 1

    @property
    def theme(self) -> Literal["A", "B", "C"]:
        """Which progression it is built on."""
        return "B" if self.name == "B" else "C" if self.name == "breakdown" else "A"


@dataclass(frozen=True, slots=True)
class _Slot:
    """A part of a skeleton, in units; grown from ``least`` to ``most``."""

    name: PartName
    least: int
    most: int


def _skeleton(text: str) -> tuple[_Slot, ...]:
    names: dict[str, PartName] = {"A": "A", "a": "A'", "B": "B", "C": "breakdown"}
    return tuple(_Slot(names[word[0]], int(word[1]), int(word[2])) for word in text.split())


SKELETONS = tuple(
    map(
        _skeleton,
        (
            "A11 a11",
            "A12 B11 a12",
            "A12 a12 B12",
            "A12 B12 C11 a12",
            "A12 a12 B12 C11 A12",
            "A12 B12 C11 A12 a12",
            "A22 a12 C11 B22 A12",
            "A24 B12 a12 C12 B12 A24",
            "A22 a12 C12 B24 a24 B12",
            "A12 B22 A12 C11 a22 B22 A12",
            "A24 a22 B22 C12 A24 B22 a24",
            "A22 B24 a22 C12 B22 C11 A24 a22",
        ),
    )
)
"""Bodies between intro and outro: A, a (= A'), B, C (= breakdown), each with least and most units."""


def plan(bars: int, unit: int, dice: Dice) -> tuple[Part, ...]:
    """Sections that fill exactly ``bars`` (≥ 1) bars, built from units of ``unit`` bars (4 or 8).

    The last bar always belongs to the outro, except in a piece of one bar, which is all A.
    """
    if bars == 1:
        return (Part("A", 0, 1),)
    if bars < unit + 4:
        intro = 1 if bars >= 6 else 0
        body: list[tuple[PartName, int, int]] = [("A", bars - intro - 1, 0)]
        if body[0][1] >= 6:
            body = [("A", 4, 0), ("A'", body[0][1] - 4, 0)]
        return _numbered([("intro", intro, 0), *body, ("outro", 1, 0)])
    edge = 1 if bars < 3 * unit + 2 else 2 if bars < 8 * unit else unit
    units, spare = divmod(bars - 2 * edge, unit)
    intro, outro = edge, edge
    while spare:
        if intro <= outro and intro < 2 * edge + 2:
            intro, spare = intro + 1, spare - 1
        else:
            outro, spare = outro + 1, spare - 1
    if units <= MOVEMENT_UNITS:
        body = [(name, count * unit, 0) for name, count in _body(units, dice)]
        return _numbered([("intro", intro, 0), *body, ("outro", outro, 0)])
    movements = max(2, round(units / 12))
    playing = units - (movements - 1)
    body = []
    for movement in range(movements):
        share = playing // movements + (movement < playing % movements)
        if movement:
            body.append(("link", unit, movement))
        body += [(name, count * unit, movement) for name, count in _body(share, dice)]
    return _numbered([("intro", intro, 0), *body, ("outro", outro, movements - 1)])


def _body(units: int, dice: Dice) -> list[tuple[PartName, int]]:
    """A skeleton grown to ``units`` units."""
    if units == 1:
        return [("A", 1)]
    fitting = [s for s in SKELETONS if sum(p.least for p in s) <= units <= sum(p.most for p in s)]
    chosen = dice.pick(fitting)
    sizes = [slot.least for slot in chosen]
    while sum(sizes) < units:
        room = [i for i, slot in enumerate(chosen) if sizes[i] < slot.most]
        smallest = min(sizes[i] for i in room)
        sizes[dice.pick([i for i in room if sizes[i] == smallest])] += 1
    return [(slot.name, size) for slot, size in zip(chosen, sizes, strict=True)]


def _numbered(parts: list[tuple[PartName, int, int]]) -> tuple[Part, ...]:
    out: list[Part] = []
    seen: dict[tuple[int, str], int] = {}
    bar = 0
    for name, bars, movement in parts:
        if not bars:
            continue
        letter = (movement, name.rstrip("'"))
        out.append(Part(name, bar, bars, movement, seen.get(letter, 0)))
        seen[letter] = seen.get(letter, 0) + 1
        bar += bars
    return tuple(out)
