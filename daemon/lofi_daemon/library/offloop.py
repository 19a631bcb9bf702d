"""Blocking calls off the event loop, one at a time, on one thread that never keeps the process alive."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Call = Callable[[], None]


class OffLoop:
    """One daemon thread with its own waiting line.

    ``ThreadPoolExecutor(1)`` would do the same, but the interpreter waits for its threads at exit, and one stuck
    system call (a dead network drive) would then keep the daemon from leaving.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args, **kwargs)`` on the thread; its result or its exception.

        A cancelled await leaves out a call that has not begun; one that has begun runs to its end.
        Raises RuntimeError after ``close``.
        """
        if self._closed:
            raise RuntimeError(f"the thread {self._thread.name!r} is closed")
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(call)
        return await asyncio.wrap_future(future)

    def close(self, wait: bool = False) -> None:
        """Take no more calls; those waiting are still made. ``wait`` blocks until they are: not from an event loop."""
        if not self._closed:
            self._closed = True
            self._calls.put(None)
        if wait:
            self._thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # or the last call's arguments live until the next one
