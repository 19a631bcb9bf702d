"""Why there is no sound on this machine, and what to do about it: what PortAudio and miniaudio do not tell."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .commands import PIPEWIRE_ALSA, PULSE_ALSA, Which, of_system

_CARD = re.compile(r"^ *\d+ \[.*\]: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """``root`` is where the file system begins."""

    platform: str = sys.platform
    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    which: Which = shutil.which

    def server(self) -> str:
        """The sound server that listens: "PipeWire", "PulseAudio", or "" for none."""
        runtime = self.environ.get("XDG_RUNTIME_DIR", "")
        if runtime and (Path(runtime) / "pipewire-0").exists():
            return "PipeWire"
        if (runtime and (Path(runtime) / "pulse" / "native").exists()) or self._wslg().exists():
            return "PulseAudio"
        return ""

    def cards(self) -> list[str]:
        """The sound cards that the Linux kernel has."""
        try:
            return _CARD.findall((self.root / "proc/asound/cards").read_text())
        except OSError:
            return []

    def may_use_cards(self) -> bool:
        devices = list((self.root / "dev/snd").glob("pcm*p")) if (self.root / "dev/snd").exists() else []
        return all(os.access(device, os.R_OK | os.W_OK) for device in devices)

    def in_container(self) -> bool:
        return any((self.root / name).exists() for name in (".dockerenv", "run/.containerenv"))

    def in_wsl(self) -> bool:
        try:
            return "microsoft" in (self.root / "proc/version").read_text().lower()
        except OSError:
            return False

    def _wslg(self) -> Path:
        return self.root / "mnt/wslg/PulseServer"


def explain(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Half a sentence on why nothing can be heard, and the steps that mend it."""
    if machine.platform == "darwin":
        return "macOS has no sound output", ("Choose one in System Settings > Sound > Output",)
    if address := machine.environ.get("PULSE_SERVER"):
        return (
            f"PULSE_SERVER names {address}, which does not play",
            ("Correct PULSE_SERVER or unset it, then: lofi restart",),
        )
    server, cards = machine.server(), machine.cards()
    if server == "PipeWire":
        return (
            "PipeWire runs, but nothing can be played through it",
            (
                "Let ALSA's programs play through it: "
                + of_system(PIPEWIRE_ALSA, "install its ALSA plugin (pipewire-alsa)", machine.which),
                "See that it has an output (`wpctl status`), or start it anew: "
                "systemctl --user restart pipewire pipewire-pulse wireplumber",
            ),
        )
    if server:
        return (
            "PulseAudio runs, but nothing can be played through it",
            (
                "Let ALSA's programs play through it: "
                + of_system(PULSE_ALSA, "install its ALSA plugin", machine.which),
                "See that it has an output (`pactl list short sinks`), or start it anew: pulseaudio --kill; "
                "pulseaudio --start",
            ),
        )
    if cards and not machine.may_use_cards():
        return (
            f"there is a sound card ({cards[0]}), but you may not use it",
            ("Join the group audio, then log in again: sudo usermod -aG audio $USER",),
        )
    if cards:
        start = "systemctl --user start pipewire pipewire-pulse wireplumber"
        if not machine.which("pipewire") and machine.which("pulseaudio"):
            start = "pulseaudio --start"
        return (
            f"there is a sound card ({cards[0]}), but no sound server runs, and the card itself does not open: it has "
            "no output, or another program holds it",
            (f"Start the sound server: {start}", "Or end the program that holds the card: fuser -v /dev/snd/*"),
        )
    if machine.in_wsl():
        return "this WSL has no sound", ("Update it, from Windows: wsl --update; then: wsl --shutdown",)
    if machine.in_container():
        return (
            "this is a container without sound",
            ("Start it with the sound server's socket: "
             "-v $XDG_RUNTIME_DIR/pulse/native:/tmp/pulse -e PULSE_SERVER=unix:/tmp/pulse",),
        )  # fmt: skip
    if machine.environ.get("SSH_CONNECTION"):
        return (
            "this machine, which you reached over SSH, has no sound card",
            ("Run lofi where your speakers are: music plays on the machine that the daemon runs on",),
        )
    return "this machine has no sound card and no sound server", ("Connect one, or play on another machine",)
