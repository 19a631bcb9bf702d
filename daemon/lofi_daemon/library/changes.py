"""What happened to the tracks, gathered on the library's thread and told on the loop's."""

from __future__ import annotations

import threading

from msgspec import Struct

from ..model import Track

MAX_TOLD = 200
"""Of either kind; more of them are told as "ask again"."""


class LibraryChanged(Struct, frozen=True):
    """Tracks that came or now say something else, ids that are gone; or ``reset``: it may be anything, ask again."""

    changed: tuple[Track, ...] = ()
    removed: tuple[str, ...] = ()
    reset: bool = False


class Changes:
    """Safe to use from two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._changed: dict[str, Track] = {}
        self._removed: dict[str, None] = {}  # a set that keeps its order
        self._reset = False

    def came(self, track: Track) -> None:
        """``track`` is new, or its favourite or file changed."""
        with self._lock:
            self._removed.pop(track.id, None)
            self._changed[track.id] = track

    def went(self, track_id: str) -> None:
        with self._lock:
            self._changed.pop(track_id, None)
            self._removed[track_id] = None

    def reset(self) -> None:
        """Nobody here knows what changed: another process did it, or the index was made again."""
        with self._lock:
            self._reset = True

    def take(self) -> LibraryChanged | None:
        """What was gathered since the last time, once; None where that is nothing."""
        with self._lock:
            changed, removed, reset = tuple(self._changed.values()), tuple(self._removed), self._reset
            self._begin()
        if reset or max(len(changed), len(removed)) > MAX_TOLD:
            return LibraryChanged(reset=True)
        return LibraryChanged(changed, removed) if changed or removed else None
