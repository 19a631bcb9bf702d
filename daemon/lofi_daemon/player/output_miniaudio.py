"""miniaudio, whose wheel brings its own C library: the fallback where PortAudio is missing."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator

import miniaudio  # type: ignore[import-untyped]

from .output import OutputError, OutputKind, Render

_PERIODS = 4

# Without a list miniaudio falls back to its null backend, which would be silence that calls itself success.
_BACKENDS = [
    backend
    for backend in miniaudio.Backend
    if backend not in (miniaudio.Backend.NULL, miniaudio.Backend.CUSTOM, miniaudio.Backend.WEBAUDIO)
]

_log = logging.getLogger(__name__)


class MiniaudioOutput:
    """Satisfies ``output.Output``. miniaudio tells of no underruns, so ``underruns`` stays 0."""

    kind: OutputKind = "miniaudio"

    def __init__(self, rate: int, latency_sec: float) -> None:
        self.rate = rate
        self.latency_sec = latency_sec
        self.underruns = 0
        self._on_lost: Callable[[], None] | None = None
        self._device = miniaudio.PlaybackDevice(
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=2,
            sample_rate=rate,
            buffersize_msec=round(1000 * latency_sec / _PERIODS),
            callback_periods=_PERIODS,
            backends=_BACKENDS,
            app_name="lofi",
        )
        self.device = f"{self._device.backend} default device"

    def start(self, render: Render, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._device.stop_callback = self._lost
        frames = self._frames(render)
        next(frames)
        try:
            self._device.start(frames)
        except miniaudio.MiniaudioError as exc:
            self._on_lost = None
            raise _failed(exc) from exc

    def close(self) -> None:
        self._on_lost = None
        with contextlib.suppress(miniaudio.MiniaudioError):
            self._device.close()

    def _frames(self, render: Render) -> Generator[bytes, int, None]:
        """In miniaudio's thread."""
        wanted = yield b""
        while True:
            try:
                frames = render(wanted).tobytes()
            except Exception:
                _log.exception("the mixer failed")
                self._lost()
                return
            wanted = yield frames

    def _lost(self) -> None:
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()


def open_output(rate: int, latency_sec: float) -> MiniaudioOutput:
    """The system's default device. Raises ``OutputError``."""
    try:
        return MiniaudioOutput(rate, latency_sec)
    except miniaudio.MiniaudioError as exc:
        raise _failed(exc) from exc


def _failed(exc: Exception) -> OutputError:
    return OutputError(f"miniaudio could not open the default device ({exc.args[0] if exc.args else exc}).")
