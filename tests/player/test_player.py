"""The player's commands, states and events, on an output whose clock is the test."""

import asyncio
import threading
import time

import numpy as np
import pytest
from support.pulled_output import PulledOutput
from support.sound import click_threshold, largest_step, noise, save, sine, wait_until_decoded

from lofi_daemon.errors import LofiError
from lofi_daemon.player.events import (
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    PlayerNotice,
    PlaylistChanged,
    VolumeChanged,
)
from lofi_daemon.player.output import NoDeviceError
from lofi_daemon.player.player import Player

RATE = 48_000
FADE = 960


class Stage:
    """A player, what it said, and the outputs it opened."""

    def __init__(self, opens=PulledOutput, **settings):
        self.events, self.opened, self.foreign = [], [], []
        self._opens, self._home = opens, threading.current_thread()
        self.player = Player(self._hear, open_output=self._open, **settings)

    @property
    def output(self):
        return self.opened[-1]

    def _open(self, say):
        self.opened.append(self._opens())
        return self.opened[-1]

    def _hear(self, event):
        if threading.current_thread() is not self._home:
            self.foreign.append(event)
        if not isinstance(event, PlaylistChanged):  # these have tests of their own
            self.events.append(event)

    async def until(self, condition, timeout_sec=60.0):
        deadline = time.monotonic() + timeout_sec
        while not condition():
            assert time.monotonic() < deadline, f"never happened; heard {self.events}"
            await asyncio.sleep(0.001)

    async def until_heard(self, event):
        await self.until(lambda: event in self.events)


def on_stage(scene, **settings):
    """Run ``scene(stage)`` and close the player after it."""

    async def run():
        stage = Stage(**settings)
        try:
            await scene(stage)
        finally:
            pulling = asyncio.create_task(keep_pulling(stage))
            await stage.player.close()
            pulling.cancel()
        assert stage.foreign == [], "events must come on the loop's thread"

    asyncio.run(run())


async def keep_pulling(stage):
    while True:
        for output in stage.opened:
            if not output.closed:
                output.pull(480)
        await asyncio.sleep(0.001)


@pytest.fixture
def track(tmp_path):
    """A second of noise and its file."""
    frames = noise(1.0)
    return frames, save(tmp_path / "a.wav", frames, subtype="FLOAT")


def test_play_pause_resume_and_end_are_told_with_their_positions(track):
    _, path = track

    async def scene(stage):
        player = stage.player
        state = await player.play("t", path, 1.0)
        assert (state.state, state.track_id, state.duration_sec, state.device) == ("playing", "t", 1.0, "pulled")
        wait_until_decoded()
        stage.output.pull(24_000)
        assert player.state().position_sec == pytest.approx(0.5)
        assert (await player.pause()).state == "paused"
        stage.output.pull(9600)
        paused_at = player.state().position_sec
        assert paused_at == pytest.approx(0.52)  # the fade out was heard too
        assert (await player.resume()).state == "playing"
        stage.output.pull(48_000)
        await stage.until_heard(PlaybackEnded("t", "finished"))
        assert stage.events == [
            PlaybackStarted("t", 0.0, 1.0),
            PlaybackPaused("t", 0.5),
            PlaybackResumed("t", paused_at),
            PlaybackEnded("t", "finished"),
        ]
        assert player.state().state == "stopped" and player.state().track_id is None

    on_stage(scene)


def test_the_files_own_duration_is_told_where_none_is_given(track):
    async def scene(stage):
        assert (await stage.player.play("t", track[1])).duration_sec == 1.0

    on_stage(scene)


def test_finished_is_told_after_the_device_has_played_the_last_frame(track):
    async def scene(stage):
        await stage.player.play("t", track[1])
        wait_until_decoded()
        stage.output.pull(RATE + 4800 - 480)  # a latency of 0.1 s is 4800 frames
        await asyncio.sleep(0.01)
        assert PlaybackEnded("t", "finished") not in stage.events
        stage.output.pull(960)
        await stage.until_heard(PlaybackEnded("t", "finished"))

    on_stage(scene)


