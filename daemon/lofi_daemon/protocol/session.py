"""One client: its requests in order, its replies before the notifications they cause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .wire import Dispatcher


class Session:
    """Requests are answered one after the other in the order they came, so `play` then `pause` stays so.

    While one is being answered, notifications for this client are held back: the reply to a request
    leaves before the first notification of the job it made. Replies that take long come when they come.
    """

    def __init__(self, dispatcher: Dispatcher, write: Callable[[bytes], None]) -> None:
        self._dispatcher = dispatcher
        self._write = write
        self._held: list[bytes] = []
        self._answering = False
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._later: set[asyncio.Future[None]] = set()
        self._task = asyncio.create_task(self._serve())

    def receive(self, lines: list[bytes | None]) -> None:
        for line in lines:
            self._lines.put_nowait(line)

    def notify(self, line: bytes) -> None:
        if self._answering:
            self._held.append(line)
        else:
            self._write(line)

    @property
    def waiting(self) -> int:
        """How many requests were received and not begun."""
        return self._lines.qsize()

    async def drain(self) -> None:
        """Until everything received so far is answered."""
        await self._lines.join()
        if self._later:
            await asyncio.wait(self._later)

    def close(self) -> None:
        for task in (self._task, *self._later):
            task.cancel()

    async def _write_later(self, reply: Awaitable[bytes | None]) -> None:
        if (line := await reply) is not None:
            self._write(line)

    async def _serve(self) -> None:
        while True:
            line = await self._lines.get()
            self._answering = True
            try:
                reply = await self._dispatcher.answer(line)
                if isinstance(reply, bytes):
                    self._write(reply)
                elif reply is not None:
                    task = asyncio.ensure_future(self._write_later(reply))
                    self._later.add(task)
                    task.add_done_callback(self._later.discard)
            finally:
                self._answering = False
                held, self._held = self._held, []
                for notification in held:
                    self._write(notification)
                self._lines.task_done()
