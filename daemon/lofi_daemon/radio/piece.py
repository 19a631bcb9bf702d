"""One piece of music over many tracks: what the next one goes on from, where a backend can go on."""

from __future__ import annotations

from collections.abc import Callable

from .strategies import Mood

LONGEST = 10
"""Tracks of a piece. A model that goes on from its own sound for ever drifts, or gets stuck in a loop."""


class Piece:
    """The piece that the radio is at, or none. ``can(backend)``: whether it goes on from tracks."""

    def __init__(self, can: Callable[[str], bool]) -> None:
        self._can = can
        self._mood: Mood | None = None
        self._backend = ""
        self._last: str | None = None
        self._tracks = 0

    def source_for(self, mood: Mood, backend: str) -> str | None:
        """The id of the track that the next one of ``mood`` goes on from; None where it begins anew."""
        fits = (mood, backend) == (self._mood, self._backend) and self._tracks < LONGEST
        return self._last if fits else None

    def made(self, track_id: str, mood: Mood, backend: str, source: str | None = None) -> None:
        """This is the latest track now, which went on from ``source``. What others than ``can`` make only comes
        between."""
        if not self._can(backend):
            return
        self._tracks = self._tracks + 1 if source is not None and source == self._last else 1
        self._last, self._mood, self._backend = track_id, mood, backend

    def end(self) -> None:
        """The next track begins anew."""
        self._last, self._mood, self._tracks = None, None, 0
