"""playlist_*."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ...errors import LofiError
from ...library.room import Library
from ...player.player import Player
from ...player.playlist import MAX_TRACKS, Loop, item_of
from .table import NoParams, Table


class AddParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None
    track_ids: Annotated[tuple[str, ...], Meta(max_length=MAX_TRACKS)] = ()
    next: bool = False


class RemoveParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str


class ModeParams(Struct, frozen=True, forbid_unknown_fields=True):
    loop: Loop | None = None
    shuffle: bool | None = None


def add(table: Table, library: Library, player: Player) -> None:
    @table.method("playlist_get", NoParams)
    async def playlist_get(_: NoParams) -> object:
        return player.playlist()

    @table.method("playlist_add", AddParams)
    async def playlist_add(params: AddParams) -> object:
        wanted = params.track_ids if params.track_id is None else (params.track_id, *params.track_ids)
        if not wanted:
            raise LofiError("INVALID_PARAMS", "Name the tracks to add: track_id or track_ids.", field="track_id")
        tracks = [await library.get(track_id) for track_id in wanted]
        return await player.add([item_of(track) for track in tracks], next=params.next)

    @table.method("playlist_remove", RemoveParams)
    async def playlist_remove(params: RemoveParams) -> object:
        return await player.remove(params.track_id)

    @table.method("playlist_clear", NoParams)
    async def playlist_clear(_: NoParams) -> object:
        return await player.clear()

    @table.method("playlist_mode", ModeParams)
    async def playlist_mode(params: ModeParams) -> object:
        return await player.set_mode(params.loop, params.shuffle)
