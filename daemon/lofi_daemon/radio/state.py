"""What the radio says of itself, and what it needs of the player."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from ..model import Track
from .strategies import Strategy


class RadioState(Struct, frozen=True):
    """``prompt`` and ``preset`` are of the radio's track that plays, or of the first one that is to; ``backend`` makes
    the next; ``message`` says what is not as one would expect it."""

    active: bool
    strategy: Strategy
    prompt: str | None = None
    preset: str | None = None
    backend: str | None = None
    next_track_id: str | None = None
    generating: bool = False
    message: str | None = None


class PrefetchConfig(Struct, frozen=True):
    """``duration_sec``: length of the tracks. ``lead_factor``: work begins when the music left is so many times the
    work expected."""

    duration_sec: float
    lead_factor: float


class Playing(Struct, frozen=True):
    """What the player does. Seconds; ``left_sec`` and ``length_sec`` are 0 while it has no track. ``sounds`` is False
    while it is paused or waits for its device."""

    has_track: bool
    sounds: bool
    left_sec: float
    length_sec: float
    crossfade_sec: float


class Plays(Protocol):
    """What the radio needs of the player. Tracks that cannot be played are the player's to skip and to say."""

    def now(self) -> Playing: ...

    async def play(self, track: Track) -> bool:
        """Crossfade into ``track``; False without a sound device. Raises LofiError."""

    async def put_next(self, track: Track) -> None:
        """``track`` follows the one that plays."""

    async def take_out(self, track_id: str) -> None:
        """The playlist is without this track again; nothing happens if it is not in it."""
