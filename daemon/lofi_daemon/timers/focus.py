"""The focus timer: music while you work, silence in the break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from ..errors import LofiError
from ..model import NoticeLevel
from .music import Music

FADE_SEC = 3.0
MIN_MINUTES = 0.1
MAX_MINUTES = 8 * 60.0
MAX_ROUNDS = 100

Phase = Literal["work", "break"]


class FocusState(Struct, frozen=True):
    """``ends_in_sec`` of this phase; ``round`` counts from 1 to ``rounds`` (None = until it is stopped)."""

    active: bool
    phase: Phase | None = None
    ends_in_sec: float | None = None
    round: int | None = None
    rounds: int | None = None


class FocusTimer:
    """``changed`` hears of every phase, ``notice`` what the user should know. ``hushed`` is True in quiet hours: a
    break that ends in them brings no music back, unless the timer was started in them.

    The music is the user's: who pauses or stops it during the work is not overruled at once, and what was silent
    when a break began is not started by its end.
    """

    def __init__(
        self,
        music: Music,
        changed: Callable[[FocusState], None],
        notice: Callable[[NoticeLevel, str], None],
        hushed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._music = music
        self._changed = changed
        self._notice = notice
        self._hushed = hushed
        self._state = FocusState(False)
        self._ends_at = 0.0
        self._paused_by_us = False
        self._task: asyncio.Task[None] | None = None

    def state(self) -> FocusState:
        if not self._state.active:
            return self._state
        left = round(max(0.0, self._ends_at - asyncio.get_running_loop().time()), 1)
        return FocusState(True, self._state.phase, left, self._state.round, self._state.rounds)

    async def start(self, work_min: float, break_min: float, rounds: int | None = None) -> FocusState:
        """Work from now on; music starts if there is none. After the last round's work the music goes on.

        Raises INVALID_PARAMS (field work_min, break_min, rounds).
        """
        for name, minutes in (("work_min", work_min), ("break_min", break_min)):
            if not MIN_MINUTES <= minutes <= MAX_MINUTES:
                raise _out_of_range(name, MIN_MINUTES, MAX_MINUTES, minutes)
        if rounds is not None and not 1 <= rounds <= MAX_ROUNDS:
            raise _out_of_range("rounds", 1, MAX_ROUNDS, rounds)
        self._cancel()
        began_hushed = self._hushed()
        self._enter("work", work_min * 60, 1, rounds)
        await self._bring_music(resume_only=False)
        self._task = asyncio.get_running_loop().create_task(
            self._run(work_min * 60, break_min * 60, rounds, began_hushed)
        )
        return self.state()

    async def stop(self) -> FocusState:
        """No more phases. In a break the music comes back: the silence was the timer's."""
        if self._state.active:
            self._cancel()
            self._leave()
            await self._end_break()
        return self.state()

    def close(self) -> None:
        self._cancel()
        self._state = FocusState(False)

    async def _run(self, work_sec: float, break_sec: float, rounds: int | None, began_hushed: bool) -> None:
        number = 1
        while True:
            await self._phase_over()
            if number == rounds:
                break
            self._enter("break", break_sec, number, rounds)
            self._paused_by_us = await self._music.fade_to_pause(FADE_SEC)
            await self._phase_over()
            number += 1
            self._enter("work", work_sec, number, rounds)
            if not self._hushed():
                began_hushed = False
            if self._hushed() and not began_hushed:
                if self._paused_by_us:
                    self._notice("info", "Back to work, without music: these are your quiet hours.")
                self._paused_by_us = False
            else:
                await self._end_break()
        self._task = None
        self._leave()
        self._notice("info", "The last round of the focus timer is over.")

    async def _phase_over(self) -> None:
        await asyncio.sleep(self._ends_at - asyncio.get_running_loop().time())

    async def _end_break(self) -> None:
        if self._paused_by_us:
            self._paused_by_us = False
            await self._bring_music(resume_only=True)

    async def _bring_music(self, *, resume_only: bool) -> None:
        try:
            if not self._music.is_playing() and not await self._music.resume() and not resume_only:
                await self._music.start()
        except LofiError as error:
            self._notice("warn", f"The focus timer runs without music: {error.message}")

    def _enter(self, phase: Phase, seconds: float, number: int, rounds: int | None) -> None:
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._state = FocusState(True, phase, seconds, number, rounds)
        self._changed(self.state())

    def _leave(self) -> None:
        self._state = FocusState(False)
        self._changed(self._state)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None


def _out_of_range(name: str, low: float, high: float, got: float) -> LofiError:
    return LofiError(
        "INVALID_PARAMS", f"{name} must lie between {low:g} and {high:g}, not {got:g}.",
        field=name, expected=[low, high], got=got,
    )  # fmt: skip
