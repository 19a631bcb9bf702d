"""diagnose."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from ...config import Loaded
from ..wire import Later
from .table import Table

WITHIN_SEC = 60.0


class DiagnoseParams(Struct, frozen=True, forbid_unknown_fields=True):
    within_sec: Annotated[float, Meta(ge=1, le=WITHIN_SEC)] = WITHIN_SEC


def add(table: Table, loaded: Loaded, playing_through: Callable[[], str | None]) -> None:
    """``playing_through``: the name of the sound device that is open."""

    @table.method("diagnose", DiagnoseParams)
    async def diagnose(params: DiagnoseParams) -> object:
        device = playing_through()

        def look() -> object:
            # Loaded with the first question: few daemons are ever asked.
            from ...health.examine import Circumstances, examine

            circumstances = Circumstances(loaded, params.within_sec, playing_through=device, own_pid=os.getpid())
            return {"findings": list(examine(circumstances))}

        return Later(asyncio.to_thread(look))
