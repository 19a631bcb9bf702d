"""Sweeps the latents at the start and once an hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ...errors import LofiError

EVERY_SEC = 3600.0

log = logging.getLogger(__name__)


class Sweeper:
    """Calls ``sweep`` once ``begin`` was called, and every ``every_sec`` after."""

    def __init__(self, sweep: Callable[[], Awaitable[object]], every_sec: float = EVERY_SEC) -> None:
        self._sweep = sweep
        self._every_sec = every_sec
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                await self._sweep()
            except LofiError as error:  # whoever asks for something is told; nobody asked for this
                log.warning("latents were not swept: %s", error.message)
            await asyncio.sleep(self._every_sec)
