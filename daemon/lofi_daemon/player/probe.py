"""Which sound devices are there? Asked in a child process, because PortAudio aborts when ALSA's set-up is broken.

``python -m lofi_daemon.player.probe sounddevice`` prints one JSON line and leaves.
"""

from __future__ import annotations

import subprocess
import sys

import msgspec
from msgspec import Struct

from .devices import Device

PROBE_TIMEOUT_SEC = 10.0


class Found(Struct, frozen=True, tag="found"):
    """``device`` is the default's name; ``devices`` all that can play."""

    device: str
    devices: tuple[Device, ...] = ()


class Missing(Struct, frozen=True, tag="missing"):
    """``reason`` is a sentence that says what is missing and, where it is known, what to install."""

    reason: str


Probe = Found | Missing

_decoder: msgspec.json.Decoder[Probe] = msgspec.json.Decoder(Found | Missing)

_LIBRARY = {"sounddevice": "PortAudio", "miniaudio": "miniaudio"}


def probe_in_child(kind: str) -> Probe:
    """Ask for the outputs of "sounddevice" or "miniaudio"; blocks, at most ``PROBE_TIMEOUT_SEC``."""
    name = _LIBRARY[kind]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__, kind],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_TIMEOUT_SEC,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Missing(f"{name} gave no answer within {PROBE_TIMEOUT_SEC:.0f} s; the sound server may hang.")
    except OSError as exc:
        return Missing(f"{name} could not be asked: {exc}.")
    try:
        return _decoder.decode(done.stdout)
    except msgspec.DecodeError:
        return Missing(f"{name} crashed while looking for devices; check the system's ALSA or sound server set-up.")


def probe_sounddevice() -> Probe:
    """Loads PortAudio into this process."""
    try:
        import sounddevice  # type: ignore[import-untyped]
    except ImportError:
        return Missing("The Python package sounddevice is not installed.")
    except OSError:
        return Missing(
            "PortAudio is not installed (Debian: sudo apt install libportaudio2; macOS: brew install portaudio)."
        )
    from .output_sounddevice import output_devices

    try:
        return Found(sounddevice.query_devices(kind="output")["name"], tuple(output_devices().values()))
    except (sounddevice.PortAudioError, ValueError):
        return Missing("PortAudio finds no output device; connect one, or check the sound server.")


def probe_miniaudio() -> Probe:
    """Opens the default device for a moment: miniaudio's list also names ALSA's null device, which is no card."""
    try:
        from .output import OutputError
        from .output_miniaudio import open_output, output_devices
    except ImportError:
        return Missing("The Python package miniaudio is not installed.")
    try:
        output = open_output(48_000, 0.1)
    except OutputError:
        return Missing("miniaudio finds no output device.")
    output.close()
    return Found(output.device, tuple(device for device, _ in output_devices()))


def main(kind: str) -> None:
    answer = probe_sounddevice() if kind == "sounddevice" else probe_miniaudio()
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
