"""The sleep timer: in a while the music fades out and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from ..errors import LofiError
from .music import Music

FADE_SEC = 10.0
MAX_MINUTES = 24 * 60.0


class SleepState(Struct, frozen=True):
    """``ends_in_sec``: until the music has faded out; None = the timer is off."""

    ends_in_sec: float | None


class SleepTimer:
    """``changed`` hears when it is set, put off or over. To be used on one event loop, whose clock it goes by."""

    def __init__(self, music: Music, changed: Callable[[SleepState], None]) -> None:
        self._music = music
        self._changed = changed
        self._ends_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    def state(self) -> SleepState:
        if self._ends_at is None:
            return SleepState(None)
        return SleepState(round(max(0.0, self._ends_at - asyncio.get_running_loop().time()), 1))

    def set(self, minutes: float | None) -> SleepState:
        """Silence in ``minutes``; 0 or None = never. Raises INVALID_PARAMS (field minutes)."""
        if minutes is not None and not 0 <= minutes <= MAX_MINUTES:
            raise LofiError(
                "INVALID_PARAMS", f"The sleep timer takes 0 to {MAX_MINUTES:.0f} minutes; 0 turns it off.",
                field="minutes", expected=[0, MAX_MINUTES], got=minutes,
            )  # fmt: skip
        was_set = self._ends_at is not None
        self.close()
        if minutes:
            loop = asyncio.get_running_loop()
            self._ends_at = loop.time() + minutes * 60
            self._task = loop.create_task(self._run(self._ends_at))
        if was_set or minutes:
            self._changed(self.state())
        return self.state()

    def close(self) -> None:
        self._ends_at = None
        if self._task:
            self._task.cancel()
            self._task = None

    async def _run(self, ends_at: float) -> None:
        now = asyncio.get_running_loop().time()
        fade_sec = min(FADE_SEC, (ends_at - now) / 2)
        await asyncio.sleep(ends_at - fade_sec - now)
        await self._music.fade_to_stop(fade_sec)
        self._ends_at = self._task = None
        self._changed(self.state())
