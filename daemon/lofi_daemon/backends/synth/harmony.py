"""Progressions, how they are laid over the form, and the voicings the keys play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .dice import Dice
from .form import Part
from .keyscale import KeyScale, Mode
from .lexicon import ProgressionHint
from .theory import QUALITIES, SCALES, ChordType, Voicing, lead_voices, pitch_classes
from .tonality import clarity

Steps = tuple[tuple[int, str], ...]
"""(semitones above the tonic, quality) of each chord."""


def _steps(text: str) -> Steps:
    return tuple((int(word.split(":")[0]), word.split(":")[1]) for word in text.split())


# Ninths everywhere would tilt every piece to the key of its dominant (major sevenths and ninths are full of
# its notes): each row is balanced by sixths, suspensions and elevenths so that its own key explains it best.
_PROGRESSIONS: dict[Mode, tuple[str, ...]] = {
    "major": (
        "2:m9 7:9sus4 0:6/9 9:m7",
        "2:m9 7:13 0:6/9 9:m7",
        "2:m11 7:13 0:maj7 9:m7",
        "5:maj9 4:m7 2:m9 7:9sus4",
        "5:maj7 4:m7 2:m9 0:6/9",
        "0:maj9 9:m7 5:6/9 7:9sus4",
        "0:maj9 9:m7 2:m9 7:9sus4",
        "0:6/9 4:m7 5:maj7 5:6/9",
        "5:maj7 7:9sus4 4:m7 9:m7",
        "0:maj9 2:m9 5:maj7 0:6/9",
        "0:6/9 2:m9 4:m7 5:maj7",
        "9:m9 5:maj9 0:maj9 7:9sus4",
        "5:maj9 0:6/9 2:m9 9:m11",
        "0:6/9 5:maj9 0:maj9 2:m11",
        "5:6/9 9:m7 2:m9 0:maj9",
        "2:m9 7:9sus4 0:maj9 5:maj7",
        "5:maj7 5:m9 0:maj9 9:m7",
        "5:maj9 5:m6/9 0:maj9 0:6/9",
        "0:maj9 8:maj9 5:maj9 5:m9",
        "0:6/9 9:7b9 2:m9 7:9sus4",
        "0:maj7 5:9 2:m9 7:9sus4",
        "0:6/9 4:7b9 9:m7 5:maj7",
    ),
    "minor": (
        "0:m9 8:maj9 3:6/9 10:9sus4",
        "0:m9 8:maj7 3:6/9 10:9",
        "0:m9 5:m9 8:maj9 7:7b9",
        "8:maj9 10:9sus4 0:m9 0:m11",
        "8:maj7 10:6/9 0:m9 0:m7",
        "0:m9 2:m7b5 7:7b9 0:m7",
        "0:m7 10:9sus4 8:maj7 7:m7",
        "8:maj9 7:m7 5:m9 0:m7",
        "8:maj7 7:m7add11 5:m9 0:m9",
        "5:m9 10:13 3:maj9 8:maj9",
        "0:m9 3:maj9 8:maj9 10:9sus4",
        "0:m11 8:maj9 0:m9 5:m11",
        "5:m9 7:m7add11 8:maj9 0:m9",
        "8:maj9 10:9sus4 3:6/9 0:m7",
        "8:maj7 10:9sus4 0:m9 5:m9",
        "0:madd9 8:maj9 5:m9 10:9sus4",
        "0:m9 0:m7 5:m9 5:m11",
    ),
    "dorian": (
        "0:m9 5:13 0:m11 5:9",
        "0:m9 5:9sus4 10:maj7 5:13",
        "10:6/9 0:m11 5:13 0:m9",
        "10:maj9 0:m11 5:13 0:m9",
        "0:m11 3:maj9 10:6/9 5:9",
        "0:m9 2:m7 3:maj7 5:9sus4",
        "3:maj9 2:m7 0:m9 5:9sus4",
        "0:m9 0:m6/9 5:13 5:9sus4",
        "0:m9 3:maj9 5:9sus4 5:13",
        "0:m7 7:m7 3:maj9 5:9sus4",
        "0:m9 10:6/9 3:maj7 5:9",
    ),
    "lydian": (
        "0:maj7#11 2:9 0:maj9 2:9",
        "0:maj9 7:maj9 2:9 9:m9",
        "0:maj9 7:6/9 2:9 9:m9",
        "0:maj9 2:9 9:m9 4:m9",
        "2:9 0:maj9 4:m7 9:m11",
        "0:maj9 11:m7 9:m9 2:9sus4",
        "0:maj7#11 2:9sus4 9:m9 2:9",
        "9:m9 0:maj9 7:6/9 2:9sus4",
        "0:maj7#11 4:m7 2:9 2:9sus4",
        "0:maj9 9:m9 2:9sus4 2:9",
        "0:maj7#11 2:6/9 0:maj9 2:9sus4",
    ),
}
PROGRESSIONS: dict[Mode, tuple[Steps, ...]] = {mode: tuple(map(_steps, rows)) for mode, rows in _PROGRESSIONS.items()}
BITTERSWEET: tuple[Steps, ...] = (
    _steps("5:maj7 5:m9 0:maj9 9:m7"),
    _steps("0:maj9 8:maj9 5:maj9 5:m9"),
    _steps("5:maj9 5:m6/9 0:maj9 0:6/9"),
)
"""Major with its minor fourth degree: the sound of nostalgia."""
GENTLE: dict[Mode, tuple[Steps, ...]] = {
    "major": (_steps("0:6/9 4:m7 5:maj7 5:6/9"), _steps("0:maj9 9:m7 5:6/9 7:9sus4")),
    "minor": (_steps("0:m9 8:maj9 3:6/9 10:9sus4"), _steps("8:maj9 7:m7 5:m9 0:m7")),
}
HOME: dict[Mode, tuple[str, ...]] = {
    "major": ("maj9", "6/9", "add9"),
    "minor": ("m9", "m11"),
    "dorian": ("m9", "m6/9"),
    "lydian": ("maj9", "maj7#11"),
}
"""Qualities of the last chord."""

RELATIVE: dict[Mode, tuple[int, Mode]] = {
    "major": (9, "minor"),
    "minor": (3, "major"),
    "dorian": (10, "major"),
    "lydian": (7, "major"),
}
"""Where the contrasting section goes: another tonic and mode with the same notes."""

_SUBSTITUTES: dict[Mode, dict[str, str]] = {
    "major": {
        "0:maj9": "0:6/9 9:m7", "0:6/9": "0:maj9 9:m11", "5:maj9": "2:m11 5:6/9", "5:maj7": "2:m9 5:6/9",
        "7:13": "7:9sus4", "7:9sus4": "7:13 2:m11", "9:m9": "9:m7 0:6/9", "9:m7": "9:m11 0:6/9", "2:m9": "2:m11 5:6/9",
        "4:m7": "9:m7 0:6/9", "5:6/9": "2:m9 5:maj7",
    },
    "minor": {
        "0:m9": "0:m11 0:m7", "0:m7": "0:m9 3:6/9", "0:m11": "0:m9", "8:maj9": "5:m9 8:6/9", "8:maj7": "5:m11 8:6/9",
        "10:13": "10:9sus4", "10:9sus4": "10:13 5:m11", "3:6/9": "0:m7 3:maj9", "3:maj9": "3:6/9 0:m7",
        "5:m9": "5:m11 8:maj7", "7:m7": "3:6/9 10:9sus4", "7:m7add11": "10:9sus4 3:6/9", "10:6/9": "10:9sus4",
    },
    "dorian": {
        "0:m9": "0:m11 0:m6/9", "0:m11": "0:m9 0:m7", "5:13": "5:9 5:9sus4", "5:9": "5:13 5:9sus4", "5:9sus4": "5:9",
        "10:maj9": "10:6/9", "10:6/9": "7:m7", "3:maj9": "0:m11 3:maj7", "3:maj7": "0:m7 3:6/9",
    },
    "lydian": {
        "0:maj7#11": "0:maj9 0:6/9", "0:maj9": "0:maj7#11 9:m7", "2:9": "2:9sus4 2:6/9", "2:9sus4": "2:9",
        "9:m9": "9:m11 9:m7", "7:6/9": "7:maj9", "7:maj9": "7:6/9 4:m7", "4:m7": "7:6/9",
    },
}  # fmt: skip
SUBSTITUTES: dict[Mode, dict[tuple[int, str], Steps]] = {
    mode: {_steps(chord)[0]: _steps(others) for chord, others in rows.items()} for mode, rows in _SUBSTITUTES.items()
}
"""What may stand in for a chord when it comes round again."""


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
