"""The bass player: roots with somewhere to go, one note at a time, between E1 and A2."""

from __future__ import annotations

from collections.abc import Sequence

from .arrangement import Block
from .brief import Brief
from .dice import Dice
from .events import Event
from .harmony import Changes, Slot
from .score import Style
from .theory import nearest

LOWEST, HIGHEST = 28, 45

Figure = tuple[tuple[int, str], ...]
"""Steps and degrees: R root, 5 fifth, 8 octave, 3 third, 7 seventh, a approach to the next root."""


def _figure(text: str) -> Figure:
    return tuple((int(word[:-1]), word[-1]) for word in text.split())


_FIGURES: dict[Style, tuple[str, ...]] = {
    "chillhop": ("0R 6R 105", "0R 7R 14a", "0R 65 105 14a", "0R 10R 14a", "0R 38 6R 14a", "0R 6R 85 14a", "0R 87"),
    "jazzhop": ("0R 43 85 12a", "0R 45 88 12a", "0R 6R 85 14a", "0R 47 85 12a", "0R 43 85 117 14a", "0R 85 12a"),
    "boom_bap": ("0R 3R 10R", "0R 6R 105 14a", "0R 3R 75 108", "0R 10R 14a", "0R 2R 78 105", "0R 8R 11R 14a"),
    "lofi_house": ("2R 6R 10R 14R", "2R 6R 108 14R", "0R 3R 6R 108 14a", "2R 68 10R 145", "0R 6R 10R 135"),
    "ambient": ("0R", "0R 85"),
    "piano_ballad": ("0R", "0R 85", "0R 12a"),
}  # fmt: skip
FIGURES: dict[Style, tuple[Figure, ...]] = {style: tuple(map(_figure, rows)) for style, rows in _FIGURES.items()}
WALTZ: tuple[Figure, ...] = tuple(map(_figure, ("0R 85", "0R 8a", "0R 6R 10a", "0R 45 8a", "0R")))


def play(brief: Brief, blocks: Sequence[Block], changes: Changes, steps: int, end: int, dice: Dice) -> list[Event]:
    """The bass part up to step ``end``. Each block keeps two or three figures and bends them."""
    out: list[Event] = []
    near = 36
    for block in blocks:
        if not block.bass:
            continue
        own = Dice(block.bass_line, "figures")
        family = own.shuffled(FIGURES[brief.style] if steps == 16 else WALTZ)[:3]
        for bar in range(block.first_bar, block.end_bar):
            figure = family[bar % 2] if dice.chance(0.7) else dice.pick(family)
            if block.intensity < 0.45:
                figure = tuple(hit for hit in figure if hit[0] % 8 == 0 or dice.chance(0.4)) or ((0, "R"),)
            first = bar * steps
            for slot in changes.within(first, min(first + steps, end)):
                hits = _fitted(figure, slot, first, dice)
                near = _write(out, brief, block, changes, slot, hits, near, dice)
    return _one_at_a_time(out, end)


def _fitted(figure: Figure, slot: Slot, first: int, dice: Dice) -> list[tuple[int, str]]:
    """The part of the figure under this chord, beginning with its root unless the figure avoids the beat."""
    hits = [(first + step, degree) for step, degree in figure if slot.step <= first + step < slot.step + slot.steps]
    offbeat = figure[0][0] != 0
    if not hits or (hits[0][0] != slot.step and not (offbeat and slot.step == first)):
        hits.insert(0, (slot.step, "R"))
    # The chord's first note is its root, whatever the figure says there.
    hits[0] = (hits[0][0], "R")
    kept = [hit for index, hit in enumerate(hits) if index == 0 or dice.chance(0.85)]
    return [hit for hit in kept if hit[1] != "a" or dice.chance(0.75)]


def _write(
    out: list[Event],
    brief: Brief,
    block: Block,
    changes: Changes,
    slot: Slot,
    hits: list[tuple[int, str]],
    near: int,
    dice: Dice,
) -> int:
    """Adds the hits; returns the root played, so that the next one stays close."""
    root = _closest(slot.chord.root, near)
    tones = slot.chord.tones()
    for index, (step, degree) in enumerate(hits):
        length = (hits[index + 1][0] if index + 1 < len(hits) else slot.step + slot.steps) - step
        if brief.style == "lofi_house":
            length = min(length, 3)
        pitch = root
        if degree == "5":
            pitch = _inside(root + (7 if (slot.chord.root + 7) % 12 in tones else 12))
        elif degree == "8":
            pitch = root + 12 if root + 12 <= HIGHEST else root - 12 if root - 12 >= LOWEST else root
        elif degree == "3":
            pitch = _inside(nearest(root + 4, tones - {slot.chord.root}))
        elif degree == "7":
            pitch = _inside(nearest(root + 10, tones - {slot.chord.root}) - 12)
        elif degree == "a":
            goal = _closest(changes.after(step).chord.root, root)
            pitch = _inside(goal + dice.pick((-1, 1, -2, 7, -5)))
        accent = 0.72 if index == 0 else 0.56
        out.append(Event(step, length, pitch, accent + 0.15 * (block.intensity - 0.5), brief.bass))
    return root


def _closest(pitch_class: int, near: int) -> int:
    """The note of that class in the bass range nearest to ``near``, leaning low."""
    choices = [p for p in range(LOWEST, HIGHEST + 1) if p % 12 == pitch_class]
    return min(choices, key=lambda p: (abs(p - near) + 0.6 * abs(p - 35), p))


def _inside(pitch: int) -> int:
    while pitch > HIGHEST:
        pitch -= 12
    while pitch < LOWEST:
        pitch += 12
    return pitch


def _one_at_a_time(events: list[Event], end: int) -> list[Event]:
    """Sorted, each note over by the next one's start and by ``end``."""
    events.sort(key=lambda event: event.step)
    out: list[Event] = []
    for index, event in enumerate(events):
        following = events[index + 1].step if index + 1 < len(events) else end
        length = min(event.length, following - event.step)
        if length > 0:
            out.append(Event(event.step, length, event.pitch, event.velocity, event.voice))
    return out