def test_another_track_skips_the_one_that_plays(track):
    async def scene(stage):
        await stage.player.play("one", track[1])
        stage.output.pull(4800)
        await stage.player.play("two", track[1])
        assert stage.events[1:] == [PlaybackEnded("one", "skipped"), PlaybackStarted("two", 0.0, 1.0)]
        assert len(stage.opened) == 1

    on_stage(scene)


def test_commands_with_nothing_to_do_return_the_state_and_say_nothing(track):
    async def scene(stage):
        player = stage.player
        for command in (player.pause, player.resume, player.toggle, player.stop, player.stop):
            assert (await command()).state == "stopped"
        assert stage.events == []
        await player.play("t", track[1])
        await player.resume()
        await player.pause()
        await player.pause()
        await player.stop()
        await player.stop()
        await player.pause()
        kinds = [type(event) for event in stage.events]
        assert kinds == [PlaybackStarted, PlaybackPaused, PlaybackEnded]

    on_stage(scene)


def test_toggle_goes_back_and_forth(track):
    async def scene(stage):
        await stage.player.play("t", track[1])
        assert (await stage.player.toggle()).state == "paused"
        assert (await stage.player.toggle()).state == "playing"

    on_stage(scene)


def test_stop_ends_the_track_and_fades_it_out(tmp_path):
    path = save(tmp_path / "a.wav", sine(1.0), subtype="FLOAT")

    async def scene(stage):
        await stage.player.play("t", path)
        heard = [stage.output.pull(9600)]
        await stage.player.stop()
        assert stage.events[-1] == PlaybackEnded("t", "stopped")
        heard.append(stage.output.pull(9600))
        assert heard[1][: FADE // 2].any() and not heard[1][FADE:].any()
        assert largest_step(np.concatenate(heard)) < click_threshold()

    on_stage(scene)


def test_volume_is_heard_and_told_once(track):
    frames, path = track

    async def scene(stage):
        await stage.player.play("t", path)
        stage.output.pull(4800)
        assert await stage.player.set_volume(0.5) == 0.5
        await stage.player.set_volume(0.5)
        heard = stage.output.pull(4800)
        np.testing.assert_allclose(heard[2400:], frames[7200:9600] * 0.125, atol=1e-7)
        assert stage.events[1:] == [VolumeChanged(0.5)]
        assert stage.player.volume == stage.player.state().volume == 0.5

    on_stage(scene)


def test_volume_set_before_the_first_play_holds_from_its_first_sample(track):
    frames, path = track

    async def scene(stage):
        await stage.player.set_volume(0.5)
        await stage.player.play("t", path)
        heard = stage.output.pull(4800)
        np.testing.assert_allclose(heard[FADE:], frames[FADE:4800] * 0.125, atol=1e-7)

    on_stage(scene)


@pytest.mark.parametrize("level", [-0.01, 1.01, float("nan"), float("inf"), True, "loud", None])
def test_a_volume_outside_0_to_1_is_refused(level):
    async def scene(stage):
        with pytest.raises(LofiError) as error:
            await stage.player.set_volume(level)
        assert (error.value.name, error.value.field) == ("INVALID_PARAMS", "level")
        assert stage.events == [] and stage.player.volume == 1.0

    on_stage(scene)


def test_a_file_that_is_gone_or_damaged_ends_in_error_and_playback_goes_on(track, tmp_path):
    frames, path = track
    damaged = tmp_path / "bad.flac"
    damaged.write_text("no music")

    async def scene(stage):
        await stage.player.play("good", path)
        for name, bad in (("INVALID_TRACK_ID", tmp_path / "gone.flac"), ("UNSUPPORTED", damaged)):
            with pytest.raises(LofiError) as error:
                await stage.player.play("bad", bad)
            assert error.value.name == name
            assert stage.events[-1] == PlaybackEnded("bad", "error")
        assert stage.player.state().track_id == "good"
        np.testing.assert_array_equal(stage.output.pull(9600)[FADE:], frames[FADE:9600])

    on_stage(scene)


def test_a_missing_file_is_told_before_a_missing_device(tmp_path):
    async def scene(stage):
        with pytest.raises(LofiError) as error:
            await stage.player.play("t", tmp_path / "gone.flac")
        assert error.value.name == "INVALID_TRACK_ID"
        assert stage.opened == []

    on_stage(scene)


def test_a_file_that_breaks_off_is_played_to_there_and_ends_in_error(tmp_path):
    path = save(tmp_path / "cut.flac", noise(4.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    async def scene(stage):
        await stage.player.play("t", path)
        wait_until_decoded()
        heard = stage.output.pull(3 * RATE)
        assert heard[RATE // 2 : RATE // 2 + 100].any()
        await stage.until_heard(PlaybackEnded("t", "error"))
        assert any(isinstance(event, PlayerNotice) and "cut.flac" in event.message for event in stage.events)

    on_stage(scene)


def no_device():
    raise NoDeviceError("There is no card. Plug one in.")


def test_without_a_device_play_reports_a_state_and_starts_nothing(track):
    async def scene(stage):
        for _ in range(2):
            state = await stage.player.play("t", track[1])
            assert (state.state, state.message) == ("no_device", "There is no card. Plug one in.")
        assert stage.events == [PlayerNotice("warn", "There is no card. Plug one in.")]
        assert (await stage.player.pause()).state == "no_device"
        assert (await stage.player.stop()).state == "stopped"

    on_stage(scene, opens=no_device)


def test_a_device_that_appears_is_used_at_the_next_play(track):
    there = []

    async def scene(stage):
        await stage.player.play("t", track[1])
        there.append(True)
        state = await stage.player.play("t", track[1])
        assert (state.state, state.message) == ("playing", None)

    on_stage(scene, opens=lambda: PulledOutput() if there else no_device())


def busy():
    raise LofiError("AUDIO_DEVICE_ERROR", "The device is busy.")


def test_a_device_that_does_not_open_is_an_error_and_the_player_stays_usable(track):
    async def scene(stage):
        with pytest.raises(LofiError) as error:
            await stage.player.play("t", track[1])
        assert error.value.name == "AUDIO_DEVICE_ERROR"
        assert stage.events == [PlaybackEnded("t", "error")]
        assert stage.player.state().state == "stopped"

    on_stage(scene, opens=busy)


def test_an_idle_output_is_released_and_a_pause_outlives_it_to_the_sample(track):
    frames, path = track

    async def scene(stage):
        await stage.player.play("t", path)
        stage.output.pull(9600)
        await stage.player.pause()
        stage.output.pull(FADE)
        await stage.until(lambda: stage.output.closed)
        state = stage.player.state()
        assert (state.state, state.device) == ("paused", None)
        await stage.player.resume()
        at = 9600 + FADE
        np.testing.assert_array_equal(stage.output.pull(4800)[FADE:], frames[at + FADE : at + 4800])
        await stage.player.stop()
        await stage.until(lambda: stage.output.closed)

    on_stage(scene, idle_sec=0.05)


def test_an_output_at_another_rate_after_a_release_goes_on_at_the_same_place(track):
    _, path = track
    rates = iter([48_000, 24_000])

    async def scene(stage):
        await stage.player.play("t", path)
        stage.output.pull(24_000)
        await stage.player.pause()
        stage.output.pull(FADE)
        await stage.until(lambda: stage.output.closed)
        await stage.player.resume()
        wait_until_decoded()
        stage.output.pull(6000)
        assert stage.player.state().position_sec == pytest.approx(0.52 + 0.25, abs=1e-3)

    on_stage(scene, opens=lambda: PulledOutput(next(rates)), idle_sec=0.05)


def test_a_playing_track_is_not_released(track):
    async def scene(stage):
        await stage.player.play("t", track[1])
        await stage.player.pause()
        await stage.player.resume()
        await asyncio.sleep(0.1)
        assert not stage.output.closed

    on_stage(scene, idle_sec=0.02)


def test_a_release_that_was_due_while_a_play_was_under_way_leaves_it_its_output(track):
    opening, answer = threading.Event(), threading.Event()

    def slow_the_second_time():
        if opening.is_set():
            answer.wait()
        return PulledOutput()

    async def scene(stage):
        await stage.player.play("one", track[1])
        await stage.player.stop()
        opening.set()
        stage.output.lose()
        await stage.until(lambda: stage.player.state().device is None)
        playing = asyncio.create_task(stage.player.play("two", track[1]))
        await asyncio.sleep(0.1)  # the release is due now, and waits for the command
        answer.set()
        await playing
        await asyncio.sleep(0.05)
        assert not stage.output.closed

    on_stage(scene, opens=slow_the_second_time, idle_sec=0.05)


def test_a_score_of_commands_at_once_leave_one_state_and_one_end_for_each_start(track):
    frames, path = track

    async def scene(stage):
        player = stage.player
        commands = []
        for turn in range(6):
            commands += [player.play(f"t{turn}", path), player.toggle(), player.stop()]
        commands += [player.play("t6", path), player.toggle(), player.toggle()]
        await asyncio.gather(*commands)
        assert len(commands) == 21
        assert (player.state().state, player.state().track_id) == ("playing", "t6")
        started = [event.track_id for event in stage.events if isinstance(event, PlaybackStarted)]
        ended = [event.track_id for event in stage.events if isinstance(event, PlaybackEnded)]
        assert started == [f"t{turn}" for turn in range(7)] and ended == started[:-1]
        np.testing.assert_array_equal(stage.output.pull(9600)[FADE:], frames[FADE:9600])
        wait_until_decoded()

    on_stage(scene)


def test_closing_fades_out_ends_the_track_and_leaves_no_thread(tmp_path):
    path = save(tmp_path / "a.wav", sine(30.0))

    async def run():
        stage = Stage()
        await stage.player.play("t", path)
        heard = [stage.output.pull(9600)]

        async def device():
            while not stage.output.closed:
                heard.append(stage.output.pull(480))
                await asyncio.sleep(0.001)

        pulling = asyncio.create_task(device())
        await stage.player.close()
        await pulling
        assert stage.events[-1] == PlaybackEnded("t", "stopped")
        assert largest_step(np.concatenate(heard)) < click_threshold()
        assert not heard[-1].any()
        await stage.until(lambda: not any(thread.name.startswith("lofi-") for thread in threading.enumerate()))

    asyncio.run(run())


def test_closing_does_not_wait_for_a_sound_server_that_hangs_at_close(track):
    answer = threading.Event()

    class Hanging(PulledOutput):
        def close(self):
            answer.wait()

    async def run():
        stage = Stage(opens=Hanging)
        await stage.player.play("t", track[1])
        async with asyncio.timeout(60):
            await stage.player.close()
        assert stage.events[-1] == PlaybackEnded("t", "stopped")
        answer.set()

    asyncio.run(run())


def test_closing_does_not_wait_for_a_sound_server_that_hangs_at_open(track):
    answer = threading.Event()

    def hanging():
        answer.wait()
        return PulledOutput()

    async def run():
        stage = Stage(opens=hanging)
        playing = asyncio.create_task(stage.player.play("t", track[1]))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            await stage.player.close()
        answer.set()
        with pytest.raises(LofiError, match="closed"):
            await playing
        assert stage.player.state().state == "stopped"

    asyncio.run(run())


def test_a_listener_that_fails_does_not_stop_the_music(track):
    def listener(event):
        raise RuntimeError("not the player's fault")

    async def run():
        output = PulledOutput()
        player = Player(listener, open_output=lambda say: output)
        assert (await player.play("t", track[1])).state == "playing"
        await player.close()

    asyncio.run(run())
