"""An event loop whose clock jumps to the next thing that is due: an hour passes in the time its work takes."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Jumping(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # nothing is planned: a thread must be at work
            return super().select(None)
        self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    now = 1000.0

    def __init__(self):
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self):
        return self.now


def run(scene: Coroutine[Any, Any, Any]) -> Any:
    """Like asyncio.run, on a clock of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scene)
