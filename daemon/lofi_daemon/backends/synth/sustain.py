"""No holes: where every player rests at once, the chord before rings on until the next note."""

from __future__ import annotations

from dataclasses import replace

from .events import Event, Parts
from .score import LayerName

PITCHED: tuple[LayerName, ...] = ("keys", "lead", "bass", "pad")
REST_STEPS = 1.5
"""A shorter silence between two notes is phrasing; a longer one sounds like a dropout."""
TOGETHER_STEPS = 1.0
"""Notes that end within this of each other are one chord."""


def fill_rests(written: Parts) -> None:
    """Lengthen, in place, the notes before each stretch in which nothing pitched sounds.

    Onsets stay as they are, so what tells one passage from another does too.
    """
    players = [layer for layer in PITCHED if layer in written]
    heard = sorted((event.step, event.step + event.length) for layer in players for event in written[layer])
    for silent, until in _rests(heard):
        for layer in players:
            written[layer] = [_ring(event, silent, until) for event in written[layer]]


def _rests(heard: list[tuple[float, float]]) -> list[tuple[float, float]]:
    rests: list[tuple[float, float]] = []
    silent = heard[0][1] if heard else 0.0
    for start, end in heard:
        if start - silent > REST_STEPS:
            rests.append((silent, start))
        silent = max(silent, end)
    return rests


def _ring(event: Event, silent: float, until: float) -> Event:
    end = event.step + event.length
    return replace(event, length=until - event.step) if silent - TOGETHER_STEPS <= end <= silent else event
