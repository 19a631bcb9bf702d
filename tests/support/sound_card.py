"""A sound card made of a pipe, for machines without one.

``ALSA_CONFIG_PATH`` points ALSA at a configuration with one device, "default": its `file` plugin writes what it is
given into a FIFO and throws the rest away. The pipe holds one page, so a player is blocked until the test
reads: the test is the card's clock, and what it reads is bit for bit what the player's callback returned.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = 4096

DEVICE = """\
pcm.{name} {{
    type plug
    hint {{ show on  description "{name}" }}
    slave {{
        pcm {{ type file  slave.pcm {{ type null }}  file "{fifo}"  format "raw" }}
        format FLOAT_LE  rate {rate}  channels 2
    }}
}}
"""
DEFAULT = "pcm.!default pcm.{name}\n"

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


class Pipe:
    """The end of one device that its listener holds."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo, 0o600)
        # Read and write: a probe that opens and closes the device would otherwise be an end of file.
        self._fd: int | None = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, PAGE)

    def read(self, frames: int, timeout_sec: float = 60.0) -> NDArray[np.float32]:
        """Exactly ``frames`` frames [frames, 2], as fast as the player gives them."""
        assert self._fd is not None, "the card is unplugged"
        wanted, got, deadline = frames * FRAME, bytearray(), time.monotonic() + timeout_sec
        while len(got) < wanted:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"the player gave {len(got) // FRAME} of {frames} frames")
            got += os.read(self._fd, min(PAGE, wanted - len(got)))
        return np.frombuffer(bytes(got), "<f4").reshape(-1, 2)

    def take(self) -> bytes:
        """What lies in the pipe now, at most a page; b"" if that is nothing."""
        if self._fd is None or not select.select([self._fd], [], [], 0)[0]:
            return b""
        return os.read(self._fd, PAGE)

    def drain(self) -> None:
        """Throw away what lies in the pipe, one page at most: a player refills it as fast as it is read."""
        self.take()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class SoundCard(Pipe):
    """Stereo float32 at ``rate`` Hz. Close it to pull the plug: the next write of the player fails."""

    def __init__(self, folder: Path, rate: int = 48_000) -> None:
        self.rate = rate
        fifo, config = folder / "card.fifo", folder / "asound.conf"
        super().__init__(fifo)
        config.write_text(DEVICE.format(name="card", fifo=fifo, rate=rate) + DEFAULT.format(name="card"))
        self.env = environment(config)


@contextlib.contextmanager
def listening(folder: Path, pause_sec: float = 0.005) -> Iterator[SoundCard]:
    """A card that takes whatever comes: a page, a pause, a page."""
    card, gone = SoundCard(folder), threading.Event()

    def listen() -> None:
        while not gone.wait(pause_sec):
            card.drain()

    listener = threading.Thread(target=listen)
    listener.start()
    yield card
    gone.set()
    listener.join()
    card.close()


class SoundCards:
    """Several cards of one machine, 48 kHz, to be plugged in and pulled out; the first of them is the default.

    A thread listens to all of them at about ``speed`` times real time and keeps what it heard, card by card.
    """

    def __init__(self, folder: Path, *names: str, speed: float = 2.0) -> None:
        self._folder = folder
        self._config = folder / "asound.conf"
        self._pipes: dict[str, tuple[Path, Pipe]] = {}
        self._heard: dict[str, bytearray] = {}
        self._plugs = 0
        self.pace(speed)
        self._lock = threading.Lock()
        self._deaf: set[str] = set()
        self._closed = False
        self.env = environment(self._config)
        self._write_config()
        for name in names:
            self.plug(name)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def plug(self, name: str) -> None:
        self._plugs += 1
        fifo = self._folder / f"{name}{self._plugs}.fifo"
        with self._lock:
            self._pipes[name] = fifo, Pipe(fifo)
            self._heard[name] = bytearray()
        self._write_config()

    def unplug(self, name: str) -> None:
        with self._lock:
            fifo, pipe = self._pipes.pop(name)
        self._write_config()
        fifo.unlink()  # a FIFO that nobody reads would hold up whoever opens it
        pipe.close()

    def pace(self, speed: float) -> None:
        """Listen at about that many times real time from now on."""
        self._block_sec = PAGE / FRAME / 48_000 / speed

    def stall(self, name: str) -> None:
        """Take no more from this card; its player is held in its write, as by a driver that hangs."""
        self._deaf.add(name)

    def go_on(self, name: str) -> None:
        self._deaf.discard(name)

    def heard(self, name: str) -> NDArray[np.float32]:
        """All that was heard since the card was plugged in, [frames, 2]."""
        with self._lock:
            data = bytes(self._heard[name])
        return np.frombuffer(data[: len(data) // FRAME * FRAME], "<f4").reshape(-1, 2)

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        for _, pipe in self._pipes.values():
            pipe.close()

    def _listen(self) -> None:
        while not self._closed:
            with self._lock:
                for name, (_, pipe) in self._pipes.items():
                    if name not in self._deaf:
                        self._heard[name] += pipe.take()
            time.sleep(self._block_sec)

    def _write_config(self) -> None:
        """By a rename: ALSA reads a file again when it is another, or a second older."""
        names = list(self._pipes)
        text = "".join(DEVICE.format(name=name, fifo=self._pipes[name][0], rate=48_000) for name in names)
        fresh = self._config.with_suffix(".new")
        fresh.write_text(text + (DEFAULT.format(name=names[0]) if names else ""))
        fresh.replace(self._config)
