"""ping, status, shutdown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ... import PROTOCOL_VERSION, __version__
from ...config import Settings
from ...errors import LofiError
from ...generation import Generation
from ...jobs.lifecycle import Jobs
from ...library.room import Library
from ...player.player import Player
from ...radio.radio import Radio
from ...timers.focus import FocusTimer
from ...timers.sleep import SleepTimer
from .table import NoParams, Table


class HasDevice(Protocol):
    device: str | None


def add(
    table: Table,
    settings: Settings,
    generation: Generation,
    jobs: Jobs,
    library: Library,
    player: Player,
    engine: HasDevice,
    radio: Radio,
    sleep: SleepTimer,
    focus: FocusTimer,
    shutdown: Callable[[], None],
    shared_log: Path | None,
) -> None:
    @table.method("ping", NoParams)
    async def ping(_: NoParams) -> object:
        return {
            "status": "ok",
            "version": __version__,
            "protocol": PROTOCOL_VERSION,
            "pid": os.getpid(),
            "shared": shared_log is not None,
            "log": str(shared_log) if shared_log else None,
        }

    @table.method("status", NoParams)
    async def status(_: NoParams) -> object:
        current, pending = jobs.views()
        return {
            "playback": player.state(),
            "generation": current,
            "queue": {"pending": pending},
            "cache": await cache(),
            "engine": {
                "device": engine.device or settings.device,
                "execution_mode": settings.execution_mode,
                "loaded": generation.loaded(),
            },
            "radio": radio.state() if radio.active else None,
            "sleep": sleep.state(),
            "focus": focus.state(),
        }

    async def cache() -> object:
        try:
            return await library.stats()
        except LofiError as error:  # an unwritable cache must not hide the rest
            return {"error": error.message}

    @table.method("shutdown", NoParams)
    async def leave(_: NoParams) -> object:
        shutdown()
        return {"status": "shutting_down"}
