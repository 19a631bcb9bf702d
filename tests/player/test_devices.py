"""Which sound devices there are, how one is named, and moving the music from one to another."""

import asyncio
import sys
import time

import numpy as np
import pytest
from support.hearing import all_but_playlist
from support.pulled_output import PulledOutput
from support.raw_daemon import RawDaemon
from support.sound import click_threshold, largest_step, noise, save, sine
from support.sound_card import SoundCards

from lofi_daemon.errors import LofiError
from lofi_daemon.player.devices import Device, UnknownDeviceError, identify, match
from lofi_daemon.player.events import DevicesChanged, PlaybackPaused, PlaybackResumed, PlayerNotice
from lofi_daemon.player.output import OutputError, Outputs
from lofi_daemon.player.player import Player
from lofi_daemon.player.probe import Found, probe_in_child

RATE = 48_000
FADE = 960


def devices(*names):
    """The first of them is the default."""
    pairs = zip(identify(names), names, strict=True)
    return tuple(Device(ident, name, at == 0, "sounddevice") for at, (ident, name) in enumerate(pairs))


CARDS = devices("Built-in Audio", "USB Audio", "USB Headset", "USB Audio")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Built-in Audio", "Built-in Audio"),
        ("built-in audio", "Built-in Audio"),
        ("built", "Built-in Audio"),
        ("headset", "USB Headset"),
        ("USB Audio", "USB Audio"),
        ("USB Audio #2", "USB Audio #2"),
        ("#2", "USB Audio #2"),
    ],
)
def test_a_device_is_meant_by_its_id_its_name_or_a_part_that_no_other_has(wanted, found):
    assert match(CARDS, wanted).id == found


def test_a_name_that_fits_several_devices_is_refused_with_their_names():
    with pytest.raises(UnknownDeviceError, match="“usb” could be “USB Audio”, “USB Headset” or “USB Audio #2”"):
        match(CARDS, "usb")


def test_a_name_that_fits_no_device_is_refused_with_what_there_is():
    with pytest.raises(UnknownDeviceError, match="no sound device “hdmi”; there are “A” and “B”"):
        match(devices("A", "B"), "hdmi")
    with pytest.raises(UnknownDeviceError, match="none at all"):
        match((), "hdmi")


class Machine:
    """Devices that are there or not, and outputs that the test pulls."""

    def __init__(self, *names, chosen=""):
        self.names, self.refusing, self.opened = list(names), set(), []
        self.outputs = Outputs("sounddevice", chosen, probe=self._probe, open_kind=self._open)

    def _devices(self):
        return devices(*self.names)

    def _probe(self, kind):
        return Found(self.names[0], self._devices())

    def _open(self, kind, wanted):
        try:
            device = match(self._devices(), wanted) if wanted else self._devices()[0]
        except UnknownDeviceError as exc:
            raise OutputError(str(exc)) from exc
        if device.name in self.refusing:
            raise OutputError(f"{device.name} is busy.")
        output = PulledOutput()
        output.device, output.device_id = device.name, device.id
        self.opened.append(output)
        return output


def test_the_chosen_device_is_opened():
    machine = Machine("speakers", "headphones", chosen="head")
    said = []
    assert machine.outputs.open(said.append).device == "headphones"
    assert said == []


def test_the_default_stands_in_for_a_chosen_device_that_is_absent_and_that_is_said_once_each_time():
    machine = Machine("speakers", "headphones", chosen="headphones")
    said = []
    for there in (True, False, False, True, False):
        machine.names = ["speakers", "headphones"] if there else ["speakers"]
        assert machine.outputs.open(said.append).device == ("headphones" if there else "speakers")
    assert len(said) == 2
    assert said[0].startswith("Playing through the default device, “speakers”: There is no sound device “headphones”")


def test_the_default_stands_in_for_a_chosen_device_that_refuses():
    machine = Machine("speakers", "headphones", chosen="headphones")
    machine.refusing = {"headphones"}
    said = []
    assert machine.outputs.open(said.append).device == "speakers"
    assert "headphones is busy" in said[0]


def on_machine(scene, *names, chosen=""):
    async def run():
        events, machine = [], Machine(*names, chosen=chosen)
        player = Player(all_but_playlist(events), machine.outputs)
        try:
            await scene(player, machine, events)
        finally:
            closing = asyncio.create_task(player.close())
            while not closing.done():
                pull(machine)
                await asyncio.sleep(0.001)
            await closing

    asyncio.run(run())


def pull(machine, frames=480):
    return [output.pull(frames) for output in machine.opened if not output.closed]


async def pulling(machine, command):
    task = asyncio.create_task(command)
    while not task.done():
        pull(machine)
        await asyncio.sleep(0.001)
    return await task


