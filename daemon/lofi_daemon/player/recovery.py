"""What to do about a sound device that fails: notice that it stands still, and try again until one plays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

STALL_SEC = 2.0
"""No device is that slow: twenty times its latency without asking for a sample."""

DELAYS_SEC = (0.0, 1.0, 2.0, 4.0, 8.0, 10.0)
"""Before the first attempt, the second, …; the last one repeats."""

STEADY_SEC = 10.0
"""A device that fails again sooner than this after it came back is the same trouble going on."""

_CHECKS = 4

_log = logging.getLogger(__name__)


class StallWatch:
    """Calls ``on_stall`` when ``pulls()`` has stood still for ``stall_sec``; sleeps while that is None.

    It counts its own checks instead of reading a clock, so that a loop that was held up, or a laptop that slept,
    is not taken for a device that stalled.
    """

    def __init__(self, pulls: Callable[[], int | None], on_stall: Callable[[], None], stall_sec: float) -> None:
        self._pulls = pulls
        self._on_stall = on_stall
        self._interval = stall_sec / _CHECKS
        self._timer: asyncio.TimerHandle | None = None
        self._last: int | None = None
        self._still = 0

    def start(self) -> None:
        """Watch from now on; to be called whenever ``pulls`` stops being None."""
        self.stop()
        self._last, self._still = self._pulls(), 0
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        pulls = self._pulls()
        if pulls is None:
            return
        self._still = self._still + 1 if pulls == self._last else 0
        self._last = pulls
        if self._still >= _CHECKS:
            self._on_stall()
            return
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check)


class Recovery:
    """Makes ``attempt`` until it returns True, ever more seldom. Belongs to one event loop."""

    def __init__(
        self,
        attempt: Callable[[], Awaitable[bool]],
        delays_sec: Sequence[float] = DELAYS_SEC,
        steady_sec: float = STEADY_SEC,
    ) -> None:
        self.is_news = True
        """The trouble that ``begin`` was last called for is not the one before, going on."""
        self._attempt = attempt
        self._delays_sec = delays_sec
        self._steady_sec = steady_sec
        self._step = 0
        self._recovered_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start trying. Where the last success is recent, waiting goes on as long as it had grown."""
        recovered_at, self._recovered_at = self._recovered_at, None
        now = asyncio.get_running_loop().time()
        self.is_news = recovered_at is None or now - recovered_at >= self._steady_sec
        if self.is_news:
            self._step = 0
        self._start()

    def hurry(self) -> None:
        """Try now, and then at the first pace again."""
        self._step = 0
        self._start()

    def cancel(self) -> None:
        """Stop trying, also in the midst of an attempt; one that calls this itself comes to its end."""
        task, self._task = self._task, None
        if task and task is not asyncio.current_task():
            task.cancel()

    def _start(self) -> None:
        self.cancel()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            delay = self._delays_sec[min(self._step, len(self._delays_sec) - 1)]
            self._step += 1
            await asyncio.sleep(delay)
            try:
                if await self._attempt():
                    break
            except Exception:
                _log.exception("an attempt to play on failed")
        self._recovered_at = asyncio.get_running_loop().time()
