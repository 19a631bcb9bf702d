"""The lead: a motif stated, answered, varied and left to breathe.

A period is eight bars: call (two bars), answer (a fragment, then a rest), the call again, changed, and a
cadence that ends on a stable note before another rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .arrangement import Block
from .brief import Brief
from .dice import Dice
from .events import Event
from .harmony import Changes
from .keyscale import KeyScale
from .score import Voice
from .theory import MELODY_SCALES, PLAIN_MELODY_SCALES, SCALES, climb, nearest, pitch_classes

LOWEST, HIGHEST = 64, 86

Beats = tuple[tuple[int, int], ...]
"""(step, length) of each note in a bar."""


def _cells(text: str) -> tuple[Beats, ...]:
    return tuple(
        tuple((int(step), int(length)) for step, length in re.findall(r"(\d+):(\d+)", cell)) for cell in text.split("|")
    )


CALLS = _cells(
    "0:3 3:3 6:6|2:2 4:2 6:4 10:5|4:4 8:2 10:6|0:6 6:2 8:2 10:5|3:3 6:2 8:7|6:2 8:2 10:2 12:4|0:2 2:2 4:8|2:4 6:4 10:5"
    "|0:4 6:2 8:6|8:2 10:1 11:3 14:2|0:1 1:3 4:3 7:6|4:2 6:2 8:2 10:6"
)
REPLIES = _cells("0:9|0:4 4:8|2:2 4:8|0:2 2:8|0:6 6:7|4:10|0:3 3:9|0:2 2:2 4:2 6:8|6:8")
ANSWERS = _cells("0:4 4:8|2:2 4:2 6:8|0:2 2:2 4:9|4:4 8:7|6:2 8:8|0:3 3:3 6:8|8:2 10:6")
WALTZ_CALLS = _cells("0:4 4:2 6:5|0:6 6:2 8:4|2:2 4:4 8:4|4:4 8:4|0:3 3:3 6:5|0:2 2:2 4:7")
WALTZ_REPLIES = _cells("0:9|0:4 4:7|2:2 4:7|0:6 6:5|4:7")
WALTZ_ANSWERS = _cells("0:4 4:7|2:2 4:7|4:4 8:4|0:3 3:8|6:6")
SLOW_CALLS = _cells("0:8|4:8|0:6 8:8|2:6 8:8|8:8|0:4 4:10")
SLOW_REPLIES = _cells("0:12|4:10|0:6 6:8|8:8")

SHAPES: tuple[tuple[int, ...], ...] = (
    (0, 1, 2, 1, 0, -1), (0, 1, 3, 2, 1, 0), (2, 1, 0, -1, 0, 1), (0, -1, 1, 0, 2, 1), (0, 2, 1, 3, 2, 0),
    (3, 2, 1, 0, -1, 0), (0, 0, 1, 2, 1, -1), (0, 1, -1, 0, 1, 2), (1, 0, 2, 1, -1, 0), (0, 3, 2, 1, 0, -1),
)  # fmt: skip
"""Contours in scale degrees from the first note: arches, falls, turns and one-leap lines."""


@dataclass(frozen=True, slots=True)
class Motif:
    """``call`` and ``reply`` are the rhythm of its two bars, ``shape`` the degrees of all its notes."""

    call: Beats
    reply: Beats
    answer: Beats
    shape: tuple[int, ...]


def invent(brief: Brief, steps: int, dice: Dice) -> Motif:
    """A motif of three to seven notes."""
    if steps == 12:
        banks = (WALTZ_CALLS, WALTZ_REPLIES, WALTZ_ANSWERS)
    elif brief.style == "ambient":
        banks = (SLOW_CALLS, SLOW_REPLIES, SLOW_CALLS)
    else:
        banks = (CALLS, REPLIES, ANSWERS)
    call, reply, answer = (dice.pick(bank) for bank in banks)
    shape = dice.pick(SHAPES)
    turn = dice.below(3)
    longer = shape + tuple(reversed(shape))
    return Motif(call, reply, answer, longer[turn : turn + len(call) + len(reply)])


def play(
    brief: Brief, key: KeyScale, blocks: Sequence[Block], changes: Changes, steps: int, end: int, dice: Dice
) -> list[Event]:
    """The lead part up to step ``end``. Themes return: A and A' share a motif within a movement."""
    motifs: dict[tuple[int, str], Motif] = {}
    out: list[Event] = []
    for number, block in enumerate(blocks):
        theme = (block.part.movement, block.part.theme)
        if theme not in motifs:
            motifs[theme] = invent(brief, steps, dice)
        if not block.lead:
            continue
        line = _Line(brief, key, changes, block.lead_voice, steps, dice)
        motif = motifs[theme]
        freedom = 0.12 + 0.1 * (block.part.name == "A'") + 0.05 * min(number, 4)
        anchor = dice.pick((71, 74, 76)) + (2 if block.part.name == "B" else 0)
        for half in range(0, block.bars, 4):
            _phrase(line, motif, block, half, anchor, freedom, dice)
        out += [event for event in line.events if event.step < end - steps // 4]
    return _singly(out, end)


def _phrase(line: _Line, motif: Motif, block: Block, half: int, anchor: int, freedom: float, dice: Dice) -> None:
    """Up to four bars: the motif, a fragment of it, a rest. The second phrase of a block closes."""
    bar = (block.first_bar + half) * line.steps
    left = min(4, block.bars - half)
    closing = half % 8 == 4 or left < 4
    shape = list(motif.shape)
    call, reply, answer = motif.call, motif.reply, motif.answer
    shift = 0
    if half or block.part.visit:
        roll = dice.unit()
        if roll < 0.35:
            shift = dice.pick((-1, 1, 2))
        elif roll < 0.75:
            shape[-1] += dice.pick((-2, -1, 1, 2))
        if dice.chance(freedom):
            reply = dice.pick(WALTZ_REPLIES if line.steps == 12 else REPLIES)
    if line.brief.lead_density < 1:
        call = tuple(
            note for i, note in enumerate(call) if i == 0 or not dice.chance(0.5 * (1 - line.brief.lead_density))
        )
    notes = [(bar + step, length) for step, length in call]
    if left >= 2:
        notes += [(bar + line.steps + step, length) for step, length in reply]
    while len(shape) < len(notes):
        shape.append(shape[-1] - 1)
    line.sing(notes, [degree + shift for degree in shape], anchor, freedom, 0.66, closing=False)
    if left >= 3 and dice.chance(0.85 * min(1.0, line.brief.lead_density + 0.2)):
        third = bar + 2 * line.steps
        tail = [(third + step, length) for step, length in answer]
        start = dice.pick((1, 2, 0))
        fall = [start - i for i in range(len(tail))] if closing else [start + (i % 3) - 1 for i in range(len(tail))]
        line.sing(tail, fall, anchor - (2 if closing else 0), freedom, 0.58, closing=closing)
    if left >= 4 and dice.chance(0.12) and line.brief.lead_density >= 1 and line.steps == 16:
        line.sing(
            [(bar + 3 * line.steps + 12, 2), (bar + 3 * line.steps + 14, 2)], [0, 1], anchor, 0.0, 0.5, closing=False
        )


class _Line:
    """Turns degrees into notes that fit the chords of the moment."""

    def __init__(self, brief: Brief, key: KeyScale, changes: Changes, voice: Voice, steps: int, dice: Dice) -> None:
        self.brief = brief
        self.steps = steps
        self.events: list[Event] = []
        self._home = pitch_classes(key.tonic, SCALES[key.mode])
        scales = PLAIN_MELODY_SCALES if brief.strict_key else MELODY_SCALES
        self._scale = pitch_classes(key.tonic, scales[key.mode])
        self._stable = frozenset({key.tonic, (key.tonic + SCALES[key.mode][2]) % 12, (key.tonic + 7) % 12})
        self._changes = changes
        self._voice = voice
        self._dice = dice

    def sing(
        self,
        notes: Sequence[tuple[int, int]],
        degrees: Sequence[int],
        anchor: int,
        freedom: float,
        velocity: float,
        *,
        closing: bool,
    ) -> None:
        """Adds one figure. Strong and long notes become chord tones; after a leap the line steps back."""
        before: int | None = None
        leap = 0
        for index, ((step, length), degree) in enumerate(zip(notes, degrees, strict=False)):
            slot = self._changes.at(step)
            tones = slot.chord.guide_tones()
            scale = self._fitting(slot.chord.tones(), tones)
            pitch = climb(anchor, degree, scale)
            if before is not None and abs(leap) > 4:
                pitch = climb(before, -1 if leap > 0 else 1, scale)
            last = index == len(notes) - 1
            if step % 4 == 0 or length >= 4 or (closing and last):
                resting = (tones & self._scale) or tones
                if closing and last:
                    resting = (slot.chord.tones() & self._stable) or resting
                pitch = nearest(pitch, resting)
                if pitch == before and not last and len(resting) > 1:
                    # Snapping to the chord flattens the line; keep it moving the way it was going.
                    pitch = climb(pitch, 1 if degree >= degrees[index - 1] else -1, resting)
            elif pitch == before and self._dice.chance(0.7):
                pitch = climb(pitch, 1 if degree >= degrees[index - 1] else -1, scale)
            pitch = self._in_range(pitch, before, slot.voicing[-1] if slot.voicing else LOWEST)
            arc = 0.05 if 0 < index < len(notes) - 1 else -0.02
            self._ornament(step, length, pitch, scale, freedom, velocity, before)
            self.events.append(Event(step, length, pitch, velocity + arc, self._voice))
            leap = pitch - before if before is not None else 0
            before = pitch

    def _fitting(self, tones: frozenset[int], guide: frozenset[int]) -> frozenset[int]:
        """The melody's scale, without the notes that rub against a borrowed chord tone."""
        foreign = tones - self._home
        rubbing = {(tone + side) % 12 for tone in foreign for side in (-1, 1)}
        return (self._scale - rubbing) | guide

    def _ornament(
        self,
        step: int,
        length: int,
        pitch: int,
        scale: frozenset[int],
        freedom: float,
        velocity: float,
        before: int | None,
    ) -> None:
        """Sometimes a grace note leads in from a neighbour."""
        if length < 3 or not self._dice.chance(freedom * 0.8) or self.brief.lead_density < 1 or step < self.steps:
            return
        neighbour = climb(pitch, self._dice.pick((-1, 1, 1)), scale)
        if neighbour != pitch and neighbour != before and neighbour <= HIGHEST:
            self.events.append(Event(step - 1, 1, neighbour, velocity - 0.16, self._voice))

    def _in_range(self, pitch: int, before: int | None, above: int) -> int:
        """By octaves: near the note before, not under the chord's top note, inside the lead's range."""
        if before is not None:
            while pitch - before > 7:
                pitch -= 12
            while before - pitch > 7:
                pitch += 12
        low = max(LOWEST, min(above, HIGHEST - 11))
        while pitch < low:
            pitch += 12
        while pitch > HIGHEST:
            pitch -= 12
        return pitch


def _singly(events: list[Event], end: int) -> list[Event]:
    """One note at a time, in order, each over by the next one and by ``end``."""
    events.sort(key=lambda event: (event.step, event.velocity))
    by_step = {event.step: event for event in events}
    ordered = [by_step[step] for step in sorted(by_step)]
    out = []
    for index, event in enumerate(ordered):
        following = ordered[index + 1].step if index + 1 < len(ordered) else end
        out.append(
            Event(event.step, min(event.length, following - event.step), event.pitch, event.velocity, event.voice)
        )
    return out
