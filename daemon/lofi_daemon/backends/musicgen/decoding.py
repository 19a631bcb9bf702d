"""Sound beside the tokens: EnCodec on a thread of its own, with cores that it borrows from the step.

The step waits for memory, where one core gets nearly as far as two, and EnCodec computes: side by side they take less
time than in turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .codec import CodecStream
from .crew import Cores
from .sampling import no_number

FIRST_CHUNK_SEC, CHUNK_SEC = 0.5, 1.0
"""Sound is decoded in such parts: small ones waste work on their surroundings, large ones keep the listener waiting."""

AHEAD = 10
"""Chunks that the tokens may be ahead of the sound: what a continuation begins with comes all at once."""

PAUSE_SEC = 0.05
"""Between two looks at whether the user has cancelled, while the tokens wait for the sound."""


class Decoding:
    """Codes of ``frames`` in, final samples out. A context manager: nothing of it runs beyond its end.

    For one thread, in which all it raises arrives. With one core, or on a GPU, tokens and sound take turns.
    """

    def __init__(self, stream: CodecStream, frame_rate: int, frames: int, cores: Cores) -> None:
        self._stream, self._cores, self._frame_rate, self._left = stream, cores, frame_rate, frames
        self._ahead = AHEAD if cores.total > 1 and stream.on_cpu else 0
        self._chunk, self._there = round(FIRST_CHUNK_SEC * frame_rate), 0
        self._gathered: list[Tensor] = []
        self._pending: deque[Future[Tensor]] = deque()
        self._leaving = Event()
        self._thread = ThreadPoolExecutor(1, "encodec")

    def __enter__(self) -> Decoding:
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.shutdown(cancel_futures=True)

    def give(self, codes: Tensor) -> None:
        """The next codes [batch, codebooks, n]."""
        self._gathered.append(codes)
        self._there += codes.shape[2]
        self._left -= codes.shape[2]
        while self._there >= self._chunk or (self._there and not self._left):
            chunk, rest = torch.cat(self._gathered, 2).tensor_split([self._chunk], 2)
            self._gathered, self._there = [rest], rest.shape[2]
            self._pending.append(self._thread.submit(self._decode, chunk, not self._left and not self._there))
            self._chunk = round(CHUNK_SEC * self._frame_rate)

    def ready(self, pause: Callable[[], None]) -> Iterator[NDArray[np.float32]]:
        """The next samples [batch, channels, m] in −1…1, as far as they are decoded.

        Waits while the sound is too far behind, and for the rest of it once all codes were given; ``pause``, called
        meanwhile, may raise. Raises MODEL_INFERENCE_FAILED and what torch raises.
        """
        while self._pending:
            first = self._pending[0]
            while not first.done() and (len(self._pending) > self._ahead or not self._left):
                wait([first], PAUSE_SEC)
                pause()
            if not first.done():
                return
            made = self._pending.popleft().result().clamp_(-1, 1).numpy()
            if not np.isfinite(made).all():
                raise no_number()
            if made.shape[2]:
                yield made

    def _decode(self, codes: Tensor, last: bool) -> Tensor:
        if last or not self._ahead:  # nobody else has work
            torch.set_num_threads(self._cores.total)
            return self._stream.push(codes, last, self._go_on)
        with self._cores.borrowed() as count:
            torch.set_num_threads(count)
            return self._stream.push(codes, last, self._go_on)

    def _go_on(self) -> None:
        if self._leaving.is_set():
            raise CancelledError
