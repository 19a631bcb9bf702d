"""The client on stdin and stdout. Threads do the reading and writing, so that files, pipes and terminals all
work and a client that does not read never stalls the loop."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable

READ_SIZE = 1 << 16


def claim_stdout() -> int:
    """Keep the original fd 1 for the protocol and send every other print, native ones included, to stderr."""
    link = os.dup(1)
    os.dup2(2, 1)
    return link


class StdioTransport:
    """Reads fd ``source`` and writes fd ``sink``. Callbacks run on the loop's thread."""

    def __init__(self, source: int, sink: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._source = source
        self._sink = sink
        self._on_data = on_data
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="stdout", daemon=True)
        self._writer.start()
        threading.Thread(target=self._read_all, name="stdin", daemon=True).start()

    def write(self, line: bytes) -> None:
        self._out.put(line)

    def flush(self, timeout: float) -> None:
        """Write what is left, at most ``timeout`` seconds; nothing can be written afterwards."""
        self._out.put(None)
        self._writer.join(timeout)

    def _read_all(self) -> None:
        while True:
            try:
                data = os.read(self._source, READ_SIZE)
            except OSError:
                data = b""
            if not data:
                self._loop.call_soon_threadsafe(self._on_end)
                return
            self._loop.call_soon_threadsafe(self._on_data, data)

    def _write_all(self) -> None:
        while (line := self._out.get()) is not None:
            try:
                while line:
                    line = line[os.write(self._sink, line) :]
            except OSError:  # the client no longer reads; its end of stdin will end us
                return
