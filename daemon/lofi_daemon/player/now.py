"""A track on its way through the player."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .playlist import Item

if TYPE_CHECKING:  # the front imports this at start; numpy comes with the first play
    from .voice import Voice


@dataclass(eq=False)
class Now:
    """``voice`` is None while no output is held: then ``position_sec`` counts."""

    item: Item
    duration_sec: float
    voice: Voice | None
    position_sec: float = 0.0

    @property
    def track_id(self) -> str:
        return self.item.track_id

    @property
    def path(self) -> Path:
        return Path(self.item.path)
