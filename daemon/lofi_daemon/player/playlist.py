"""What plays after what: the list of tracks, its modes, and where in it the music is. No sound, no files."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct, structs

from ..errors import LofiError
from ..model import StageParams, Track
from .growth import Growth

Loop = Literal["off", "one", "all"]

MAX_TRACKS = 10_000
MIN_PREFIX = 6


class Item(Struct, frozen=True):
    """A track as the player needs it. ``duration_sec`` 0 = what the file says; ``lufs`` None = not known.

    ``growth``: it is still being made, and there is no file at ``path`` yet. ``continues``: the track that it goes on
    from, with whose last ``overlap_sec`` it begins.
    """

    track_id: str
    path: str
    prompt: str = ""
    duration_sec: float = 0.0
    lufs: float | None = None
    growth: Growth | None = None
    continues: str | None = None
    overlap_sec: float = 0.0


def item_of(track: Track) -> Item:
    return _joined(Item(track.id, track.path, track.prompt, track.duration_sec, track.lufs), track.params)


def item_in_the_making(track_id: str, path: str, params: StageParams, growth: Growth) -> Item:
    return _joined(Item(track_id, path, params.prompt, params.duration_sec, growth=growth), params)


def _joined(item: Item, params: StageParams) -> Item:
    if params.stage_type != "continue":
        return item
    return structs.replace(item, continues=params.src_audio_id, overlap_sec=float(params.overlap_sec or 0))


class Playlist:
    """Tracks in their order, each at most once; one of them, or none, is current.

    Two orders: the list as it is shown, and the order of play, which shuffle draws anew. Additions and removals
    keep the current track. In a shuffled list every track plays once before any plays again, and a new round
    does not begin with the track that ended the last.
    """

    def __init__(self, draw: random.Random | None = None) -> None:
        self._draw = draw or random.Random()
        self._items: dict[str, Item] = {}
        self._shown: list[str] = []
        self._order: list[str] = []
        self._place = 0
        """In ``_order``: of the current track, or of the one to play next where none is current."""
        self._current: str | None = None
        self._round: list[str] | None = None
        """The next round's order, once someone asked what comes after the last track."""
        self._loop: Loop = "off"
        self._shuffle = False

    @property
    def items(self) -> tuple[Item, ...]:
        """As shown."""
        return tuple(self._items[track_id] for track_id in self._shown)

    @property
    def current(self) -> Item | None:
        return self._items[self._current] if self._current is not None else None

    @property
    def index(self) -> int | None:
        """Of the current track among ``items``."""
        return self._shown.index(self._current) if self._current is not None else None

    @property
    def loop(self) -> Loop:
        return self._loop

    @property
    def shuffle(self) -> bool:
        return self._shuffle

    def __len__(self) -> int:
        return len(self._shown)

    def __contains__(self, track_id: str) -> bool:
        return track_id in self._items

    def add(self, items: Sequence[Item], *, next: bool = False) -> None:
        """Put ``items`` at the end, or after the current track; those that are in the list already move there.

        The current track stays where it is. A full list lets go of tracks that have been played, the oldest
        first. Raises ``LofiError`` INVALID_PARAMS when that is not enough.
        """
        new = {item.track_id: item for item in items if item.track_id != self._current}
        if not new:
            return
        excess = len(self._items.keys() | new.keys()) - MAX_TRACKS
        if excess > 0:
            played = [track_id for track_id in self._order[: self._place] if track_id not in new][:excess]
            if len(played) < excess:
                raise LofiError(
                    "INVALID_PARAMS",
                    f"A playlist holds at most {MAX_TRACKS} tracks; remove some, or clear it.",
                    field="track_ids",
                    expected=MAX_TRACKS,
                    got=len(self._items) + len(new),
                )
            self._take_out(played)
        self._take_out(new)
        self._items |= new
        after = self._place + 1 if self._current is not None else self._place
        if next:
            shown_after = self._shown.index(self._current) + 1 if self._current is not None else self._shown_place()
            self._shown[shown_after:shown_after] = new
            self._order[after:after] = new
        else:
            self._shown.extend(new)
            if self._shuffle:
                for track_id in new:
                    self._order.insert(self._draw.randint(min(after, len(self._order)), len(self._order)), track_id)
            else:
                self._order.extend(new)

    def update(self, item: Item) -> None:
        """``item`` is now known better, if it is in the list."""
        if item.track_id in self._items:
            self._items[item.track_id] = item

    def meant(self, prefix: str) -> str:
        """The id of the only track in the list that begins with ``prefix``. Raises ``LofiError`` INVALID_TRACK_ID."""
        if prefix in self._items:
            return prefix
        found = [track_id for track_id in self._shown if track_id.startswith(prefix.lower())]
        if len(found) != 1 or len(prefix) < MIN_PREFIX:
            raise LofiError(
                "INVALID_TRACK_ID",
                f"{prefix!r} names {'no track' if not found else 'more than one track'} of the playlist; "
                "playlist_get lists them.",
                field="track_id",
                got=prefix,
            )
        return found[0]

    def remove(self, track_id: str) -> None:
        """Take it out if it is there. What followed it comes next if it was current."""
        self._take_out([track_id])

    def clear(self) -> None:
        self._take_out(list(self._shown))

    def play(self, item: Item) -> None:
        """Make ``item`` current: where it stands, or, if it is new, after the one that was. Raises as ``add``."""
        if item.track_id not in self._items:
            self.add([item], next=True)
        self.jump(item.track_id)

    def jump(self, track_id: str) -> None:
        """Make a track of the list current."""
        if track_id == self._current:
            return
        if self._round is not None and track_id == self._round[0]:
            self._order, self._round = self._round, None
        self._place = self._order.index(track_id)
        self._current = track_id

    def end(self) -> None:
        """The music is over: nothing is current, and the list begins anew."""
        self._current, self._place, self._round = None, 0, None
        if self._shuffle:
            self._draw.shuffle(self._order)

    def after(self, *, skipping: bool = False) -> Item | None:
        """What follows the current track by itself, or, ``skipping``, when the listener wants another one.

        The same until the list changes. Skipping leaves a track that loops, and goes round at the end then.
        """
        if self._current is not None and self._loop == "one" and not skipping:
            return self.current
        place = self._place + 1 if self._current is not None else self._place
        if place < len(self._order):
            return self._items[self._order[place]]
        if self._loop == "off" or not self._order:
            return None
        return self._items[self._next_round()[0]]

    def before(self) -> Item | None:
        """What played before the current track; the last one at the start of a list that goes round."""
        if self._place > 0:
            return self._items[self._order[min(self._place, len(self._order)) - 1]] if self._order else None
        if self._loop == "off" or not self._order or self._shuffle:
            return None
        return self._items[self._order[-1]]

    def set_mode(self, loop: Loop | None = None, shuffle: bool | None = None) -> None:
        if loop is not None:
            self._loop = loop
            self._round = None
        if shuffle is not None and shuffle != self._shuffle:
            self._shuffle = shuffle
            self._round = None
            self._order = list(self._shown)
            if shuffle:
                self._draw.shuffle(self._order)
                if self._current is not None:
                    self._order.remove(self._current)
                    self._order.insert(0, self._current)
                self._place = 0
            else:
                self._place = self._shown.index(self._current) if self._current is not None else 0

    def left_sec(self) -> float:
        """Music in the list after the current track, in seconds; infinite where it goes round."""
        if self.after() is not None and self._loop != "off":
            return math.inf
        place = self._place + 1 if self._current is not None else self._place
        return sum(self._items[track_id].duration_sec for track_id in self._order[place:])

    def _next_round(self) -> list[str]:
        if self._round is None:
            self._round = list(self._order)
            if self._shuffle:
                self._draw.shuffle(self._round)
                if len(self._round) > 1 and self._round[0] == self._order[-1]:
                    self._round.append(self._round.pop(0))
        return self._round

    def _take_out(self, track_ids: Iterable[str]) -> None:
        gone = {track_id for track_id in track_ids if track_id in self._items}
        self._round = None
        if not gone:
            return
        self._place -= sum(track_id in gone for track_id in self._order[: self._place])
        self._order = [track_id for track_id in self._order if track_id not in gone]
        self._shown = [track_id for track_id in self._shown if track_id not in gone]
        if self._current in gone:
            self._current = None
        for track_id in gone:
            del self._items[track_id]

    def _shown_place(self) -> int:
        """Where in the shown list the next track stands."""
        if self._place < len(self._order):
            return self._shown.index(self._order[self._place])
        return len(self._shown)
