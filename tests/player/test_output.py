"""Which output is chosen, and what is said about it."""

import os

import pytest
from support.pulled_output import PulledOutput
from support.sound_card import SoundCard, environment

from lofi_daemon.errors import LofiError
from lofi_daemon.player.output import NoDeviceError, OutputError, Outputs
from lofi_daemon.player.probe import Found, Missing, probe_in_child


class Machine:
    """What the probes find, and which kinds open."""

    def __init__(self, **found):
        self.found, self.broken, self.probed, self.said = found, set(), [], []

    def probe(self, kind):
        self.probed.append(kind)
        return Found("card") if self.found[kind] else Missing(f"{kind} is missing.")

    def open_kind(self, kind, device):
        if kind in self.broken:
            raise OutputError(f"{kind} is busy.")
        output = PulledOutput()
        output.kind = kind
        return output

    def outputs(self, setting):
        return Outputs(setting, probe=self.probe, open_kind=self.open_kind)


def test_auto_takes_portaudio_and_says_nothing():
    machine = Machine(sounddevice=True, miniaudio=True)
    assert machine.outputs("auto").open(machine.said.append).kind == "sounddevice"
    assert machine.said == []


def test_auto_falls_back_to_miniaudio_and_says_why_once():
    machine = Machine(sounddevice=False, miniaudio=True)
    outputs = machine.outputs("auto")
    assert outputs.open(machine.said.append).kind == "miniaudio"
    assert outputs.open(machine.said.append).kind == "miniaudio"
    assert machine.said == ["Playing through miniaudio: sounddevice is missing."]


def test_auto_falls_back_when_portaudio_is_there_but_does_not_open():
    machine = Machine(sounddevice=True, miniaudio=True)
    machine.broken = {"sounddevice"}
    assert machine.outputs("auto").open(machine.said.append).kind == "miniaudio"
    assert machine.said == ["Playing through miniaudio: sounddevice is busy."]


def test_a_named_output_is_never_replaced():
    machine = Machine(sounddevice=False, miniaudio=True)
    with pytest.raises(NoDeviceError, match="sounddevice is missing"):
        machine.outputs("sounddevice").open(machine.said.append)
    assert machine.probed == ["sounddevice"]


def test_a_device_that_is_there_but_does_not_open_is_an_error_not_a_missing_device():
    machine = Machine(sounddevice=True, miniaudio=False)
    machine.broken = {"sounddevice"}
    with pytest.raises(LofiError) as error:
        machine.outputs("auto").open(machine.said.append)
    assert error.value.name == "AUDIO_DEVICE_ERROR"
    assert "sounddevice is busy" in error.value.message


def test_what_was_found_is_not_probed_again_and_what_was_missing_is():
    machine = Machine(sounddevice=False, miniaudio=True)
    outputs = machine.outputs("auto")
    outputs.open(machine.said.append)
    machine.found["sounddevice"] = True  # plugged in
    assert outputs.open(machine.said.append).kind == "sounddevice"
    outputs.open(machine.said.append)
    assert machine.probed == ["sounddevice", "miniaudio", "sounddevice"]


def test_none_is_no_device_and_says_how_to_get_sound():
    with pytest.raises(NoDeviceError, match=r'"none".*"auto"'):
        Outputs("none", probe=lambda kind: pytest.fail("probed")).open(lambda text: None)


def test_an_unknown_setting_is_refused_by_name():
    with pytest.raises(LofiError) as error:
        Outputs("pulseaudio")
    assert (error.value.name, error.value.field) == ("INVALID_PARAMS", "player.output")


@pytest.fixture
def card(tmp_path, monkeypatch):
    card = SoundCard(tmp_path)
    for name, value in card.env.items():
        monkeypatch.setenv(name, value)
    yield card
    card.close()


@pytest.mark.parametrize("kind", ["sounddevice", "miniaudio"])
def test_the_probe_finds_a_card(card, kind):
    assert isinstance(probe_in_child(kind), Found)


@pytest.mark.parametrize("kind", ["sounddevice", "miniaudio"])
@pytest.mark.parametrize("config", ["", "this is { no configuration"])
def test_the_probe_survives_a_broken_alsa_configuration(tmp_path, monkeypatch, kind, config):
    """PortAudio aborts its process here, which must be the child's."""
    path = tmp_path / "asound.conf"
    path.write_text(config)
    for name, value in environment(path).items():
        monkeypatch.setenv(name, value)
    answer = probe_in_child(kind)
    assert isinstance(answer, Missing)
    assert answer.reason.endswith(".")


def test_the_probe_says_what_to_install_where_portaudio_is_missing(tmp_path, monkeypatch):
    """A sounddevice that raises what the real one raises without the system's library."""
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    answer = probe_in_child("sounddevice")
    assert isinstance(answer, Missing)
    assert "libportaudio2" in answer.reason and "brew install portaudio" in answer.reason
