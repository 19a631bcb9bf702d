"""What MPRIS shows of the player, in MPRIS's own words and units. Imports no D-Bus."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ..player.events import PlayerState
from ..player.playlist import Loop

LoopStatus = Literal["None", "Track", "Playlist"]
PlaybackStatus = Literal["Playing", "Paused", "Stopped"]

LOOP_STATUS: dict[Loop, LoopStatus] = {"off": "None", "one": "Track", "all": "Playlist"}
LOOPS: dict[str, Loop] = {status: loop for loop, status in LOOP_STATUS.items()}

NO_TRACK = "/org/mpris/MediaPlayer2/TrackList/NoTrack"


class View(Struct, frozen=True):
    """The player at one moment. Lengths and positions are microseconds; ``volume`` is 0–1."""

    status: PlaybackStatus
    track: str
    """A D-Bus object path; ``NO_TRACK`` where none is current."""
    title: str
    length: int
    position: int
    loop: LoopStatus
    shuffle: bool
    volume: float
    has_music: bool
    """Whether there is a track to play, pause or seek in."""


def view(state: PlayerState, title: str) -> View:
    track_id = state.track_id
    return View(
        status="Playing" if state.state == "playing" else "Paused" if track_id else "Stopped",
        track=f"/lofi/track/{track_id}" if track_id else NO_TRACK,
        title=title,
        length=microseconds(state.duration_sec),
        position=microseconds(state.position_sec),
        loop=LOOP_STATUS[state.loop],
        shuffle=state.shuffle,
        volume=state.volume,
        has_music=track_id is not None,
    )


def microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
