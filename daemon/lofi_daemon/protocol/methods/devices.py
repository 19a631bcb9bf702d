"""audio_devices, audio_device_set."""

from __future__ import annotations

from msgspec import Struct

from ...player.player import Player
from .table import NoParams, Table


class DeviceParams(Struct, frozen=True, forbid_unknown_fields=True):
    device: str


def add(table: Table, player: Player) -> None:
    @table.method("audio_devices", NoParams)
    async def audio_devices(_: NoParams) -> object:
        return await player.devices()

    @table.method("audio_device_set", DeviceParams)
    async def audio_device_set(params: DeviceParams) -> object:
        return await player.set_device(params.device)
