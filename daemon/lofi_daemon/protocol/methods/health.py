"""diagnose."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from ...config import Loaded
from ...health.apart import examine_apart
from ...health.circumstances import Circumstances
from ..wire import Later
from .table import Table

WITHIN_SEC = 60.0


class DiagnoseParams(Struct, frozen=True, forbid_unknown_fields=True):
    within_sec: Annotated[float, Meta(ge=1, le=WITHIN_SEC)] = WITHIN_SEC


def add(table: Table, loaded: Loaded, playing_through: Callable[[], str | None]) -> None:
    """``playing_through``: the name of the sound device that is open."""

    @table.method("diagnose", DiagnoseParams)
    async def diagnose(params: DiagnoseParams) -> object:
        about = Circumstances(loaded, params.within_sec, playing_through=playing_through(), own_pid=os.getpid())

        async def examine() -> object:
            return {"findings": await examine_apart(about)}

        return Later(examine())
