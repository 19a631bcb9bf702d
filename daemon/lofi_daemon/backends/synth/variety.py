"""The promise that no passage of eight bars is played twice."""

from __future__ import annotations

from .dice import Dice
from .events import Event, Parts
from .harmony import Changes
from .score import LayerName

PITCHED: tuple[LayerName, ...] = ("keys", "pad", "lead")


def make_distinct(parts: Parts, changes: Changes, steps: int, end: int, window: int, dice: Dice) -> int:
    """Adds a soft chord note where ``window`` bars repeat an earlier stretch event for event.

    Two stretches are the same when step in the bar, pitch and voice agree in every layer; loudness and
    humanised timing do not count. Returns how many notes were added.
    """
    added = 0
    bars = -(-end // steps)
    while True:
        marks = _marks(parts, steps, bars)
        seen: set[tuple[object, ...]] = set()
        for first in range(bars - window + 1):
            stretch = tuple(marks[first : first + window])
            if stretch in seen:
                _embellish(parts, changes, steps, end, first + dice.below(window), dice)
                added += 1
                break
            seen.add(stretch)
        else:
            return added


def _marks(parts: Parts, steps: int, bars: int) -> list[tuple[object, ...]]:
    """What each bar holds, comparable and hashable."""
    marks: list[list[tuple[str, float, int, str]]] = [[] for _ in range(bars)]
    for layer, events in parts.items():
        for event in events:
            bar = int(event.step // steps)
            if bar < bars:
                marks[bar].append((layer, event.step - bar * steps, event.pitch, event.voice))
    return [tuple(sorted(mark)) for mark in marks]


def _embellish(parts: Parts, changes: Changes, steps: int, end: int, bar: int, dice: Dice) -> None:
    """One more note of the chord in a bar, in the part that carries the harmony."""
    layer: LayerName = next((name for name in PITCHED if parts.get(name)), "keys")
    events = parts.setdefault(layer, [])
    voice = events[0].voice if events else "rhodes"
    taken = {(event.step, event.pitch) for event in events}
    for _ in range(64):
        step = bar * steps + dice.below(steps // 2) * 2
        pitch = dice.pick(changes.at(step).voicing) + dice.pick((0, 0, 12, -12))
        if step < end and (step, pitch) not in taken and 48 <= pitch <= 88:
            events.append(Event(step, 3, pitch, 0.4, voice))
            return
