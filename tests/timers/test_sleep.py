"""The sleep timer, in virtual time."""

import asyncio

import pytest
from support import virtual_time
from support.timed_player import TimedPlayer

from lofi_daemon.errors import LofiError
from lofi_daemon.timers.music import Music
from lofi_daemon.timers.sleep import SleepTimer


def on_stage(scene, state="playing"):
    async def whole():
        player, told = TimedPlayer(state), []
        timer = SleepTimer(Music(player, player.start), told.append)
        await scene(timer, player, told)
        timer.close()

    virtual_time.run(whole())


def now():
    return asyncio.get_running_loop().time()


def test_the_music_fades_out_and_stops_when_the_time_is_over():
    async def scene(timer, player, told):
        began = now()
        assert timer.set(30).ends_in_sec == 1800
        await asyncio.sleep(1700)
        assert timer.state().ends_in_sec == 100
        assert player.ducks == []
        await asyncio.sleep(120)
        assert player.told == [("stop", round(began + 1800))]
        fading = [factor for _, factor in player.ducks[:-1]]
        assert fading == sorted(fading, reverse=True)
        assert fading[-1] == 0
        assert player.ducks[0][0] == pytest.approx(began + 1790, abs=0.1)
        assert player.ducks[-1][1] == 1, "the volume is back for what comes next"
        assert [state.ends_in_sec for state in told] == [1800, None]
        assert timer.state().ends_in_sec is None

    on_stage(scene)


def test_it_can_be_put_off_and_turned_off():
    async def scene(timer, player, told):
        timer.set(10)
        await asyncio.sleep(300)
        assert timer.set(10).ends_in_sec == 600
        await asyncio.sleep(400)
        assert player.told == []
        assert timer.set(None).ends_in_sec is None
        await asyncio.sleep(3600)
        assert player.told == []
        assert timer.set(0).ends_in_sec is None
        assert [state.ends_in_sec for state in told] == [600, 600, None]

    on_stage(scene)


def test_turning_it_off_during_the_fade_brings_the_volume_back():
    async def scene(timer, player, _):
        timer.set(10)
        await asyncio.sleep(595)
        assert player.ducks[-1][1] < 1
        timer.set(None)
        await asyncio.sleep(1)
        assert player.ducks[-1][1] == 1
        assert player.told == []

    on_stage(scene)


def test_what_is_paused_is_stopped_too():
    async def scene(timer, player, _):
        timer.set(1)
        await asyncio.sleep(61)
        assert player.commands() == ["stop"]

    on_stage(scene, "paused")


@pytest.mark.parametrize("minutes", [-1, 1441, float("nan"), float("inf")])
def test_times_that_cannot_be_are_refused_and_the_timer_stays(minutes):
    async def scene(timer, _player, _told):
        timer.set(10)
        with pytest.raises(LofiError) as caught:
            timer.set(minutes)
        assert (caught.value.name, caught.value.field) == ("INVALID_PARAMS", "minutes")
        assert timer.state().ends_in_sec == 600

    on_stage(scene)
