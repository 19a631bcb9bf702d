"""What the player remembers between two lives of the daemon: ``player.json``, written whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from .playlist import Loop

GAP_SEC = 5.0
"""Between two writes."""

POSITION_GAP_SEC = 30.0
"""Between two writes when only the position has moved: a day of music should not be a day of flushes."""

_log = logging.getLogger(__name__)


class Saved(Struct, frozen=True):
    """Track ids in their order, the current one and the place in it; ``volume`` 0–1."""

    track_ids: tuple[str, ...] = ()
    current_id: str | None = None
    position_sec: float = 0.0
    volume: float = 1.0
    loop: Loop = "off"
    shuffle: bool = False


def read_state(path: Path) -> Saved | None:
    """What was saved; None where nothing was, or it cannot be read (which is logged). Blocks."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("%s cannot be read (%s); the player starts afresh", path, error)
        return None
    return saved if 0.0 <= saved.volume <= 1.0 and saved.position_sec >= 0.0 else None


class StateKeeper:
    """Saves ``state()`` when it has changed, but not sooner than ``gap_sec`` after the last time.

    ``write(bytes)`` puts it on the disk, off the event loop, and may fail; that is said to the log once.
    Belongs to one event loop.
    """

    def __init__(
        self,
        state: Callable[[], Saved],
        write: Callable[[bytes], Awaitable[object]],
        gap_sec: float = GAP_SEC,
        position_gap_sec: float = POSITION_GAP_SEC,
    ) -> None:
        self._state = state
        self._write = write
        self._gap_sec = gap_sec
        self._every = max(1, round(position_gap_sec / gap_sec))
        self._written = Saved()
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def begin(self) -> None:
        """From now on; what is there now counts as written."""
        self._written = self._state()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Save what is there now."""
        if self._task:
            self._task.cancel()
            self._task = None
            await self._save(self._state())

    async def _run(self) -> None:
        unwritten = 0
        while True:
            await asyncio.sleep(self._gap_sec)
            unwritten += 1
            state = self._state()
            moved = msgspec.structs.replace(state, position_sec=self._written.position_sec)
            if moved != self._written or unwritten >= self._every:
                unwritten = 0
                await self._save(state)

    async def _save(self, state: Saved) -> None:
        if state == self._written:
            return
        try:
            await self._write(msgspec.json.encode(state))
            self._written = state
        except Exception as error:
            if not self._failed:
                _log.warning("the player's state cannot be kept: %s", error)
            self._failed = True
