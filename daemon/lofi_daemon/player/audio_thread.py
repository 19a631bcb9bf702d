"""One daemon thread for calls that block: importing the audio libraries, opening files and sound devices.

Not asyncio's executor: a sound server that hangs would hold that one's shutdown, and the daemon's exit, hostage.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


class AudioThread:
    """Runs calls one after another, in the order they were made. The thread starts with the first call."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._started = False

    async def call(
        self, function: Callable[[], T], *, timeout_sec: float, too_late: Callable[[T], None] | None = None
    ) -> T:
        """The result of ``function()``, or what it raised.

        Raises ``TimeoutError`` after ``timeout_sec``; a result that comes after that goes to ``too_late``,
        in the thread, so that nothing opened is left open.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():
                if error is None and too_late is not None:
                    self._calls.put(lambda: too_late(result))  # type: ignore[arg-type]
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result: T | None = None
            error: BaseException | None = None
            try:
                result = function()
            except BaseException as exc:
                error = exc
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                if error is None and too_late is not None:
                    too_late(result)  # type: ignore[arg-type]

        self.soon(run)
        async with asyncio.timeout(timeout_sec):
            try:
                return await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled() and future.exception() is None and too_late:
                    result = future.result()  # it came in the same turn of the loop as the cancel
                    self.soon(lambda: too_late(result))
                raise

    def soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` without anyone waiting for it."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="lofi-audio", daemon=True).start()
        self._calls.put(call)

    def close(self) -> None:
        """End the thread after the calls already made. Later calls are not run."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception:
                _log.exception("a call of the audio thread failed")
