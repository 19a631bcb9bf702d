"""Devices that die, stall and come back: the music waits, and goes on at the sample where it was last heard."""

import asyncio
import threading
import time

import numpy as np
import pytest
from support.hearing import all_but_playlist
from support.pulled_output import PulledOutput
from support.sound import noise, save
from support.sound_card import SoundCards

from lofi_daemon.errors import LofiError
from lofi_daemon.player.events import PlaybackEnded, PlaybackPaused, PlaybackResumed, PlayerNotice
from lofi_daemon.player.output import NoDeviceError
from lofi_daemon.player.player import Item, Player
from lofi_daemon.player.recovery import Recovery, StallWatch

RATE = 48_000
FADE = 960


async def until(condition, what="it", timeout_sec=60.0):
    deadline = time.monotonic() + timeout_sec
    while not condition():
        assert time.monotonic() < deadline, f"{what} never happened"
        await asyncio.sleep(0.002)


def notices(events):
    return [event.message for event in events if isinstance(event, PlayerNotice)]


@pytest.fixture
def track(tmp_path):
    """Twelve seconds in which no frame is like another, and their file."""
    frames = noise(12.0)
    return frames, save(tmp_path / "a.wav", frames, subtype="FLOAT")


@pytest.fixture
def cards(tmp_path, monkeypatch):
    folder = tmp_path / "cards"
    folder.mkdir()
    cards = SoundCards(folder, "speakers")
    for name, value in cards.env.items():
        monkeypatch.setenv(name, value)
    yield cards
    cards.close()


def at_cards(scene, output="sounddevice", **settings):
    async def run():
        events = []
        player = Player(all_but_playlist(events), output, **settings)
        try:
            await scene(player, events)
        finally:
            await player.close()
            # A stream that was held is closed now. ALSA's file plugin aborts if its pipe breaks before that.
            await until(lambda: not any(thread.name == "lofi-audio" for thread in threading.enumerate()), "the end")

    asyncio.run(run())


def first_plain(heard, track):
    """Where in ``heard`` the fade in is over, and which frame of ``track`` that is."""
    begin = np.flatnonzero(np.abs(heard).sum(axis=1))[0] + FADE + 2
    return begin, int(np.flatnonzero((track == heard[begin]).all(axis=1))[0])


def last_plain(heard, track):
    """Which frame of ``track`` was the last one heard before the end, or before a fade."""
    begin, frame = first_plain(heard, track)
    length = min(len(heard) - begin, len(track) - frame)
    same = (heard[begin : begin + length] == track[frame : frame + length]).all(axis=1)
    return frame + (length if same.all() else int(np.argmin(same))) - 1


