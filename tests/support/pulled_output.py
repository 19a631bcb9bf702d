"""An output whose clock is the test: nothing sounds until the test pulls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from support.sound import wait_until_decoded

from lofi_daemon.player.output import OutputKind, Render


class PulledOutput:
    """Satisfies ``lofi_daemon.player.output.Output``."""

    kind: OutputKind = "sounddevice"
    device = "pulled"
    device_id = "pulled"
    underruns = 0

    def __init__(self, rate: int = 48_000, latency_sec: float = 0.1) -> None:
        self.rate = rate
        self.latency_sec = latency_sec
        self.closed = False
        self._render: Render | None = None
        self._on_lost: Callable[[], None] | None = None

    def start(self, render: Render, on_lost: Callable[[], None]) -> None:
        self._render, self._on_lost = render, on_lost

    def close(self) -> None:
        self.closed = True
        self._on_lost = None

    def pull(self, frames: int, block: int = 480) -> NDArray[np.float32]:
        """The next ``frames`` frames [frames, 2], in a device's blocks, and never before they are decoded."""
        assert self._render is not None and not self.closed
        blocks = []
        for start in range(0, frames, block):
            if start % (self.rate // 2) < block:
                wait_until_decoded()
            blocks.append(self._render(min(block, frames - start)))
        return np.concatenate(blocks)

    def lose(self) -> None:
        """Pull the plug."""
        assert self._on_lost is not None
        self._on_lost()
