"""Chords as a lofi pianist plays them: rootless voicings, and the way from one to the next.

Pitches are MIDI numbers, intervals are semitones above the chord's root. The bass owns the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from .keyscale import KeyScale, Mode

SCALES: dict[Mode, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
}
MELODY_SCALES: dict[Mode, tuple[int, ...]] = {
    "major": (0, 2, 4, 7, 9),
    "minor": (0, 2, 3, 5, 7, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
}
"""Pentatonic plus the colour tones that cannot clash: the 9th, and in dorian and lydian their own note."""
PLAIN_MELODY_SCALES: dict[Mode, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9),
    "minor": (0, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
}
"""What a melody keeps to when the listener asked for the key: without the notes that point to its dominant."""


@dataclass(frozen=True, slots=True)
class Quality:
    """``voicing`` is what the hand plays, ``guide`` the tones a melody may rest on."""

    suffix: str
    voicing: tuple[int, ...]
    guide: tuple[int, ...]
    quartal: tuple[int, ...] = ()


QUALITIES: dict[str, Quality] = {
    "maj9": Quality("maj9", (4, 7, 11, 14), (4, 7, 11, 2)),
    "maj7": Quality("maj7", (4, 7, 11, 12), (4, 7, 11)),
    "add9": Quality("add9", (0, 4, 7, 14), (4, 7, 0, 2)),
    "6": Quality("6", (4, 7, 9, 12), (4, 7, 9, 0)),
    "maj7#11": Quality("maj7#11", (4, 6, 11, 14), (4, 7, 11, 6)),
    "6/9": Quality("6/9", (4, 9, 14, 19), (4, 7, 9, 2), quartal=(4, 9, 14, 19)),
    "m9": Quality("m9", (3, 7, 10, 14), (3, 7, 10, 2)),
    "m7": Quality("m7", (3, 7, 10, 12), (3, 7, 10, 0)),
    "madd9": Quality("m(add9)", (0, 3, 7, 14), (3, 7, 0, 2)),
    "m7add11": Quality("m7add11", (3, 7, 10, 17), (3, 7, 10, 5), quartal=(0, 5, 10, 15)),
    "m11": Quality("m11", (3, 10, 14, 17), (3, 7, 10, 2, 5), quartal=(0, 5, 10, 15, 19)),
    "m6/9": Quality("m6/9", (3, 7, 9, 14), (3, 7, 9, 2)),
    "9": Quality("9", (4, 7, 10, 14), (4, 7, 10, 2)),
    "13": Quality("13", (4, 10, 14, 21), (4, 7, 10, 2, 9)),
    "9sus4": Quality("9sus4", (5, 10, 14, 19), (5, 7, 10, 2)),
    "7b9": Quality("7b9", (4, 10, 13, 19), (4, 7, 10)),
    "m7b5": Quality("m7b5", (3, 6, 10, 12), (3, 6, 10)),
}


@dataclass(frozen=True, slots=True)
class ChordType:
    """A chord of the piece: pitch class of its root and a name in ``QUALITIES``."""

    root: int
    quality: str

    def symbol(self, key: KeyScale) -> str:
        return key.spell(self.root) + QUALITIES[self.quality].suffix

    def guide_tones(self) -> frozenset[int]:
        """Pitch classes a melody may rest on."""
        return _guide_tones(self.root, self.quality)

    def tones(self) -> frozenset[int]:
        """Pitch classes of the whole chord, root included."""
        return _tones(self.root, self.quality)


@cache
def _guide_tones(root: int, quality: str) -> frozenset[int]:
    return pitch_classes(root, QUALITIES[quality].guide)


@cache
def _tones(root: int, quality: str) -> frozenset[int]:
    return pitch_classes(root, (0, *QUALITIES[quality].voicing, *QUALITIES[quality].guide))


Voicing = tuple[int, ...]
"""Ascending pitches."""

LOWEST, HIGHEST = 50, 77
_MUD_BELOW = 55


@cache
def voicings(chord: ChordType, low: int = LOWEST, high: int = HIGHEST) -> tuple[Voicing, ...]:
    """Every playable voicing of the chord: inversions, close and drop-2, and quartal where it exists.

    Two notes closer than a minor third are kept out of the mud below ``_MUD_BELOW``; a semitone on top
    or a minor ninth (other than the one a 7♭9 is made of) is never used.
    """
    quality = QUALITIES[chord.quality]
    close = sorted({step % 12 for step in quality.voicing})
    shapes: set[Voicing] = set()
    for turn in range(len(close)):
        shape = tuple(close[turn:]) + tuple(step + 12 for step in close[:turn])
        shapes.add(shape)
        shapes.add(tuple(sorted((*shape[:-2], shape[-2] - 12, shape[-1]))))
    shapes.add(tuple(quality.voicing))
    if quality.quartal:
        shapes.add(quality.quartal)
    found = set()
    for shape in shapes:
        for octave in range(24, 97, 12):
            pitches = tuple(sorted(chord.root + octave + step for step in shape))
            if pitches[0] >= low and pitches[-1] <= high and _is_clean(pitches):
                found.add(pitches)
    return tuple(sorted(found))


def _is_clean(pitches: Voicing) -> bool:
    gaps = [upper - lower for lower, upper in pairwise(pitches)]
    muddy = any(gap < 3 and lower < _MUD_BELOW for gap, lower in zip(gaps, pitches, strict=False))
    return not muddy and gaps[-1] > 1


@cache
def _measured(chord: ChordType) -> tuple[tuple[Voicing, float, int], ...]:
    """(voicing, mean pitch, semitone clashes) of every voicing."""
    return tuple(
        (pitches, sum(pitches) / len(pitches), sum(b - a == 1 for a, b in pairwise(pitches)))
        for pitches in voicings(chord)
    )


def motion(before: Voicing, after: Voicing) -> int:
    """Total semitones the voices move, low to low and top to top, extra voices to their nearest."""
    if len(before) == len(after):
        return sum(abs(a - b) for a, b in zip(before, after, strict=True))
    longer, shorter = (before, after) if len(before) > len(after) else (after, before)
    return sum(min(abs(note - other) for other in shorter) for note in longer)


def lead_voices(
    chord: ChordType, before: Voicing | None, *, centre: float = 62.0, avoid: frozenset[Voicing] = frozenset()
) -> Voicing:
    """The voicing that moves least from ``before`` and sits nearest ``centre``.

    Cost: Σ|Δ| + ½·|mean − centre| + 2 per semitone clash + 3 per semitone the top note moves beyond four;
    voicings in ``avoid`` cost 8 more, so that a returning chord may come back in another inversion.
    """
    best: Voicing | None = None
    best_cost = 1e9
    for candidate, mean, clashes in _measured(chord):
        cost = 0.5 * abs(mean - centre) + 2.0 * clashes
        if candidate in avoid:
            cost += 8.0
        if before is None:
            cost *= 4.0
        else:
            cost += motion(before, candidate) + 3.0 * max(0, abs(candidate[-1] - before[-1]) - 4)
        if cost < best_cost:
            best, best_cost = candidate, cost
    assert best is not None  # every quality has a voicing in range; pinned by a test
    return best


def nearest(pitch: int, allowed: frozenset[int]) -> int:
    """The pitch nearest to ``pitch`` whose class is allowed; the lower one of two."""
    for distance in range(12):
        for candidate in (pitch - distance, pitch + distance):
            if candidate % 12 in allowed:
                return candidate
    return pitch


def climb(pitch: int, steps: int, scale: frozenset[int]) -> int:
    """``steps`` scale degrees above (below if negative) the scale note nearest to ``pitch``."""
    pitch = nearest(pitch, scale)
    direction = 1 if steps > 0 else -1
    for _ in range(abs(steps)):
        pitch += direction
        while pitch % 12 not in scale:
            pitch += direction
    return pitch


@cache
def pitch_classes(tonic: int, steps: tuple[int, ...]) -> frozenset[int]:
    return frozenset((tonic + step) % 12 for step in steps)
