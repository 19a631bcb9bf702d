"""The focus timer, in virtual time."""

import asyncio

import pytest
from support import virtual_time
from support.timed_player import TimedPlayer

from lofi_daemon.errors import LofiError
from lofi_daemon.timers.focus import FocusTimer
from lofi_daemon.timers.music import Music


class Stage:
    def __init__(self, state):
        self.player, self.told, self.notices, self.quiet = TimedPlayer(state), [], [], False
        self.timer = FocusTimer(
            Music(self.player, self.player.start), self.told.append,
            lambda level, message: self.notices.append(message), lambda: self.quiet,
        )  # fmt: skip

    def phases(self):
        return [(state.phase, state.round) for state in self.told]


def on_stage(scene, state="playing"):
    async def whole():
        stage = Stage(state)
        await scene(stage)
        stage.timer.close()

    virtual_time.run(whole())


def test_music_while_you_work_silence_in_the_break():
    async def scene(stage):
        state = await stage.timer.start(25, 5, 3)
        assert (state.active, state.phase, state.ends_in_sec, state.round, state.rounds) == (True, "work", 1500, 1, 3)
        await asyncio.sleep(1510)
        assert stage.player.name == "paused"
        assert stage.timer.state().phase == "break"
        assert stage.timer.state().ends_in_sec == pytest.approx(290, abs=1)
        await asyncio.sleep(300)
        assert stage.player.name == "playing"
        await asyncio.sleep(3600)
        assert stage.phases() == [("work", 1), ("break", 1), ("work", 2), ("break", 2), ("work", 3), (None, None)]
        assert stage.player.name == "playing", "the work goes on as one likes"
        assert stage.player.commands() == ["pause", "resume"] * 2
        assert not stage.timer.state().active
        assert len(stage.notices) == 1

    on_stage(scene)


def test_phases_do_not_drift():
    async def scene(stage):
        began = asyncio.get_running_loop().time()
        await stage.timer.start(25, 5)
        await asyncio.sleep(24 * 3600 - 1)
        assert stage.timer.state().round == 48
        resumed = [at for command, at in stage.player.told if command == "resume"]
        assert resumed == [round(began) + 1800 * n for n in range(1, 48)]

    on_stage(scene)


@pytest.mark.parametrize(("state", "commands"), [("playing", []), ("paused", ["resume"]), ("stopped", ["start"])])
def test_work_begins_with_music(state, commands):
    async def scene(stage):
        await stage.timer.start(25, 5)
        assert stage.player.commands() == commands
        assert stage.player.name == "playing"

    on_stage(scene, state)


def test_music_that_the_user_stopped_stays_stopped():
    async def scene(stage):
        await stage.timer.start(25, 5)
        await stage.player.stop()
        await asyncio.sleep(1800 + 60)
        assert stage.player.commands() == ["stop"]
        assert stage.timer.state().phase == "work"

    on_stage(scene)


def test_stopping_the_timer_in_a_break_brings_the_music_back():
    async def scene(stage):
        await stage.timer.start(25, 5)
        await asyncio.sleep(1600)
        assert not (await stage.timer.stop()).active
        assert stage.player.name == "playing"
        assert stage.told[-1].active is False
        await asyncio.sleep(7200)
        assert stage.player.commands() == ["pause", "resume"]

    on_stage(scene)


def test_starting_again_begins_anew():
    async def scene(stage):
        await stage.timer.start(25, 5)
        await asyncio.sleep(1000)
        assert (await stage.timer.start(50, 10, 2)).ends_in_sec == 3000
        await asyncio.sleep(2000)
        assert stage.timer.state().phase == "work"

    on_stage(scene)


def test_a_break_that_ends_in_quiet_hours_brings_no_music_back_and_says_so():
    async def scene(stage):
        await stage.timer.start(25, 5)
        await asyncio.sleep(1600)
        stage.quiet = True
        await asyncio.sleep(300)
        assert stage.player.name == "paused"
        assert "quiet hours" in stage.notices[0]
        assert stage.timer.state().phase == "work"

    on_stage(scene)


def test_started_in_quiet_hours_it_plays_because_the_user_asked():
    async def scene(stage):
        stage.quiet = True
        await stage.timer.start(25, 5)
        await asyncio.sleep(1900)
        assert stage.player.commands() == ["start", "pause", "resume"]

    on_stage(scene, "stopped")


def test_without_music_to_play_the_timer_runs_all_the_same():
    async def scene(stage):
        async def nothing():
            raise LofiError("AUDIO_DEVICE_ERROR", "No device.")

        stage.timer = FocusTimer(
            Music(stage.player, nothing), stage.told.append, lambda level, message: stage.notices.append(message)
        )
        assert (await stage.timer.start(25, 5)).active
        assert "No device." in stage.notices[0]

    on_stage(scene, "stopped")


@pytest.mark.parametrize(
    ("asked", "field"),
    [((0, 5), "work_min"), ((-1, 5), "work_min"), ((481, 5), "work_min"), ((25, 0), "break_min"),
     ((25, float("nan")), "break_min"), ((25, 5, 0), "rounds"), ((25, 5, 101), "rounds")],
)  # fmt: skip
def test_times_that_cannot_be_are_refused(asked, field):
    async def scene(stage):
        with pytest.raises(LofiError) as caught:
            await stage.timer.start(*asked)
        assert (caught.value.name, caught.value.field) == ("INVALID_PARAMS", field)
        assert not stage.timer.state().active

    on_stage(scene)


def test_music_that_the_user_paused_before_the_break_stays_paused_after_it():
    async def scene(stage):
        await stage.timer.start(25, 5)
        await stage.player.pause()
        await asyncio.sleep(1800 + 60)
        assert stage.timer.state().phase == "work"
        assert stage.player.commands() == ["pause"]

    on_stage(scene)
