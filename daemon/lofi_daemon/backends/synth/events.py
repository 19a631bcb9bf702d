"""What the players write down, before a human plays it: events on the step grid."""

from __future__ import annotations

from dataclasses import dataclass

from .score import LayerName, Voice


@dataclass(frozen=True, slots=True)
class Event:
    """``step`` counts sixteenths from the start of the piece and may be fractional for grace notes;
    ``length`` is in steps. ``order`` is the place of the note in its strum, 0 = first."""

    step: float
    length: float
    pitch: int
    velocity: float
    voice: Voice
    order: int = 0


Parts = dict[LayerName, list[Event]]
