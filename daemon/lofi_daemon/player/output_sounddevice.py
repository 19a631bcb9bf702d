"""PortAudio, by way of sounddevice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import sounddevice  # type: ignore[import-untyped]

from .devices import Device, UnknownDeviceError, identify, match
from .output import OutputError, OutputKind, Render

if TYPE_CHECKING:
    from .ring import FloatArray


_in_use = 0
"""Streams that are open, and calls under way that may open one. A stalled device may hold its own for ever."""
_in_use_lock = threading.Lock()


class SoundDeviceOutput:
    """Satisfies ``output.Output``. ``index`` is PortAudio's for the device, until it looks for devices again."""

    kind: OutputKind = "sounddevice"

    def __init__(self, device: Device, index: int, rate: int, latency_sec: float) -> None:
        self.device = device.name
        self.device_id = device.id
        self.rate = rate
        self.underruns = 0
        self._render: Render | None = None
        self._on_lost: Callable[[], None] | None = None
        self._closed = False
        _use(+1)
        try:
            self._stream = sounddevice.OutputStream(
                device=index,
                samplerate=rate,
                channels=2,
                dtype="float32",
                latency=latency_sec,
                callback=self._fill,
                finished_callback=self._finished,
            )
        except BaseException:
            _use(-1)
            raise
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
        if self._closed:
            return
        if self._stream.active:
            self._stream.stop(ignore_errors=True)
        self._stream.close(ignore_errors=True)
        self._closed = True
        _use(-1)

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


def output_devices() -> dict[int, Device]:
    """The devices of the system's own sound API that can play, by PortAudio's index; as old as its initialisation."""
    default = sounddevice.query_devices(kind="output")
    indices = [
        index
        for index in sounddevice.query_hostapis(default["hostapi"])["devices"]
        if sounddevice.query_devices(index)["max_output_channels"] > 0
    ]
    names = [sounddevice.query_devices(index)["name"] for index in indices]
    return {
        index: Device(ident, name, index == default["index"], "sounddevice")
        for index, name, ident in zip(indices, names, identify(names), strict=True)
    }


def open_output(rate: int, latency_sec: float, wanted: str = "") -> SoundDeviceOutput:
    """The device that ``wanted`` means, or the default, at ``rate``, or at its own rate where it refuses.

    Raises ``OutputError``.
    """
    name = wanted or "the default device"
    try:
        _look_again()
        devices = output_devices()
        if wanted:
            device = match(devices.values(), wanted)
        else:
            device = next(device for device in devices.values() if device.is_default)
        name = device.name
        index = next(index for index, other in devices.items() if other is device)
        try:
            return SoundDeviceOutput(device, index, rate, latency_sec)
        except sounddevice.PortAudioError:
            own_rate = int(sounddevice.query_devices(index)["default_samplerate"])
            return SoundDeviceOutput(device, index, own_rate, latency_sec)
    except UnknownDeviceError as exc:
        raise OutputError(str(exc)) from exc
    except (sounddevice.PortAudioError, ValueError) as exc:
        raise _failed(name, exc) from exc


def _look_again() -> None:
    """PortAudio lists devices once, when it is initialised; only a new initialisation makes it look again.

    sounddevice has no public call for it, and its maintainer recommends these two. Ending PortAudio pulls the
    ground from under every open stream, so with one that would not close the old list has to do.
    """
    alone = _use(+1) == 1
    try:
        if alone:
            sounddevice._terminate()
            sounddevice._initialize()
    finally:
        _use(-1)


def _use(change: int) -> int:
    global _in_use
    with _in_use_lock:
        _in_use += change
        return _in_use


def _failed(device: str, exc: Exception) -> OutputError:
    return OutputError(f"PortAudio could not open “{device}” ({exc.args[0] if exc.args else exc}).")