@pytest.fixture
def track(tmp_path):
    frames = noise(4.0)
    return frames, save(tmp_path / "a.wav", frames, subtype="FLOAT")


def test_the_list_says_what_is_open_and_what_was_chosen(track):
    async def scene(player, machine, events):
        listed = await player.devices()
        assert [device.id for device in listed.devices] == ["speakers", "headphones"]
        assert [device.is_default for device in listed.devices] == [True, False]
        assert (listed.current, listed.chosen) == (None, "")
        await player.play("t", track[1])
        assert (await player.devices()).current == "speakers"
        listed = await pulling(machine, player.set_device("head"))
        assert (listed.current, listed.chosen) == ("headphones", "headphones")
        listed = await pulling(machine, player.set_device(""))
        assert (listed.current, listed.chosen) == ("speakers", "")

    on_machine(scene, "speakers", "headphones")


def test_a_choice_made_before_the_first_play_holds(track):
    async def scene(player, machine, events):
        await player.set_device("headphones")
        assert machine.opened == []
        assert (await player.play("t", track[1])).device == "headphones"

    on_machine(scene, "speakers", "headphones")


def test_choosing_the_device_that_is_open_changes_nothing_that_is_heard(track):
    async def scene(player, machine, events):
        await player.play("t", track[1])
        for _ in range(10):
            machine.opened[0].pull(RATE // 10)
            await asyncio.sleep(0.02)  # the decoder is given time, or it would run dry on a busy machine
        for wanted in ("speakers", "", "speak"):
            await player.set_device(wanted)
        assert len(machine.opened) == 1
        np.testing.assert_array_equal(machine.opened[0].pull(4800), track[0][RATE : RATE + 4800])

    on_machine(scene, "speakers", "headphones")


def test_an_unknown_device_is_an_error_and_the_music_goes_on(track):
    async def scene(player, machine, events):
        await player.play("t", track[1])
        with pytest.raises(LofiError) as error:
            await player.set_device("hdmi")
        assert (error.value.name, error.value.field) == ("AUDIO_DEVICE_ERROR", "device")
        assert error.value.details["expected"] == ["speakers", "headphones"]
        assert player.state().state == "playing" and player.state().device == "speakers"
        assert (await player.devices()).chosen == ""

    on_machine(scene, "speakers", "headphones")


def test_a_paused_track_moves_too_and_goes_on_at_its_sample(track):
    async def scene(player, machine, events):
        await player.play("t", track[1])
        machine.opened[0].pull(RATE)
        await player.pause()
        machine.opened[0].pull(RATE // 10)
        at = round(player.state().position_sec * RATE)
        await player.set_device("headphones")
        assert player.state().state == "paused" and machine.opened[0].closed and len(machine.opened) == 1
        assert (await player.resume()).device == "headphones"
        heard = machine.opened[1].pull(RATE // 2)
        np.testing.assert_array_equal(heard[FADE:], track[0][at + FADE : at + RATE // 2])

    on_machine(scene, "speakers", "headphones")


def test_a_chosen_device_that_refuses_leaves_the_music_on_the_default_and_says_so(track):
    async def scene(player, machine, events):
        await player.play("t", track[1])
        machine.refusing = {"headphones"}
        listed = await pulling(machine, player.set_device("headphones"))
        assert (listed.current, listed.chosen) == ("speakers", "headphones")
        assert player.state().state == "playing"
        assert any(isinstance(event, PlayerNotice) and "headphones is busy" in event.message for event in events)

    on_machine(scene, "speakers", "headphones")


def test_where_nothing_opens_after_the_move_the_music_waits(track):
    async def scene(player, machine, events):
        await player.play("t", track[1])
        machine.refusing = {"speakers", "headphones"}
        await pulling(machine, player.set_device("headphones"))
        assert player.state().state == "waiting" and "busy" in player.state().message
        machine.refusing = set()
        await player.resume()
        await until(lambda: player.state().state == "playing")
        assert player.state().device == "headphones"

    on_machine(scene, "speakers", "headphones")


def test_a_change_of_devices_is_told_when_it_is_noticed():
    async def scene(player, machine, events):
        await player.devices()
        await player.devices()
        assert events == []
        machine.names.append("usb")
        await player.devices()
        assert events == [DevicesChanged(devices("speakers", "usb"), None)]

    on_machine(scene, "speakers")


async def until(condition, timeout_sec=60.0):
    deadline = time.monotonic() + timeout_sec
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.002)


@pytest.fixture
def cards(tmp_path, monkeypatch):
    folder = tmp_path / "cards"
    folder.mkdir()
    cards = SoundCards(folder, "speakers", "headphones")
    for name, value in cards.env.items():
        monkeypatch.setenv(name, value)
    yield cards
    cards.close()


both = pytest.mark.parametrize("output", ["sounddevice", "miniaudio"])


@both
def test_the_probe_lists_the_cards(cards, output):
    found = probe_in_child(output)
    assert isinstance(found, Found)
    assert {"speakers", "headphones"} <= {device.id for device in found.devices}
    assert {device.output for device in found.devices} == {output}
    if output == "sounddevice":
        assert [device.id for device in found.devices if device.is_default] == ["default"]


def at_cards(scene, *arguments, **settings):
    async def run():
        events = []
        player = Player(all_but_playlist(events), *arguments, **settings)
        try:
            await scene(player, events)
        finally:
            await player.close()

    asyncio.run(run())


@both
def test_the_music_moves_to_another_card_without_losing_a_sample(cards, tmp_path, output):
    frames = noise(10.0)
    path = save(tmp_path / "a.wav", frames, subtype="FLOAT")

    async def scene(player, events):
        await player.set_device("speakers")
        await player.play("t", path)
        await until(lambda: len(cards.heard("speakers")) > RATE)
        listed = await player.set_device("headphones")
        assert (listed.current, player.state().state) == ("headphones", "playing")
        await until(lambda: len(cards.heard("headphones")) > RATE)
        first, second = cards.heard("speakers"), cards.heard("headphones")
        begin = np.flatnonzero((first == frames[FADE]).all(axis=1))[0] - FADE
        ended = begin + np.flatnonzero(first[begin:].any(axis=1))[-1] + 1
        again = np.flatnonzero(second.any(axis=1))[0] + FADE + 4
        at = int(np.flatnonzero((frames == second[again]).all(axis=1))[0])
        # The fade out's last and the fade in's first samples are below the smallest float: a few frames either way.
        assert at - FADE - 4 == pytest.approx(ended - begin, abs=8)
        np.testing.assert_array_equal(first[begin + FADE : ended - FADE], frames[FADE : ended - begin - FADE])
        np.testing.assert_array_equal(second[again : again + RATE // 2], frames[at : at + RATE // 2])
        assert [event for event in events if isinstance(event, PlaybackPaused)] == []
        resumed = next(event for event in events if isinstance(event, PlaybackResumed))
        assert resumed.position_sec == pytest.approx((at - FADE - 4) / RATE, abs=1e-3)

    at_cards(scene, output)


@both
def test_a_move_does_not_click(cards, tmp_path, output):
    path = save(tmp_path / "a.wav", sine(10.0), subtype="FLOAT")

    async def scene(player, events):
        await player.play("t", path)
        for name in ("headphones", "speakers", "headphones"):
            await player.set_device(name)
            heard = len(cards.heard(name))
            await until(lambda name=name, heard=heard: len(cards.heard(name)) > heard + RATE // 2)
        await player.stop()
        await asyncio.sleep(0.3)
        for name in ("headphones", "speakers"):
            heard = cards.heard(name)
            assert np.abs(heard).max() > 0.45
            assert largest_step(heard) < click_threshold()

    at_cards(scene, output)


def test_a_card_that_is_plugged_in_is_listed(cards):
    async def scene(player, events):
        before = await player.devices()
        cards.plug("usb")
        after = await player.devices()
        assert {device.id for device in after.devices} - {device.id for device in before.devices} == {"usb"}
        assert events == [DevicesChanged(after.devices, None)]

    at_cards(scene, "sounddevice")


def test_the_wire_lists_sets_and_refuses_devices(cards, tmp_path):
    command = (sys.executable, "-m", "lofi_daemon", "--stdio")
    settings = ("daemon.shared=false", "player.output=sounddevice", "player.device=headphones")
    with RawDaemon(tmp_path / "cache", command, *settings) as daemon:
        listed = daemon.result("audio_devices")
        headphones = {"id": "headphones", "name": "headphones", "is_default": False, "output": "sounddevice"}
        assert headphones in listed["devices"]
        assert (listed["current"], listed["chosen"]) == (None, "headphones")
        assert daemon.result("audio_device_set", {"device": "speak"})["chosen"] == "speakers"
        assert daemon.result("audio_device_set", {"device": ""})["chosen"] == ""
        error = daemon.error("audio_device_set", {"device": "hdmi"})
        assert (error["data"]["code"], error["data"]["field"]) == ("AUDIO_DEVICE_ERROR", "device")
        assert daemon.error("audio_device_set", {"device": 3})["data"]["code"] == "INVALID_PARAMS"
        assert daemon.error("audio_device_set")["data"]["field"] == "device"


def test_without_sound_the_list_is_empty(tmp_path):
    with RawDaemon(tmp_path / "cache") as daemon:
        assert daemon.result("audio_devices") == {"devices": [], "current": None, "chosen": ""}
        assert "none at all" in daemon.error("audio_device_set", {"device": "speakers"})["message"]
