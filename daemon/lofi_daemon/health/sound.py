"""What plays the music: the device, PortAudio, and the media keys."""

from __future__ import annotations

import ctypes.util
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ..config import PlayerSettings
from ..player.devices import UnknownDeviceError, match
from ..player.probe import Found, Probe, probe_in_child
from .commands import PORTAUDIO, Installation, of_system
from .finding import Finding
from .sound_server import Machine, explain

_find = partial(Finding, "Sound")
_LIBRARIES = {"sounddevice": "PortAudio", "miniaudio": "miniaudio"}
_ALL_THE_SAME = "Tracks are made and kept all the same; this copies them: lofi export TRACK PATH"


@dataclass(frozen=True, slots=True)
class Libraries:
    """``portaudio`` is where PortAudio comes from, "" if it is missing."""

    portaudio: str
    has_dbus: bool

    @classmethod
    def here(cls) -> Libraries:
        """PortAudio as the sounddevice package finds it: bundled in its wheel (macOS, Windows) or in the system."""
        bundled = "bundled with sounddevice" if importlib.util.find_spec("_sounddevice_data") else ""
        return cls(
            bundled or ctypes.util.find_library("portaudio") or "", importlib.util.find_spec("dbus_fast") is not None
        )


def look(
    settings: PlayerSettings,
    libraries: Libraries,
    installation: Installation,
    playing_through: str | None = None,
    *,
    probe: Callable[[str], Probe] = probe_in_child,
    machine: Machine | None = None,
) -> Iterator[Finding]:
    """``playing_through`` is the device that this process has open: then nothing need be opened to see that it can."""
    machine = machine or Machine()
    if settings.output == "none":
        yield _find("info", 'Sound is off (player.output = "none")')
        return
    if libraries.portaudio:
        yield _find("ok", f"PortAudio: {libraries.portaudio}")
    else:
        command = of_system(PORTAUDIO, "with your system's package manager", machine.which)
        yield _find("warn", "PortAudio is not installed; miniaudio plays instead", (f"Install it: {command}",))
    if playing_through:
        yield _find("ok", f"Plays through “{playing_through}”")
    else:
        yield from _device(settings, probe, machine)
    yield from _media_keys(settings.mpris, libraries.has_dbus, machine.platform, machine.environ, installation)


def _device(settings: PlayerSettings, probe: Callable[[str], Probe], machine: Machine) -> Iterator[Finding]:
    kinds = ("sounddevice", "miniaudio") if settings.output == "auto" else (settings.output,)
    reasons = []
    for kind in kinds:
        answer = probe(kind)
        if not isinstance(answer, Found):
            reasons.append(answer.reason)
            continue
        name = answer.device
        if settings.device:
            try:
                name = match(answer.devices, settings.device).name
            except UnknownDeviceError as error:
                yield _find(
                    "warn",
                    f"player.device: {error} Until then the default plays.",
                    ("Choose one: :LofiDevices in Neovim, `lofi devices` in a shell",),
                )
        more = f" ({len(answer.devices)} devices)" if len(answer.devices) > 1 else ""
        yield _find("ok", f"Device: “{name}”{more}, through {_LIBRARIES[kind]}")
        return
    why, steps = explain(machine)
    if settings.output != "auto":
        steps = ('Let every library try: player.output = "auto"', *steps)
    yield _find("warn", f"Nothing can be played: {why}. {' '.join(reasons)}", (*steps, _ALL_THE_SAME))


def _media_keys(
    wanted: bool, has_dbus: bool, platform: str, environ: Mapping[str, str], installation: Installation
) -> Iterator[Finding]:
    if not wanted or platform != "linux":
        return
    if not has_dbus:
        yield _find(
            "info",
            "Media keys and playerctl do nothing: the Python package dbus-fast is not installed",
            (f"If you want them: {installation.pip()} install dbus-fast",),
        )
    elif not environ.get("DBUS_SESSION_BUS_ADDRESS"):
        yield _find("info", "Media keys and playerctl do nothing: there is no D-Bus session here")
    else:
        yield _find("ok", "Media keys and playerctl work (MPRIS)")
