"""Pausing on battery: what the machine says, and what is made of it."""

import asyncio
from pathlib import Path

import pytest
from support import virtual_time
from support.timed_player import TimedPlayer

from lofi_daemon.timers.battery import POLL_SEC, BatteryWatch, parse_pmset, read_supplies
from lofi_daemon.timers.music import Music

AC = {"type": "Mains", "online": "1"}
NO_AC = {"type": "Mains", "online": "0"}
FULL = {"type": "Battery", "status": "Full"}
DRAINING = {"type": "Battery", "status": "Discharging", "scope": "System"}
MOUSE = {"type": "Battery", "status": "Discharging", "scope": "Device"}


@pytest.mark.parametrize(
    ("supplies", "want"),
    [
        ([], None),
        ([AC], False),
        ([AC, FULL], False),
        ([NO_AC, DRAINING], True),
        ([DRAINING], True),
        ([AC, DRAINING], False),  # a charger too weak for the load is a charger
        ([FULL], False),
        ([MOUSE], None),
        ([AC, MOUSE], False),
        ([{"type": "USB", "online": "1"}, NO_AC, DRAINING], False),
        ([FULL, DRAINING], True),
        ([{"type": "Battery"}], False),  # a file that cannot be read
    ],
)
def test_linux_says_it_in_sysfs(tmp_path, supplies, want):
    for number, supply in enumerate(supplies):
        folder = tmp_path / f"S{number}"
        folder.mkdir()
        for name, value in supply.items():
            (folder / name).write_text(value + "\n")
    assert read_supplies(tmp_path) is want


def test_a_machine_without_the_folder_does_not_say():
    assert read_supplies(Path("/nonexistent")) is None


def test_macos_says_it_in_pmsets_first_line():
    assert parse_pmset("Now drawing from 'Battery Power'\n -InternalBattery-0 85%; discharging\n") is True
    assert parse_pmset("Now drawing from 'AC Power'\n -InternalBattery-0 100%; charged\n") is False
    assert parse_pmset("") is None


class Stage:
    def __init__(self, state="playing"):
        self.player, self.notices, self.battery, self.quiet, self.polls = TimedPlayer(state), [], False, False, 0

        async def read():
            self.polls += 1
            return self.battery

        self.watch = BatteryWatch(
            Music(self.player, self.player.start), lambda level, message: self.notices.append(message), read,
            lambda: self.quiet,
        )  # fmt: skip


def on_stage(scene, state="playing"):
    async def whole():
        stage = Stage(state)
        stage.watch.start()
        await asyncio.sleep(1)
        await scene(stage)
        stage.watch.close()

    virtual_time.run(whole())


def test_unplugged_it_pauses_and_says_so_plugged_in_it_goes_on():
    async def scene(stage):
        stage.battery = True
        await asyncio.sleep(2 * POLL_SEC)
        assert stage.player.commands() == ["pause"]
        assert "battery" in stage.notices[0].lower()
        stage.battery = False
        await asyncio.sleep(2 * POLL_SEC)
        assert stage.player.commands() == ["pause", "resume"]

    on_stage(scene)


def test_it_is_asked_every_half_minute_and_no_more():
    async def scene(stage):
        await asyncio.sleep(3600)
        assert stage.polls == pytest.approx(3600 / POLL_SEC, abs=2)

    on_stage(scene)


def test_what_the_user_paused_stays_paused():
    async def scene(stage):
        stage.battery = True
        await asyncio.sleep(2 * POLL_SEC)
        stage.battery = False
        await asyncio.sleep(2 * POLL_SEC)
        assert stage.player.commands() == []

    on_stage(scene, "paused")


def test_who_plays_on_battery_means_it():
    async def scene(stage):
        stage.battery = True
        await asyncio.sleep(2 * POLL_SEC)
        await stage.player.resume()
        stage.watch.on_user()
        await asyncio.sleep(10 * POLL_SEC)
        assert stage.player.commands() == ["pause", "resume"]
        await stage.player.pause()
        stage.battery = False
        await asyncio.sleep(2 * POLL_SEC)
        assert stage.player.name == "paused"

    on_stage(scene)


def test_in_quiet_hours_the_mains_bring_no_music_back():
    async def scene(stage):
        stage.battery = True
        await asyncio.sleep(2 * POLL_SEC)
        stage.quiet, stage.battery = True, False
        await asyncio.sleep(2 * POLL_SEC)
        assert stage.player.name == "paused"
        assert "quiet hours" in stage.notices[-1]

    on_stage(scene)


def test_a_machine_that_does_not_say_is_left_alone():
    async def scene(stage):
        stage.battery = None
        await asyncio.sleep(4 * POLL_SEC)
        assert stage.player.commands() == []

    on_stage(scene)
