"""How progressions are laid over the form, and the voicings the keys play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .dice import Dice
from .form import Part
from .keyscale import KeyScale
from .lexicon import ProgressionHint
from .progressions import BITTERSWEET, GENTLE, HOME, PROGRESSIONS, RELATIVE, SUBSTITUTES, Steps
from .theory import QUALITIES, SCALES, ChordType, Voicing, lead_voices, pitch_classes
from .tonality import clarity


@dataclass(frozen=True, slots=True)
class Slot:
    """One chord: from ``step`` for ``steps`` sixteenths, as the keys voice it."""

    step: int
    steps: int
    chord: ChordType
    voicing: Voicing = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """``bars_per_chord`` is .5, 1 or 2; ``jazz`` 0…1 how readily chords are substituted; ``strict`` keeps
    borrowed notes out, because the listener asked for the key."""

    key: KeyScale
    bars_per_chord: float
    jazz: float
    strict: bool
    hint: ProgressionHint | None
    centre: float


def lay_out(
    plan: Plan, parts: Sequence[Part], steps_per_bar: int, last_step: int, seed: int, draft: int
) -> tuple[Slot, ...]:
    """Voiced chords for the whole piece; the final chord, the tonic, begins at ``last_step``.

    A few layouts are tried until one states the key clearly; the clearest is kept if none does.
    """
    best: list[Slot] = []
    best_clarity = -2.0
    for attempt in range(STRICT_ATTEMPTS if plan.strict else ATTEMPTS):
        slots = _slots(plan, parts, steps_per_bar, last_step, Dice(seed, "harmony", draft, attempt))
        found = clarity(_weights(slots), plan.key)
        if found > best_clarity:
            best, best_clarity = slots, found
        if found >= CLEAR:
            break
    return _voice(plan, best, parts, steps_per_bar, Dice(seed, "voicing", draft))


CLEAR = 0.06
ATTEMPTS, STRICT_ATTEMPTS = 4, 8
BASS_WEIGHT = 0.8


def _weights(slots: Sequence[Slot]) -> list[float]:
    """How long each pitch class sounds, the bass on the root included."""
    weights = [0.0] * 12
    for slot in slots:
        weights[slot.chord.root] += BASS_WEIGHT * slot.steps
        for interval in QUALITIES[slot.chord.quality].voicing:
            weights[(slot.chord.root + interval) % 12] += slot.steps
    return weights


def _slots(plan: Plan, parts: Sequence[Part], steps_per_bar: int, last_step: int, dice: Dice) -> list[Slot]:
    """The chords of the piece, not yet voiced."""
    slots: list[Slot] = []
    books: dict[tuple[int, str], tuple[KeyScale, Steps]] = {}
    used: list[Steps] = []
    for part in parts:
        book = (part.movement, part.theme)
        if book not in books:
            key = _key_of(plan, part, dice)
            steps = _choose(plan, key, used, dice)
            used.append(steps)
            books[book] = (key, steps)
        slots += _part(plan, part, *books[book], steps_per_bar, dice)
    home = ChordType(plan.key.tonic, dice.pick(HOME[plan.key.mode]))
    end = parts[-1].last_bar * steps_per_bar + steps_per_bar
    return _finish(plan, slots, home, last_step, end)


def outside(chord: ChordType, key: KeyScale) -> int:
    """How many notes of the chord are not in the key."""
    return len(chord.tones() - pitch_classes(key.tonic, SCALES[key.mode]))


def _key_of(plan: Plan, part: Part, dice: Dice) -> KeyScale:
    """Home, except for the breakdown and some middle movements, which visit the relative key."""
    away, mode = RELATIVE[plan.key.mode]
    relative = KeyScale((plan.key.tonic + away) % 12, mode)
    if part.theme == "C":
        if not plan.strict and plan.key.mode == "major" and dice.chance(0.3):
            return KeyScale((plan.key.tonic + 5) % 12, "major")
        return relative
    if part.theme == "A" and part.movement and dice.chance(0.35):
        return relative
    return plan.key


def _choose(plan: Plan, key: KeyScale, used: Sequence[Steps], dice: Dice) -> Steps:
    """A progression of the key, not heard before if possible; of the first, one that shows the tonic."""
    choices = PROGRESSIONS[key.mode]
    if plan.hint == "bittersweet" and key.mode == "major" and not used:
        choices = BITTERSWEET
    elif plan.hint == "gentle" and not used:
        choices = GENTLE.get(key.mode, choices)
    if plan.strict:
        choices = tuple(
            c for c in choices if sum(outside(ChordType((key.tonic + s) % 12, q), key) for s, q in c) <= 1
        ) or choices  # fmt: skip
    fresh = tuple(c for c in choices if c not in used) or choices
    if not used:
        fresh = tuple(c for c in fresh if any(step == 0 for step, _ in c)) or fresh
    return dice.pick(fresh)


def _part(plan: Plan, part: Part, key: KeyScale, steps: Steps, bar: int, dice: Dice) -> list[Slot]:
    """The progression over one part, with a substitution or a turnaround in most second halves."""
    length = max(bar // 4, round(bar * plan.bars_per_chord))
    length = min(length, 2 * bar)
    count = -(-part.bars * bar // length)
    # An intro comes in so that the cycle ends where the next part begins it again.
    offset = (-count) % len(steps) if part.name in ("intro", "link") else 0
    slots: list[Slot] = []
    end = part.first_bar * bar + part.bars * bar
    for index in range(count):
        place = (index + offset) % len(steps)
        at = part.first_bar * bar + index * length
        interval, quality = steps[place]
        statement = (index + offset) // len(steps)
        varies = statement % 2 == 1 or part.visit > 0 or part.name == "A'"
        if varies and place and dice.chance(0.18 + 0.35 * plan.jazz):
            options = SUBSTITUTES[key.mode].get((interval, quality), ())
            if options:
                interval, quality = dice.pick(options)
        slots.append(Slot(at, min(length, end - at), ChordType((key.tonic + interval) % 12, quality)))
    _turn_round(plan, key, slots, bar, dice)
    return slots


def _turn_round(plan: Plan, key: KeyScale, slots: list[Slot], bar: int, dice: Dice) -> None:
    """Splits the last chord of some four-bar groups to lead into the next one."""
    for index in range(len(slots) - 1, 0, -1):
        slot, after = slots[index], slots[(index + 1) % len(slots)]
        group_end = (slot.step - slots[0].step + slot.steps) % (4 * bar) == 0
        if not group_end or slot.steps < bar or not dice.chance(0.25 + 0.6 * plan.jazz):
            continue
        target = after.chord
        options = _approaches(target)
        if plan.strict:
            options = [o for o in options if outside(o, key) <= 1]
        options = [o for o in options if o != slot.chord and o != target]
        if not options:
            continue
        half = slot.steps // 2 if slot.steps <= bar else slot.steps - bar // 2
        half -= half % 2
        approach = dice.pick(options)
        slots[index : index + 1] = [
            replace(slot, steps=half),
            Slot(slot.step + half, slot.steps - half, approach),
        ]


def _approaches(target: ChordType) -> list[ChordType]:
    """Chords that lead to the target: its dominant, that chord's tritone substitute, its own ii."""
    minor = target.quality.startswith("m") and not target.quality.startswith("maj")
    return [
        ChordType((target.root + 7) % 12, "7b9" if minor else "13"),
        ChordType((target.root + 7) % 12, "9sus4"),
        ChordType((target.root + 1) % 12, "13"),
        ChordType((target.root + 2) % 12, "m7b5" if minor else "m9"),
    ]


