"""miniaudio, whose wheel brings its own C library: the fallback where PortAudio is missing."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Generator
from typing import Any

import miniaudio  # type: ignore[import-untyped]

from .devices import Device, UnknownDeviceError, identify, match
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

    def __init__(self, rate: int, latency_sec: float, device: Device | None, native_id: Any) -> None:
        self.rate = rate
        self.latency_sec = latency_sec
        self.underruns = 0
        self._given = 0
        self._on_lost: Callable[[], None] | None = None
        self._device = miniaudio.PlaybackDevice(
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=2,
            device_id=native_id,
            sample_rate=rate,
            buffersize_msec=round(1000 * latency_sec / _PERIODS),
            callback_periods=_PERIODS,
            backends=_BACKENDS,
            app_name="lofi",
        )
        self.device = device.name if device else f"{self._device.backend} default device"
        self.device_id = device.id if device else ""

    def start(self, render: Render, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._device.stop_callback = self._lost
        frames = self._frames(render)
        next(frames)
        try:
            self._device.start(frames)
        except miniaudio.MiniaudioError as exc:
            self._on_lost = None
            raise _failed(self.device, exc) from exc

    def close(self) -> None:
        sounding, self._on_lost = self._on_lost is not None, None
        if sounding:
            self._play_out()
        with contextlib.suppress(miniaudio.MiniaudioError):
            self._device.close()

    def _play_out(self) -> None:
        """miniaudio throws away what its device holds; what was given until now has left once as much followed."""
        wanted = self._given + round(self.latency_sec * self.rate)
        deadline = time.monotonic() + 3 * self.latency_sec
        while self._given < wanted and time.monotonic() < deadline:
            time.sleep(self.latency_sec / 20)

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
            self._given += wanted
            wanted = yield frames

    def _lost(self) -> None:
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()


def output_devices() -> list[tuple[Device, Any]]:
    """Every device that can play, with miniaudio's own id for it; none where it cannot list them."""
    try:
        found = miniaudio.Devices(_BACKENDS).get_playbacks()
    except miniaudio.MiniaudioError:
        return []
    ids = identify([one["name"] for one in found])
    return [(Device(ident, one["name"], False, "miniaudio"), one["id"]) for ident, one in zip(ids, found, strict=True)]


def open_output(rate: int, latency_sec: float, wanted: str = "") -> MiniaudioOutput:
    """The device that ``wanted`` means, or the system's default. Raises ``OutputError``."""
    device, native_id = None, None
    try:
        if wanted:
            found = output_devices()
            device = match((each for each, _ in found), wanted)
            native_id = next(native for each, native in found if each is device)
        return MiniaudioOutput(rate, latency_sec, device, native_id)
    except UnknownDeviceError as exc:
        raise OutputError(str(exc)) from exc
    except miniaudio.MiniaudioError as exc:
        raise _failed(device.name if device else "the default device", exc) from exc


def _failed(device: str, exc: Exception) -> OutputError:
    return OutputError(f"miniaudio could not open {device} ({exc.args[0] if exc.args else exc}).")
