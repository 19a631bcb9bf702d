"""What the player says: events to its listener, and its state to whoever asks. Seconds; levels 0–1."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ..model import NoticeLevel
from .devices import Device
from .playlist import Loop

EndReason = Literal["finished", "skipped", "stopped", "error"]
StateName = Literal["stopped", "playing", "paused", "waiting", "no_device"]
"""waiting: it would play, but its device failed; it goes on by itself once one is there."""


class PlaybackStarted(Struct, frozen=True):
    track_id: str
    position_sec: float
    duration_sec: float


class PlaybackPaused(Struct, frozen=True):
    track_id: str
    position_sec: float


class PlaybackResumed(Struct, frozen=True):
    track_id: str
    position_sec: float


class PlaybackEnded(Struct, frozen=True):
    track_id: str
    reason: EndReason


class PlaybackSeeked(Struct, frozen=True):
    track_id: str
    position_sec: float


class VolumeChanged(Struct, frozen=True):
    level: float


class PlaylistEntry(Struct, frozen=True):
    track_id: str
    prompt: str
    duration_sec: float


class PlaylistChanged(Struct, frozen=True):
    """The whole list as it is shown. ``index``: of the current track; None when none of the list is."""

    tracks: tuple[PlaylistEntry, ...]
    index: int | None
    loop: Loop
    shuffle: bool


class TrackUnplayable(Struct, frozen=True):
    """A track of the playlist whose file is missing or damaged; it was passed over and is no longer in the list."""

    track_id: str


class DevicesChanged(Struct, frozen=True):
    """Noticed when someone asks for the devices or one fails. ``current``: the id of the one that is open."""

    devices: tuple[Device, ...]
    current: str | None


class PlayerNotice(Struct, frozen=True):
    """Something the user should know and did not ask for: a change of output, a lost device."""

    level: NoticeLevel
    message: str


PlayerEvent = (
    PlaybackStarted
    | PlaybackPaused
    | PlaybackResumed
    | PlaybackEnded
    | PlaybackSeeked
    | VolumeChanged
    | PlaylistChanged
    | TrackUnplayable
    | DevicesChanged
    | PlayerNotice
)


class PlayerState(Struct, frozen=True, omit_defaults=True):
    """``position_sec`` is what the mixer has given out; the ear is up to the device's latency behind.

    ``device`` is the sound device held open now, ``message`` why there is none when ``state`` is "no_device"
    or "waiting".
    """

    state: StateName
    volume: float
    crossfade_sec: float
    loop: Loop
    shuffle: bool
    playlist_length: int
    playlist_index: int | None
    position_sec: float = 0.0
    duration_sec: float = 0.0
    track_id: str | None = None
    device: str | None = None
    message: str | None = None
