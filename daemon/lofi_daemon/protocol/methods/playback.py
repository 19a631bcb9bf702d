"""play, pause, resume, toggle, stop, skip, previous, seek, crossfade_set, volume_*."""

from __future__ import annotations

from msgspec import Struct

from ...library.room import Library
from ...player.player import Player, PlayerState
from ...player.playlist import item_of
from .table import NoParams, Table


class PlayParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None


class SeekParams(Struct, frozen=True, forbid_unknown_fields=True):
    position_sec: float


class CrossfadeParams(Struct, frozen=True, forbid_unknown_fields=True):
    duration_sec: float


class VolumeParams(Struct, frozen=True, forbid_unknown_fields=True):
    level: float


def add(table: Table, library: Library, player: Player) -> None:
    async def start(track_id: str | None) -> PlayerState:
        if track_id is None and player.state().playlist_length:
            return await player.start()
        return await player.play_item(item_of(await library.to_play(track_id)))

    def has_track() -> bool:
        return player.state().state in ("playing", "paused", "waiting")

    @table.method("play", PlayParams)
    async def play(params: PlayParams) -> object:
        if params.track_id is None and has_track():
            return await player.resume()
        return await start(params.track_id)

    @table.method("pause", NoParams)
    async def pause(_: NoParams) -> object:
        return await player.pause()

    @table.method("resume", NoParams)
    async def resume(_: NoParams) -> object:
        return await player.resume()

    @table.method("toggle", PlayParams)
    async def toggle(params: PlayParams) -> object:
        if params.track_id is None and has_track():
            return await player.toggle()
        return await start(params.track_id)

    @table.method("stop", NoParams)
    async def stop(_: NoParams) -> object:
        return await player.stop()

    @table.method("skip", NoParams)
    async def skip(_: NoParams) -> object:
        return await player.skip()

    @table.method("previous", NoParams)
    async def previous(_: NoParams) -> object:
        return await player.previous()

    @table.method("seek", SeekParams)
    async def seek(params: SeekParams) -> object:
        return await player.seek(params.position_sec)

    @table.method("crossfade_set", CrossfadeParams)
    async def crossfade_set(params: CrossfadeParams) -> object:
        return await player.set_crossfade(params.duration_sec)

    @table.method("volume_get", NoParams)
    async def volume_get(_: NoParams) -> object:
        return {"level": player.volume}

    @table.method("volume_set", VolumeParams)
    async def volume_set(params: VolumeParams) -> object:
        await player.set_volume(params.level)
        return {"level": player.volume}
