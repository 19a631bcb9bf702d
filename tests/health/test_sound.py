"""Sound that does not come, on machines made up of files and variables: the reason, and the steps that mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lofi_daemon.config import PlayerSettings
from lofi_daemon.health import sound
from lofi_daemon.health.commands import Installation
from lofi_daemon.health.sound_server import Machine, explain
from lofi_daemon.player.devices import Device
from lofi_daemon.player.probe import Found, Missing

PACKAGE = Installation(None, Path("/env"), Path("/env/bin/python"))
ALL = sound.Libraries("libportaudio.so.2", has_dbus=True)
CARDS = " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0xdf240000 irq 143\n"


def machine(root: Path, *tools: str, platform: str = "linux", **environ: str) -> Machine:
    return Machine(platform, root, environ, lambda name: f"/bin/{name}" if name in tools else None)


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def look(root, settings=PlayerSettings(), libraries=ALL, playing=None, probe=None, tools=(), **environ):  # noqa: B008
    def nothing(kind):
        return Missing(f"{kind} finds no output device.")

    here = machine(root, *tools, **environ)
    return list(sound.look(settings, libraries, PACKAGE, playing, probe=probe or nothing, machine=here))


def problem(findings):
    (found,) = [finding for finding in findings if finding.level == "warn"]
    return found


def test_no_device_is_a_warning_with_reason_steps_and_consolation(tmp_path):
    found = problem(look(tmp_path))
    assert found.text == (
        "Nothing can be played: this machine has no sound card and no sound server. "
        "sounddevice finds no output device. miniaudio finds no output device."
    )
    assert "lofi export" in found.advice[-1]


def test_a_device_is_named_with_the_library_that_reaches_it(tmp_path):
    devices = tuple(Device(name, name, False, "miniaudio") for name in ("Speakers", "Headphones"))

    def probe(kind):
        return Missing("No.") if kind == "sounddevice" else Found("Speakers", devices)

    assert [f.text for f in look(tmp_path, probe=probe)][1] == "Device: “Speakers” (2 devices), through miniaudio"


def test_a_chosen_device_that_is_not_there_is_told_with_those_that_are(tmp_path):
    devices = (Device("Speakers", "Speakers", True, "sounddevice"),)
    findings = look(tmp_path, PlayerSettings(device="hdmi"), probe=lambda kind: Found("Speakers", devices))
    assert "There is no sound device “hdmi”; there are “Speakers”" in problem(findings).text
    assert not [f for f in look(tmp_path, PlayerSettings(device="speak"), probe=lambda kind: Found("Speakers", devices))
                if f.level == "warn"]  # fmt: skip


def test_a_device_that_plays_already_is_not_opened_again(tmp_path):
    def probe(kind):
        raise AssertionError(kind)

    assert "Plays through “Speakers”" in [f.text for f in look(tmp_path, playing="Speakers", probe=probe)]


def test_a_library_that_was_chosen_and_finds_nothing_may_not_be_the_only_one(tmp_path):
    assert "player.output" in problem(look(tmp_path, PlayerSettings(output="miniaudio"))).advice[0]
    assert "player.output" not in problem(look(tmp_path)).advice[0]


def test_sound_switched_off_is_no_problem(tmp_path):
    (found,) = look(tmp_path, PlayerSettings(output="none"))
    assert found.level == "info"


@pytest.mark.parametrize(
    ("tool", "command"),
    [("dnf", "sudo dnf install portaudio"), ("brew", "brew install portaudio"), ("", "your system's package manager")],
)
def test_missing_portaudio_names_the_command_of_this_system(tmp_path, tool, command):
    libraries = sound.Libraries("", has_dbus=True)
    findings = look(tmp_path, libraries=libraries, tools=(tool,), probe=lambda kind: Found("Speakers"))
    assert command in problem(findings).advice[0]


def test_media_keys_say_what_they_lack(tmp_path):
    def keys(libraries=ALL, **environ):
        return look(tmp_path, libraries=libraries, probe=lambda kind: Found("Speakers"), **environ)[-1]

    lacking = keys(sound.Libraries("x", has_dbus=False))
    assert lacking.advice == ("If you want them: /env/bin/python -m pip install dbus-fast",)
    assert "no D-Bus session" in keys().text
    assert keys(DBUS_SESSION_BUS_ADDRESS="unix:path=/run/bus").level == "ok"


def test_pipewire_that_gives_no_device_lacks_its_alsa_plugin_or_an_output(tmp_path):
    put(tmp_path / "run/pipewire-0")
    why, steps = explain(machine(tmp_path, "pacman", XDG_RUNTIME_DIR=str(tmp_path / "run")))
    assert why.startswith("PipeWire runs")
    assert "sudo pacman -S pipewire-alsa" in steps[0] and "systemctl --user restart pipewire" in steps[1]


def test_pulseaudio_likewise(tmp_path):
    put(tmp_path / "run/pulse/native")
    why, steps = explain(machine(tmp_path, "apt-get", XDG_RUNTIME_DIR=str(tmp_path / "run")))
    assert why.startswith("PulseAudio runs")
    assert "sudo apt-get install libasound2-plugins" in steps[0]


def test_a_server_named_by_the_environment_is_the_first_suspect(tmp_path):
    why, _ = explain(machine(tmp_path, PULSE_SERVER="tcp:10.0.0.1"))
    assert why == "PULSE_SERVER names tcp:10.0.0.1, which does not play"


def test_a_card_without_a_sound_server_names_the_command_that_starts_one(tmp_path):
    put(tmp_path / "proc/asound/cards", CARDS)
    why, steps = explain(machine(tmp_path, "pipewire"))
    assert "HDA-Intel - HDA Intel PCH" in why and "no sound server runs" in why
    assert "systemctl --user start pipewire" in steps[0]
    assert "pulseaudio --start" in explain(machine(tmp_path, "pulseaudio"))[1][0]


def test_a_card_that_is_closed_to_the_user_names_the_group(tmp_path, monkeypatch):
    put(tmp_path / "proc/asound/cards", CARDS)
    put(tmp_path / "dev/snd/pcmC0D0p")
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root, who may do anything
    assert "usermod -aG audio" in explain(machine(tmp_path))[1][0]


@pytest.mark.parametrize(
    ("file", "environ", "why"),
    [
        ("", {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "over SSH"),
        (".dockerenv", {}, "container"),
        ("run/.containerenv", {}, "container"),
        ("proc/version", {}, "WSL"),
    ],
)
def test_machines_that_have_no_sound_by_nature_say_so(tmp_path, file, environ, why):
    if file:
        put(tmp_path / file, "Linux version 6.6.0-microsoft-standard-WSL2")
    assert why in explain(machine(tmp_path, **environ))[0]


def test_a_mac_is_sent_to_its_settings(tmp_path):
    assert "System Settings" in explain(machine(tmp_path, platform="darwin"))[1][0]
