"""Which sound device plays: PortAudio through sounddevice, else miniaudio, else none, and that is said."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, cast

from ..errors import LofiError
from .devices import Device, OutputKind
from .probe import Missing, Probe, probe_in_child

if TYPE_CHECKING:  # the front imports this at start and must not load numpy
    from .ring import FloatArray

__all__ = ["NoDeviceError", "Output", "OutputError", "OutputKind", "OutputSetting", "Outputs", "Render", "Say"]

OutputSetting = Literal["auto", "sounddevice", "miniaudio", "none"]

Render = Callable[[int], "FloatArray"]
Say = Callable[[str], None]

SAMPLE_RATE = 48_000
"""What most tracks have and sound servers run at; the operating system converts where a card differs."""

LATENCY_SEC = 0.1
"""Long enough to ride out a stall of the front, short enough that pause feels immediate."""


class Output(Protocol):
    """An open sound device, silent until ``start``. Every method may block: call them off the event loop."""

    kind: OutputKind
    device: str
    device_id: str
    """Of the ``Device`` it is, or "" for a default that its driver does not name."""
    rate: int
    latency_sec: float
    underruns: int
    """Times the device ran dry, as far as its driver tells."""

    def start(self, render: Render, on_lost: Callable[[], None]) -> None:
        """Pull frames from ``render`` in the device's own thread.

        ``on_lost`` is called once, from a foreign thread, when the device goes away or ``render`` raises;
        not after ``close``. Raises ``OutputError``.
        """

    def close(self) -> None:
        """Play out what the device holds and release it. Never raises; may never return where a device stalls."""


class OutputError(Exception):
    """A device that is there would not open or start."""


class NoDeviceError(Exception):
    """There is nothing to play through. A state to report, not an error; the text says why and what to do."""


class Outputs:
    """Opens the output that the setting ``player.output`` asks for, on ``device``: an id, a name or a part of one.

    "" is the system's default, which also stands in, and that is said, while ``device`` is absent or refuses.
    A kind is probed in a child process before its library is loaded here, once while it is found; one that
    was missing is asked again at the next ``open``, so that a card plugged in later is noticed.
    """

    def __init__(
        self,
        setting: OutputSetting,
        device: str = "",
        *,
        probe: Callable[[OutputKind], Probe] = probe_in_child,
        open_kind: Callable[[OutputKind, str], Output] | None = None,
    ) -> None:
        if setting not in ("auto", "sounddevice", "miniaudio", "none"):
            raise LofiError(
                "INVALID_PARAMS",
                f"player.output is {setting!r}; use auto, sounddevice, miniaudio or none.",
                field="player.output",
            )
        self.chosen = device
        self._setting = setting
        self._probe = probe
        self._open_kind = open_kind or _open_kind
        self._found: set[OutputKind] = set()
        self._last_said = ""

    def open(self, say: Say) -> Output:
        """Blocks for up to some seconds. ``say`` is told, from this thread, when the second choice is used.

        Raises ``NoDeviceError``; ``LofiError`` AUDIO_DEVICE_ERROR when a device is there but will not open.
        """
        if self._setting == "none":
            raise NoDeviceError('Sound is off: player.output is "none". Set it to "auto" to play through the speakers.')
        missing: list[str] = []
        broken: list[str] = []
        for kind in self._kinds():
            reason = self._missing(kind)
            if reason is not None:
                missing.append(reason)
                continue
            try:
                output, instead = self._open_chosen(kind)
            except OutputError as exc:
                broken.append(str(exc))
                continue
            if missing or broken:
                self._say_once(say, f"Playing through {kind}: {' '.join(missing + broken)}")
            elif instead:
                self._say_once(say, f"Playing through the default device, “{output.device}”: {instead}")
            else:
                self._last_said = ""  # all is as asked for: when it changes again, say so again
            return output
        if broken:
            raise LofiError(
                "AUDIO_DEVICE_ERROR",
                f"{' '.join(broken)} Close what else uses the sound device, or set player.output.",
            )
        raise NoDeviceError(f"No audio device: {' '.join(missing)}")

    def devices(self) -> tuple[Device, ...]:
        """What there is now to choose from, asked in a child process; blocks for up to some seconds."""
        for kind in self._kinds():
            answer = self._probe(kind)
            if not isinstance(answer, Missing):
                return answer.devices
        return ()

    def distrust(self) -> None:
        """The sound system broke: probe again before its library is called, which could end this process."""
        self._found.clear()

    def _kinds(self) -> tuple[OutputKind, ...]:
        if self._setting == "auto":
            return ("sounddevice", "miniaudio")
        return () if self._setting == "none" else (self._setting,)

    def _open_chosen(self, kind: OutputKind) -> tuple[Output, str]:
        """An output, and why it is not on the chosen device."""
        instead = ""
        if self.chosen:
            try:
                return self._open_kind(kind, self.chosen), ""
            except OutputError as exc:
                instead = str(exc)
        return self._open_kind(kind, ""), instead

    def _missing(self, kind: OutputKind) -> str | None:
        if kind in self._found:
            return None
        answer = self._probe(kind)
        if isinstance(answer, Missing):
            return answer.reason
        self._found.add(kind)
        return None

    def _say_once(self, say: Say, message: str) -> None:
        if message != self._last_said:
            self._last_said = message
            say(message)


def _open_kind(kind: OutputKind, device: str) -> Output:
    # By name, so that neither library is loaded before its probe has come back alive.
    module = importlib.import_module(f".output_{kind}", __package__)
    return cast(Output, module.open_output(SAMPLE_RATE, LATENCY_SEC, device))
