"""sleep_set, focus_start, focus_stop."""

from __future__ import annotations

from msgspec import Struct

from ...timers.focus import FocusTimer
from ...timers.sleep import SleepTimer
from .table import NoParams, Table


class SleepParams(Struct, frozen=True, forbid_unknown_fields=True):
    minutes: float | None = None


class FocusParams(Struct, frozen=True, forbid_unknown_fields=True):
    work_min: float
    break_min: float
    rounds: int | None = None


def add(table: Table, sleep: SleepTimer, focus: FocusTimer) -> None:
    @table.method("sleep_set", SleepParams)
    async def sleep_set(params: SleepParams) -> object:
        return sleep.set(params.minutes)

    @table.method("focus_start", FocusParams)
    async def focus_start(params: FocusParams) -> object:
        return await focus.start(params.work_min, params.break_min, params.rounds)

    @table.method("focus_stop", NoParams)
    async def focus_stop(_: NoParams) -> object:
        return await focus.stop()