def _finish(plan: Plan, slots: list[Slot], home: ChordType, last_step: int, end: int) -> list[Slot]:
    """Cuts the harmony at the final chord and leads into it."""
    kept = [replace(s, steps=min(s.steps, last_step - s.step)) for s in slots if s.step < last_step]
    if kept and len(kept) > 1:
        minor = plan.key.mode in ("minor", "dorian")
        cadence = ChordType((plan.key.tonic + (10 if minor else 7)) % 12, "9sus4")
        if plan.key.mode == "lydian":
            cadence = ChordType((plan.key.tonic + 2) % 12, "6/9")
        kept[-1] = replace(kept[-1], chord=cadence)
    return [*kept, Slot(last_step, end - last_step, home)]


def _voice(plan: Plan, slots: Sequence[Slot], parts: Sequence[Part], bar: int, dice: Dice) -> tuple[Slot, ...]:
    """Voices the slots one after the other; a chord that returns tries another inversion."""
    recent: dict[ChordType, tuple[Voicing, ...]] = {}
    before: Voicing | None = None
    out: list[Slot] = []
    at = 0
    for slot in slots:
        while slot.step >= (parts[at].last_bar + 1) * bar and at < len(parts) - 1:
            at += 1
            # A new part may open in another place on the keyboard.
            if dice.chance(0.4):
                before = None
        lift = {"B": 2.0, "A'": 1.0, "breakdown": -1.0}.get(parts[at].name, 0.0)
        avoid = frozenset(recent.get(slot.chord, ()))
        voicing = lead_voices(slot.chord, before, centre=plan.centre + lift, avoid=avoid)
        recent[slot.chord] = (*recent.get(slot.chord, ())[-2:], voicing)
        out.append(replace(slot, voicing=voicing))
        before = voicing
    return tuple(out)


class Changes:
    """The chords of a piece, looked up by step."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = tuple(slots)
        self._index = [i for i, slot in enumerate(self.slots) for _ in range(slot.steps)]

    def at(self, step: float) -> Slot:
        """The chord sounding at a step; the last one for any step beyond the end."""
        return self.slots[self._index[min(int(step), len(self._index) - 1)]]

    def after(self, step: float) -> Slot:
        """The chord that follows the one sounding at a step."""
        return self.slots[min(self._index[min(int(step), len(self._index) - 1)] + 1, len(self.slots) - 1)]

    def within(self, start: int, end: int) -> list[Slot]:
        """The chords sounding in [start, end), cut to it."""
        out = []
        step = start
        while step < min(end, len(self._index)):
            slot = self.at(step)
            stop = min(end, slot.step + slot.steps)
            out.append(Slot(step, stop - step, slot.chord, slot.voicing))
            step = stop
        return out
