"""A sound card made of a pipe, for machines without one.

``ALSA_CONFIG_PATH`` points ALSA at a configuration with one device, "default": its `file` plugin writes what it is
given into a FIFO and throws the rest away. The pipe holds one page, so a player is blocked until the test
reads: the test is the card's clock, and what it reads is bit for bit what the player's callback returned.
"""

from __future__ import annotations

import fcntl
import os
import select
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = 4096

CONFIG = """\
pcm.card {{
    type plug
    slave {{
        pcm {{ type file  slave.pcm {{ type null }}  file "{fifo}"  format "raw" }}
        format FLOAT_LE  rate {rate}  channels 2
    }}
}}
pcm.!default pcm.card
"""

FRAME = 8  # stereo float32


def environment(config: Path) -> dict[str, str]:
    """What makes ALSA read ``config`` only, and hides the sound servers of the machine the tests run on."""
    nowhere = str(config.parent / "nowhere")
    return {
        "ALSA_CONFIG_PATH": str(config),
        "PULSE_SERVER": f"unix:{nowhere}",
        "PIPEWIRE_REMOTE": nowhere,
        "JACK_NO_START_SERVER": "1",
    }


class SoundCard:
    """Stereo float32 at ``rate`` Hz. Close it to pull the plug: the next write of the player fails."""

    def __init__(self, folder: Path, rate: int = 48_000) -> None:
        self.rate = rate
        fifo, config = folder / "card.fifo", folder / "asound.conf"
        os.mkfifo(fifo, 0o600)
        config.write_text(CONFIG.format(fifo=fifo, rate=rate))
        self.env = environment(config)
        # Read and write: a probe that opens and closes the device would otherwise be an end of file.
        self._fd: int | None = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, PAGE)

    def read(self, frames: int, timeout_sec: float = 20.0) -> NDArray[np.float32]:
        """Exactly ``frames`` frames [frames, 2], as fast as the player gives them."""
        assert self._fd is not None, "the card is unplugged"
        wanted, got, deadline = frames * FRAME, bytearray(), time.monotonic() + timeout_sec
        while len(got) < wanted:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"the player gave {len(got) // FRAME} of {frames} frames")
            got += os.read(self._fd, min(PAGE, wanted - len(got)))
        return np.frombuffer(bytes(got), "<f4").reshape(-1, 2)

    def drain(self) -> None:
        """Throw away what lies in the pipe."""
        while self._fd is not None and select.select([self._fd], [], [], 0)[0]:
            os.read(self._fd, PAGE)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
