"""PortAudio, by way of sounddevice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sounddevice  # type: ignore[import-untyped]

from .output import OutputError, OutputKind, Render

if TYPE_CHECKING:
    from .ring import FloatArray


class SoundDeviceOutput:
    """Satisfies ``output.Output``."""

    kind: OutputKind = "sounddevice"

    def __init__(self, device: str, rate: int, latency_sec: float) -> None:
        self.device = device
        self.rate = rate
        self.underruns = 0
        self._render: Render | None = None
        self._on_lost: Callable[[], None] | None = None
        self._stream = sounddevice.OutputStream(
            samplerate=rate,
            channels=2,
            dtype="float32",
            latency=latency_sec,
            callback=self._fill,
            finished_callback=self._finished,
        )
        self.latency_sec = float(self._stream.latency)

    def start(self, render: Render, on_lost: Callable[[], None]) -> None:
        self._render, self._on_lost = render, on_lost
        try:
            self._stream.start()
        except sounddevice.PortAudioError as exc:
            self._on_lost = None
            raise _failed(self.device, exc) from exc

    def close(self) -> None:
        self._on_lost = None
        if self._stream.active:
            self._stream.stop(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _fill(self, out: FloatArray, frames: int, _time: object, status: sounddevice.CallbackFlags) -> None:
        """In PortAudio's thread. What it raises ends the stream, which is then reported as lost."""
        if status.output_underflow:
            self.underruns += 1
        if self._render is not None:
            out[:] = self._render(frames)

    def _finished(self) -> None:
        """In PortAudio's thread, when the stream has stopped for whatever reason; nothing else tells."""
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()


def open_output(rate: int, latency_sec: float) -> SoundDeviceOutput:
    """The default device at ``rate``, or at its own rate where it refuses. Raises ``OutputError``."""
    name = "the default device"
    try:
        # PortAudio lists devices once, when it is initialised; only this makes it look again. sounddevice has
        # no public call for it, and its maintainer recommends these two.
        sounddevice._terminate()
        sounddevice._initialize()
        device = sounddevice.query_devices(kind="output")
        name = device["name"]
        try:
            return SoundDeviceOutput(name, rate, latency_sec)
        except sounddevice.PortAudioError:
            return SoundDeviceOutput(name, int(device["default_samplerate"]), latency_sec)
    except (sounddevice.PortAudioError, ValueError) as exc:
        raise _failed(name, exc) from exc


def _failed(device: str, exc: Exception) -> OutputError:
    return OutputError(f"PortAudio could not open “{device}” ({exc.args[0] if exc.args else exc}).")
