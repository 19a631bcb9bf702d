"""What a backend lets be heard while it works: a raw file in the staging folder, told of as it grows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.link import AudioGrown
from ..errors import LofiError

TELL_SEC = 0.25
"""Of audio between two messages: a backend may send sample by sample."""


class Stream:
    """Writes interleaved float32 to ``staging``/``track_id``.f32, in which nothing ever changes once it is told."""

    def __init__(self, job_id: str, staging: Path, track_id: str, emit: Callable[[object], None]) -> None:
        self._job_id = job_id
        self._path = staging / f"{track_id}.f32"
        self._emit = emit
        self._fd: int | None = None
        self._shape = (0, 0)
        self._frames = 0
        self._told = 0

    def append(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        """``samples`` [frames, channels] follow what came before; beyond ±1 they are clipped, as the track will be.

        Raises LofiError CACHE_WRITE_ERROR and, for NaN, MODEL_INFERENCE_FAILED; ValueError for another rate or number
        of channels than before.
        """
        shape = (sample_rate, samples.shape[1])
        if self._frames and shape != self._shape:
            raise ValueError(f"a stream of {self._shape} (Hz, channels) goes on as {shape}")
        if not np.isfinite(samples).all():
            raise LofiError("MODEL_INFERENCE_FAILED", "The backend made invalid samples (NaN); try another seed.")
        self._shape = shape
        self._write(np.clip(samples, -1.0, 1.0).astype("<f4").tobytes())
        self._frames += len(samples)
        if self._frames - self._told >= TELL_SEC * sample_rate:
            self._tell()

    def end(self, audio: NDArray[np.float32]) -> None:
        """The finished ``audio`` [frames, channels]: send what of it was not sent, if anything was."""
        if not self._frames:
            return
        self.append(audio[self._frames :], self._shape[0])
        if self._frames > self._told:
            self._tell()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _tell(self) -> None:
        self._told = self._frames
        self._emit(AudioGrown(self._job_id, self._path.name, self._frames, *self._shape))

    def _write(self, data: bytes) -> None:
        try:
            if self._fd is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
                self._fd = os.open(self._path, flags, 0o600)
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            raise LofiError(
                "CACHE_WRITE_ERROR",
                f"The track could not be written to {self._path.parent} ({error.strerror or error}); "
                "free some space or set another cache.dir.",
            ) from error
