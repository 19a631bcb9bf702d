"""The player as the radio uses it."""

from __future__ import annotations

from ..errors import LofiError
from ..model import Track
from ..player.player import Player
from ..player.playlist import item_of
from .state import Playing


class RadioPlayer:
    """Fits ``Player`` to what ``state.Plays`` asks."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def now(self) -> Playing:
        state = self._player.state()
        return Playing(
            has_track=state.state in ("playing", "paused", "waiting"),
            sounds=state.state == "playing",
            left_sec=self._player.time_left_sec(),
            length_sec=state.duration_sec,
            crossfade_sec=state.crossfade_sec,
        )

    async def play(self, track: Track) -> bool:
        return (await self._player.play_item(item_of(track))).state != "no_device"

    async def put_next(self, track: Track) -> None:
        await self._player.add([item_of(track)], next=True)

    async def take_out(self, track_id: str) -> None:
        try:
            await self._player.remove(track_id)
        except LofiError as error:
            if error.name != "INVALID_TRACK_ID":  # somebody else took it out
                raise
