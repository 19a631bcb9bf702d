"""The player in the hands of the timers: fades of seconds, and what they must leave alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..player.events import PlayerState

STEPS_PER_SEC = 20
"""The player smooths each step over 20 ms; a twentieth of a second apart none is heard."""
LAST_FADE_SEC = 0.3
"""The player's own short fade at a pause or stop, and the device's latency: only then the volume may return."""


class Plays(Protocol):
    def state(self) -> PlayerState: ...

    def duck(self, factor: float) -> None: ...

    async def pause(self) -> PlayerState: ...

    async def resume(self) -> PlayerState: ...

    async def stop(self) -> PlayerState: ...


class Music:
    """``start_something`` is asked for music that goes on for long. The volume that the user set is never changed."""

    def __init__(self, player: Plays, start_something: Callable[[], Awaitable[object]]) -> None:
        self._player = player
        self._start_something = start_something
        self._fading = asyncio.Lock()

    def is_playing(self) -> bool:
        """Music is heard, or would be if its device were there."""
        return self._player.state().state in ("playing", "waiting")

    async def fade_to_pause(self, seconds: float) -> bool:
        """Fade out and pause; False if nothing played, or the user paused or stopped it during the fade."""
        return await self._fade(seconds, self._player.pause)

    async def fade_to_stop(self, seconds: float) -> None:
        """Fade out and stop, whatever is going on."""
        if not await self._fade(seconds, self._player.stop):
            await self._player.stop()

    async def resume(self) -> bool:
        """Go on with what is paused; False if nothing is, or there is no sound device. Raises LofiError."""
        if self._player.state().state != "paused":
            return False
        return (await self._player.resume()).state in ("playing", "waiting")

    async def start(self) -> None:
        """From silence. Raises LofiError."""
        await self._start_something()

    async def _fade(self, seconds: float, then: Callable[[], Awaitable[object]]) -> bool:
        async with self._fading:
            try:
                steps = max(1, round(seconds * STEPS_PER_SEC))
                for step in range(steps):
                    if not self.is_playing():
                        return False
                    self._player.duck(1 - (step + 1) / steps)
                    await asyncio.sleep(seconds / steps)
                if not self.is_playing():
                    return False
                await then()
                await asyncio.sleep(LAST_FADE_SEC)
                return True
            finally:
                self._player.duck(1.0)
