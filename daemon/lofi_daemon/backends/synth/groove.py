"""From written events to played notes: swing, lateness, strums, accents and a human's small errors."""

from __future__ import annotations

from dataclasses import dataclass

from .dice import Dice
from .events import Event, Parts
from .score import LayerName, Note
from .timing import Grid

OFFSET_SEC: dict[LayerName, float] = {
    "kick": 0.0, "snare": 0.0, "hat": -0.003, "shaker": 0.0, "ride": -0.002, "bass": 0.005, "keys": 0.008,
    "pad": 0.0, "lead": 0.010,
}  # fmt: skip
JITTER_SEC: dict[LayerName, float] = {
    "kick": 0.003, "snare": 0.0035, "hat": 0.003, "shaker": 0.004, "ride": 0.0035, "bass": 0.004, "keys": 0.004,
    "pad": 0.0, "lead": 0.006,
}  # fmt: skip
MAX_ERROR_SEC = 0.015
GAP_SEC: dict[LayerName, float] = {"bass": 0.03}
DEFAULT_GAP_SEC = 0.008
SHORTEST_SEC = 0.03


@dataclass(frozen=True, slots=True)
class Feel:
    """``late`` is the snare behind the beat in seconds; ``dilla`` plays the hats straight, the kick early
    and the snare later still; ``soft`` scales every velocity."""

    late: float
    dilla: bool
    soft: float
    strum: float = 0.010


def perform(parts: Parts, grid: Grid, feel: Feel, seed: int) -> dict[LayerName, tuple[Note, ...]]:
    """Notes of every layer that has any, in time order, within [0, duration], no pitch overlapping itself.

    Each layer is played by its own dice, so that one part does not disturb another.
    """
    played = {}
    for layer, events in parts.items():
        notes = _layer(layer, events, grid, feel, Dice(seed, "feel", layer))
        if notes:
            played[layer] = notes
    return played


def _layer(layer: LayerName, events: list[Event], grid: Grid, feel: Feel, dice: Dice) -> tuple[Note, ...]:
    offset = OFFSET_SEC[layer]
    if layer == "snare":
        offset += feel.late + (dice.between(0.003, 0.008) if feel.dilla else 0.0)
    elif layer == "kick" and feel.dilla:
        offset -= dice.between(0.005, 0.015)
    straight = feel.dilla and layer in ("hat", "shaker")
    eight_bars = 8 * grid.steps
    deviation = JITTER_SEC[layer]
    notes: list[Note] = []
    strike, error = -1.0, 0.0
    for event in sorted(events, key=lambda e: (e.step, e.order, e.pitch)):
        if event.step != strike:
            # The notes of one chord share the hand's error; the strum spreads them.
            strike = event.step
            error = max(-MAX_ERROR_SEC, min(MAX_ERROR_SEC, deviation * dice.normal()))
        start = grid.seconds(event.step, straight=straight) + offset + error
        start += event.order * feel.strum * (0.85 + 0.3 * dice.unit()) if event.order else 0.0
        start = max(0.0, start)
        end = grid.seconds(event.step + event.length) + max(0.0, offset)
        length = (end - start) * (0.97 + 0.06 * dice.unit())
        velocity = event.velocity * feel.soft * (1 + 0.08 * dice.normal()) * _accent(layer, event.step)
        # A phrase swells and falls by about a decibel over eight bars.
        arc = 1 - 2 * abs((event.step % eight_bars) / eight_bars - 0.55)
        velocity *= 0.94 + 0.12 * arc
        notes.append(Note(start, length, event.pitch, max(0.05, min(1.0, velocity)), event.voice))
    return _tidy(notes, grid.duration, GAP_SEC.get(layer, DEFAULT_GAP_SEC), mono=layer == "bass")


def _accent(layer: LayerName, step: float) -> float:
    """Metric weight of a step; drum rows carry their own."""
    if layer in ("kick", "snare", "hat", "shaker", "ride"):
        return 1.0
    place = step % 16
    return 1.06 if place == 0 else 1.03 if place == 8 else 1.0 if place % 4 == 0 else 0.94


def _tidy(notes: list[Note], duration: float, gap: float, *, mono: bool) -> tuple[Note, ...]:
    """In time order, cut at the end of the piece and where the same pitch (or, ``mono``, any note) returns."""
    notes.sort(key=lambda note: (note.start, note.pitch))
    following: dict[int, float] = {}
    out: list[Note] = []
    for note in reversed(notes):
        line = 0 if mono else note.pitch
        limit = min(duration, following.get(line, 1e9) - gap)
        length = min(note.length, limit - note.start)
        if length < SHORTEST_SEC:
            continue
        following[line] = note.start
        out.append(Note(note.start, length, note.pitch, note.velocity, note.voice))
    return tuple(reversed(out))