def assert_goes_on(heard, track, position_sec):
    """``heard`` begins at ``position_sec`` of ``track``, and no frame of it is skipped or repeated."""
    begin, frame = first_plain(heard, track)
    assert frame == pytest.approx(round(position_sec * RATE) + FADE, abs=4)
    rest = heard[begin : begin + RATE // 2]
    np.testing.assert_array_equal(rest, track[frame : frame + len(rest)])


def test_a_card_that_is_pulled_out_and_put_back_goes_on_where_it_was(cards, track):
    frames, path = track

    async def scene(player, events):
        await player.play("t", path)
        await until(lambda: len(cards.heard("speakers")) > RATE)
        before = cards.heard("speakers")
        cards.unplug("speakers")
        await until(lambda: player.state().state == "waiting", "waiting")
        state = player.state()
        assert state.device is None and "once one plays" in state.message
        assert [type(event) for event in events[1:]] == [PlaybackPaused, PlayerNotice]
        cards.plug("speakers")
        await until(lambda: player.state().state == "playing", "playing")
        await until(lambda: len(cards.heard("speakers")) > RATE)
        assert_goes_on(cards.heard("speakers"), frames, state.position_sec)
        # Of what lay in the card's buffer some was heard: it may come twice, but nothing is left out.
        heard_to = last_plain(before, frames)
        assert heard_to - 0.5 * RATE < state.position_sec * RATE <= heard_to + 0.2 * RATE
        assert events[3] == PlaybackResumed("t", state.position_sec)
        assert notices(events) == [state.message, "The music goes on through “default”."]

    at_cards(scene)


def test_another_card_takes_over_at_once(cards, track):
    frames, path = track
    cards.plug("headphones")

    async def scene(player, events):
        await player.set_device("speakers")
        await player.play("t", path)
        await until(lambda: len(cards.heard("speakers")) > RATE)
        cards.unplug("speakers")
        await until(lambda: isinstance(events[-1], PlayerNotice) and events[-1].level == "info", "playing on")
        position_sec = next(event for event in events if isinstance(event, PlaybackPaused)).position_sec
        await until(lambda: len(cards.heard("headphones")) > RATE)
        assert_goes_on(cards.heard("headphones"), frames, position_sec)
        assert any("There is no sound device “speakers”" in text for text in notices(events))

    at_cards(scene)


@pytest.mark.parametrize("output", ["sounddevice", "miniaudio"])
def test_a_card_that_stands_still_is_noticed_and_another_can_be_chosen(cards, track, output):
    frames, path = track
    cards.plug("headphones")

    async def scene(player, events):
        await player.play("t", path)
        await until(lambda: len(cards.heard("speakers")) > RATE // 2)
        cards.stall("speakers")
        await until(lambda: player.state().state == "waiting", "waiting")
        position_sec = player.state().position_sec
        assert "takes no more sound" in player.state().message
        assert (await player.set_device("headphones")).chosen == "headphones"
        await until(lambda: len(cards.heard("headphones")) > RATE)
        assert_goes_on(cards.heard("headphones"), frames, position_sec)
        assert player.state().device == "headphones"
        cards.go_on("speakers")

    at_cards(scene, output, stall_sec=0.8)


def test_a_card_that_stands_still_for_a_while_goes_on_by_itself(cards, track):
    frames, path = track

    async def scene(player, events):
        await player.play("t", path)
        await until(lambda: len(cards.heard("speakers")) > RATE // 2)
        cards.stall("speakers")
        await until(lambda: player.state().state == "waiting", "waiting")
        position_sec = player.state().position_sec
        cards.go_on("speakers")
        await until(lambda: player.state().state == "playing", "playing")
        await until(lambda: player.state().position_sec > position_sec + 0.5)
        heard = cards.heard("speakers")
        where = np.flatnonzero((heard == frames[round(position_sec * RATE) + 2 * FADE]).all(axis=1))[-1]
        np.testing.assert_array_equal(
            heard[where : where + RATE // 8], frames[round(position_sec * RATE) + 2 * FADE :][: RATE // 8]
        )

    at_cards(scene, stall_sec=0.8)


class Plug:
    """A socket for pulled outputs: a device is there, missing or broken, as the test says."""

    def __init__(self):
        self.there, self.opened, self.asked = True, [], 0
        self.answers = threading.Event()
        self.answers.set()

    def open(self, say):
        self.asked += 1
        self.answers.wait()
        if self.there is True:
            self.opened.append(PulledOutput())
            return self.opened[-1]
        raise self.there


MISSING = NoDeviceError("There is no card.")
BROKEN = LofiError("AUDIO_DEVICE_ERROR", "The card is broken.")


def at_plug(scene, delays_sec=(0.0, 0.01), **settings):
    async def run():
        events, plug = [], Plug()
        player = Player(all_but_playlist(events), "none", open_output=plug.open, **settings)
        player._recovery._delays_sec = delays_sec
        try:
            await scene(player, plug, events)
        finally:
            if plug.opened and not plug.opened[-1].closed:
                plug.opened[-1].pull(RATE // 4)
            await player.close()

    asyncio.run(run())


@pytest.mark.parametrize("trouble", [MISSING, BROKEN])
def test_it_tries_until_a_device_opens_and_says_each_change_once(track, trouble):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        plug.there = trouble
        plug.opened[0].lose()
        await until(lambda: plug.asked > 6, "trying")
        assert player.state().state == "waiting"
        assert len(notices(events)) == 1
        plug.there = True
        await until(lambda: player.state().state == "playing", "playing")
        assert [type(event) for event in events[1:]] == [PlaybackPaused, PlayerNotice, PlaybackResumed, PlayerNotice]
        heard = plug.opened[1].pull(RATE // 2)
        at = RATE - 4800  # what lay in the device's buffer was not heard
        np.testing.assert_array_equal(heard[FADE:], track[0][at + FADE : at + RATE // 2])

    at_plug(scene)


@pytest.mark.parametrize("command", ["pause", "toggle", "stop"])
def test_it_stops_trying_when_the_user_no_longer_wants_music(track, command):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        plug.there = MISSING
        plug.opened[0].lose()
        await until(lambda: player.state().state == "waiting", "waiting")
        state = await getattr(player, command)()
        assert state.state == ("stopped" if command == "stop" else "paused")
        assert state.message is None
        await asyncio.sleep(0.03)
        asked = plug.asked
        await asyncio.sleep(0.1)
        assert plug.asked == asked
        if command != "stop":
            plug.there = True
            assert (await player.resume()).state == "playing"
            assert player.state().position_sec == pytest.approx(0.9)

    at_plug(scene)


def test_a_pause_does_not_wait_for_an_attempt_that_a_sound_server_holds(track):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        plug.answers.clear()
        plug.opened[0].lose()
        await until(lambda: plug.asked == 2, "an attempt")
        async with asyncio.timeout(60):
            assert (await player.pause()).state == "paused"
        plug.answers.set()
        await until(lambda: len(plug.opened) == 2 and plug.opened[1].closed, "closing what came too late")
        assert player.state().state == "paused"

    at_plug(scene)


def test_resume_tries_at_once(track):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        plug.there = MISSING
        plug.opened[0].lose()
        await until(lambda: plug.asked == 2, "the first attempt")
        plug.there = True
        await asyncio.sleep(0.05)
        assert player.state().state == "waiting"
        await player.resume()
        await until(lambda: player.state().state == "playing", "playing")

    at_plug(scene, delays_sec=(0.0, 1000.0))


def test_another_track_ends_the_waiting(track):
    async def scene(player, plug, events):
        await player.play("one", track[1])
        plug.opened[0].pull(RATE)
        plug.there = MISSING
        plug.opened[0].lose()
        await until(lambda: plug.asked == 2, "the first attempt")
        plug.there = True
        assert (await player.play("two", track[1])).state == "playing"
        assert PlaybackEnded("one", "skipped") in events
        assert player.state().track_id == "two"

    at_plug(scene, delays_sec=(0.0, 1000.0))


def test_a_paused_track_does_not_start_when_its_device_goes(track):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        await player.pause()
        plug.opened[0].lose()
        await asyncio.sleep(0.05)
        assert player.state().state == "paused" and plug.asked == 1
        assert notices(events) == []

    at_plug(scene)


def test_a_file_that_went_with_its_disk_ends_the_waiting(track):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        track[1].unlink()
        plug.opened[0].lose()
        await until(lambda: PlaybackEnded("t", "error") in events, "the end")
        assert player.state().state == "stopped"

    at_plug(scene)


def test_the_next_track_plays_where_the_one_before_went_with_its_disk(track, tmp_path):
    other = save(tmp_path / "b.wav", noise(2.0, seed=3), subtype="FLOAT")

    async def scene(player, plug, events):
        await player.add([Item("one", str(track[1])), Item("two", str(other))])
        await player.start()
        plug.opened[0].pull(RATE)
        track[1].unlink()
        plug.opened[0].lose()
        await until(lambda: player.state().track_id == "two", "the next track")
        assert player.state().state == "playing"
        assert [entry.track_id for entry in player.playlist().tracks] == ["two"]
        assert PlaybackEnded("one", "error") in events
        plug.opened[-1].pull(RATE)
        plug.opened[-1].lose()  # the attempt ended well: it is ready for the next trouble
        await until(lambda: len(plug.opened) == 3 and player.state().state == "playing", "playing")

    at_plug(scene)


def test_a_device_that_fails_again_and_again_is_not_spoken_of_again_and_again(track):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        for _ in range(5):
            opened = len(plug.opened)
            plug.opened[-1].pull(4800)
            plug.opened[-1].lose()
            await until(lambda opened=opened: len(plug.opened) > opened, "opening again")
            await until(lambda: player.state().state == "playing", "playing")
        assert len(notices(events)) == 2
        assert len([event for event in events if isinstance(event, PlaybackResumed)]) == 5

    at_plug(scene)


def test_a_device_that_nobody_pulls_is_noticed_only_while_it_should_play(track):
    async def scene(player, plug, events):
        await player.play("t", track[1])
        plug.opened[0].pull(RATE)
        await player.pause()
        plug.opened[0].pull(FADE)
        await asyncio.sleep(0.3)
        assert player.state().state == "paused"
        await player.resume()
        await until(lambda: len(plug.opened) == 2, "opening again")
        assert "takes no more sound" in notices(events)[0]

    at_plug(scene, stall_sec=0.08)


def test_attempts_come_ever_more_seldom_and_at_once_after_a_steady_time():
    async def run():
        times, answers = [], [False, False, False, True]
        loop = asyncio.get_running_loop()

        async def attempt():
            times.append(loop.time())
            return answers.pop(0)

        recovery = Recovery(attempt, delays_sec=(0.0, 0.05, 0.1), steady_sec=0.6)
        recovery.begin()
        assert recovery.is_news
        await until(lambda: not answers)
        gaps = np.diff(times)
        assert gaps[0] >= 0.05 and gaps[1] >= 0.1 and gaps[2] >= 0.1
        answers.append(True)
        began = loop.time()
        recovery.begin()
        assert not recovery.is_news
        await until(lambda: not answers)
        assert times[-1] - began >= 0.1
        await asyncio.sleep(0.65)
        recovery.begin()
        assert recovery.is_news
        recovery.cancel()

    asyncio.run(run())


def test_a_loop_that_was_held_up_is_not_taken_for_a_stall():
    async def run():
        stalls, pulls = [], 0
        watch = StallWatch(lambda: pulls, lambda: stalls.append(pulls), stall_sec=0.08)
        watch.start()
        for _ in range(4):
            time.sleep(0.1)  # noqa: ASYNC251  the hold-up
            pulls += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert stalls == []
        await until(lambda: stalls == [4], "the stall")
        watch.stop()

    asyncio.run(run())


def test_a_device_that_is_slow_but_alive_is_left_alone():
    async def run():
        stalls, script = [], [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, None]
        watch = StallWatch(lambda: script.pop(0), lambda: stalls.append(len(script)), stall_sec=0.02)
        watch.start()
        await until(lambda: not script or stalls)
        assert stalls == []

    asyncio.run(run())
