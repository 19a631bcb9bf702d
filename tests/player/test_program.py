"""The player with a playlist: what is heard and told when tracks follow, are skipped, sought, changed or damaged."""

import asyncio
import itertools
import random
import threading
import time

import numpy as np
import pytest
import soundfile
from player.test_player import FADE, RATE, Stage, keep_pulling, no_device
from support.pulled_output import PulledOutput
from support.sound import click_threshold, largest_step, noise, save, sine, wait_until_decoded

from lofi_daemon.errors import LofiError
from lofi_daemon.player import deck
from lofi_daemon.player.events import (
    PlaybackEnded,
    PlaybackPaused,
    PlaybackSeeked,
    PlaybackStarted,
    PlayerNotice,
    PlaylistChanged,
    TrackUnplayable,
)
from lofi_daemon.player.joins import crossfade_sec
from lofi_daemon.player.player import Player
from lofi_daemon.player.playlist import Item, Playlist


class Program(Stage):
    """A stage that also keeps what was told of the playlist."""

    def __init__(self, opens=PulledOutput, **settings):
        self.lists = []
        super().__init__(opens, **settings)

    def _hear(self, event):
        super()._hear(event)
        if isinstance(event, PlaylistChanged):
            self.lists.append(event)

    async def settle(self):
        """Until every command's follow-up, the opening of the next track among them, is done."""
        for _ in range(3):
            await asyncio.sleep(0)
            async with self.player._commands:
                pass
            await self.until(lambda: self.player._sequel._task is None or self.player._sequel._task.done())
        await asyncio.to_thread(wait_until_decoded)

    async def hear(self, frames):
        """Half a second at a time, so that what follows a short track is ready before its end."""
        heard = []
        while frames > 0:
            await self.settle()
            heard.append(self.output.pull(min(frames, RATE // 2)))
            frames -= RATE // 2
        return np.concatenate(heard)

    def of(self, *kinds):
        return [event for event in self.events if isinstance(event, kinds)]


def on_stage(scene, **settings):
    async def run():
        stage = Program(**settings)
        try:
            await scene(stage, stage.player)
        finally:
            pulling = asyncio.create_task(keep_pulling(stage))
            await stage.player.close()
            pulling.cancel()
        assert stage.foreign == [], "events must come on the loop's thread"

    asyncio.run(run())


@pytest.fixture
def made(tmp_path):
    """Makes tracks of noise: frames and the playlist's item."""

    def make(name, seconds=1.0, **more):
        frames = noise(seconds, seed=ord(name[0]))
        path = save(tmp_path / f"{name}.wav", frames, subtype="FLOAT")
        return frames, Item(name, str(path), f"prompt of {name}", seconds, **more)

    return make


def test_tracks_follow_without_a_gap_and_each_is_told(made):
    (a, one), (b, two), (c, three) = made("a"), made("b"), made("c", 1.5)

    async def scene(stage, player):
        await player.add([one, two, three])
        await player.start()
        heard = await stage.hear(4 * RATE)
        await stage.until_heard(PlaybackEnded("c", "finished"))
        joined = np.concatenate([a, b, c])
        np.testing.assert_array_equal(heard[FADE : len(joined) - FADE], joined[FADE:-FADE])
        assert stage.events == [
            PlaybackStarted("a", 0.0, 1.0),
            PlaybackEnded("a", "finished"),
            PlaybackStarted("b", 0.0, 1.0),
            PlaybackEnded("b", "finished"),
            PlaybackStarted("c", 0.0, 1.5),
            PlaybackEnded("c", "finished"),
        ]
        assert [told.index for told in stage.lists] == [None, 0, 1, 2, None]
        assert player.state().state == "stopped"

    on_stage(scene)


def test_tracks_cross_at_their_end(made):
    (a, one), (b, two) = made("a", 3.0), made("b", 3.0)

    async def scene(stage, player):
        await player.add([one, two])
        await player.start()
        await stage.settle()
        heard = stage.output.pull(4 * RATE)
        n, at = RATE // 2, 5 * RATE // 2
        angles = np.pi / 2 * np.arange(1, n + 1)[:, None] / n
        np.testing.assert_array_equal(heard[FADE:at], a[FADE:at])
        np.testing.assert_allclose(heard[at : at + n], a[at:] * np.cos(angles) + b[:n] * np.sin(angles), atol=1e-6)
        np.testing.assert_array_equal(heard[at + n :], b[n : 4 * RATE - at])
        await stage.until_heard(PlaybackStarted("b", 0.0, 3.0))
        assert player.state().position_sec == pytest.approx(1.5)

    on_stage(scene, crossfade_sec=0.5)


def test_skip_and_previous_go_through_the_list_and_skip_at_its_end_stops(made):
    async def scene(stage, player):
        await player.add([made(name)[1] for name in "abc"])
        assert (await player.skip()).track_id == "a"
        await stage.settle()
        assert (await player.skip()).track_id == "b"
        assert (await player.skip()).track_id == "c"
        assert (await player.previous()).track_id == "b"
        assert (await player.previous()).track_id == "a"
        stage.output.pull(4800)
        state = await player.previous()  # nothing before it: from its start
        assert (state.track_id, state.position_sec, state.playlist_index) == ("a", 0.0, 0)
        await player.skip()
        await player.skip()
        state = await player.skip()
        assert (state.state, state.playlist_index) == ("stopped", None)
        assert stage.events[-1] == PlaybackEnded("c", "skipped")
        assert (await player.start()).track_id == "a"

    on_stage(scene)


def test_commands_on_an_empty_list_do_nothing(made):
    async def scene(stage, player):
        for command in (player.skip, player.previous, player.start, lambda: player.seek(3.0)):
            assert (await command()).state == "stopped"
        assert stage.events == [] and stage.lists == [] and stage.opened == []

    on_stage(scene)


def test_a_skip_crosses_and_a_stop_does_not(made):
    (a, one), (b, two) = made("a", 4.0), made("b", 4.0)

    async def scene(stage, player):
        await player.add([one, two])
        await player.start()
        await stage.settle()
        stage.output.pull(RATE)
        await player.skip()
        n = RATE // 2
        angles = np.pi / 2 * np.arange(1, n + 1)[:, None] / n
        heard = stage.output.pull(n)
        np.testing.assert_allclose(heard, a[RATE : RATE + n] * np.cos(angles) + b[:n] * np.sin(angles), atol=1e-6)
        await player.stop()
        assert not stage.output.pull(RATE)[FADE:].any()
        assert (player.state().playlist_length, player.state().playlist_index) == (2, 1)
        assert (await player.start()).track_id == "b"

    on_stage(scene, crossfade_sec=0.5)


def test_a_skip_out_of_a_pause_plays(made):
    async def scene(stage, player):
        await player.add([made(name)[1] for name in "ab"])
        await player.start()
        await player.pause()
        stage.output.pull(4800)
        state = await player.skip()
        assert (state.state, state.track_id) == ("playing", "b")
        assert stage.output.pull(4800).any()

    on_stage(scene, crossfade_sec=5.0)


def test_what_follows_may_change_until_it_begins(made):
    (a, one), (b, two), (_, three) = made("a"), made("b"), made("c")

    async def scene(stage, player):
        await player.add([one, two])
        await player.start()
        await stage.settle()
        stage.output.pull(4800)
        await player.add([three], next=True)
        await stage.settle()
        stage.output.pull(4800)
        await player.remove("c")
        await stage.settle()
        heard = stage.output.pull(RATE)
        np.testing.assert_array_equal(heard, np.concatenate([a, b])[9600 : 9600 + RATE])
        await stage.until(lambda: player.state().track_id == "b")

    on_stage(scene)


def test_a_list_cleared_while_it_plays_is_heard_to_the_end_of_the_track(made):
    a, one = made("a")

    async def scene(stage, player):
        await player.add([one, made("b")[1]])
        await player.start()
        await stage.settle()
        stage.output.pull(4800)
        assert (await player.clear()).tracks == ()
        heard = await stage.hear(2 * RATE)
        np.testing.assert_array_equal(heard[: RATE - 4800 - FADE], a[4800:-FADE])
        assert not heard[RATE:].any()
        await stage.until_heard(PlaybackEnded("a", "finished"))

    on_stage(scene)


def test_a_track_added_as_the_last_one_ends_follows_it(made):
    async def scene(stage, player):
        await player.play_item(made("a")[1])
        await stage.settle()
        stage.output.pull(RATE + 480)  # at its end, and the device still has it to play
        await player.add([made("b")[1]])
        await stage.settle()
        stage.output.pull(RATE // 2)
        await stage.until_heard(PlaybackStarted("b", 0.0, 1.0))
        assert stage.events[1] == PlaybackEnded("a", "finished")

    on_stage(scene)


def test_a_next_track_that_opens_too_slowly_begins_when_it_is_open(made, monkeypatch):
    (_, one), (b, two) = made("a"), made("b")
    opening = threading.Event()
    open_at_once = deck.open_source

    def open_slowly(path, *args, **kwargs):
        if path.name == "b.wav":
            opening.wait(60)
        return open_at_once(path, *args, **kwargs)

    monkeypatch.setattr(deck, "open_source", open_slowly)

    async def scene(stage, player):
        await player.add([one, two])
        await player.start()
        await asyncio.to_thread(wait_until_decoded)
        stage.output.pull(2 * RATE)
        await asyncio.sleep(0.01)
        state = player.state()
        assert (state.state, state.track_id, state.position_sec) == ("playing", "a", 1.0)
        opening.set()
        await stage.until_heard(PlaybackStarted("b", 0.0, 1.0))
        assert stage.events == [
            PlaybackStarted("a", 0.0, 1.0),
            PlaybackEnded("a", "finished"),
            PlaybackStarted("b", 0.0, 1.0),
        ]
        await stage.settle()
        np.testing.assert_array_equal(stage.output.pull(9600)[FADE:], b[FADE:9600])

    on_stage(scene)


def test_a_pause_and_a_stop_do_not_wait_for_a_next_track_that_opens_slowly(made, monkeypatch):
    opening, open_at_once = threading.Event(), deck.open_source

    def open_slowly(path, *args, **kwargs):
        if path.name == "b.wav":
            opening.wait(60)
        return open_at_once(path, *args, **kwargs)

    monkeypatch.setattr(deck, "open_source", open_slowly)

    async def scene(stage, player):
        await player.add([made(name)[1] for name in "ab"])
        await player.start()
        stage.output.pull(4800)
        assert (await player.pause()).state == "paused"
        assert (await player.resume()).state == "playing"
        assert (await player.stop()).state == "stopped"
        assert not opening.is_set()
        opening.set()
        await stage.settle()
        await stage.until(lambda: not any(thread.name == "lofi-decoder" for thread in threading.enumerate()))
        assert stage.of(PlaybackStarted) == [PlaybackStarted("a", 0.0, 1.0)]

    on_stage(scene)


def test_what_follows_is_opened_again_for_a_device_that_took_the_place_of_another(made, monkeypatch):
    (a, one), (b, two) = made("a"), made("b")
    opening, open_at_once = threading.Event(), deck.open_source

    def open_slowly(path, *args, **kwargs):
        if path.name == "b.wav":
            opening.wait(60)
        return open_at_once(path, *args, **kwargs)

    monkeypatch.setattr(deck, "open_source", open_slowly)

    async def scene(stage, player):
        await player.add([one, two])
        await player.start()
        await asyncio.to_thread(wait_until_decoded)
        stage.output.pull(24_000)
        stage.output.lose()
        await stage.until(lambda: player.state().state == "waiting")
        opening.set()
        await stage.until(lambda: player.state().state == "playing")
        at = 24_000 - 4800
        np.testing.assert_array_equal((await stage.hear(RATE))[FADE:], np.concatenate([a, b])[at + FADE : at + RATE])

    on_stage(scene)


def damage_missing(path):
    path.unlink()


def damage_text(path):
    path.write_text("this is not music")


@pytest.mark.parametrize("damage", [damage_missing, damage_text])
def test_a_track_that_cannot_be_played_is_taken_out_said_once_and_passed_over(made, tmp_path, damage):
    a, one = made("a")
    _, bad = made("b")
    c, three = made("c")
    damage(tmp_path / "b.wav")

    async def scene(stage, player):
        await player.set_mode(loop="all")
        await player.add([one, bad, three])
        await player.start()
        heard = await stage.hear(3 * RATE)
        np.testing.assert_array_equal(heard[FADE:], np.concatenate([a, c, a])[FADE:])
        assert len(stage.of(PlayerNotice)) == 1 and "b.wav" in stage.of(PlayerNotice)[0].message
        assert stage.of(TrackUnplayable) == [TrackUnplayable("b")]
        assert [entry.track_id for entry in stage.lists[-1].tracks] == ["a", "c"]

    on_stage(scene)


def test_a_list_of_nothing_but_damaged_tracks_ends(made, tmp_path):
    async def scene(stage, player):
        await player.add([made(name)[1] for name in "abc"])
        for name in "abc":
            damage_text(tmp_path / f"{name}.wav")
        assert (await player.start()).state == "stopped"
        assert len(stage.of(TrackUnplayable)) == 3 and player.playlist().tracks == ()

    on_stage(scene)


def test_loop_one_repeats_without_a_gap(made):
    a, one = made("a")

    async def scene(stage, player):
        await player.set_mode(loop="one")
        await player.play_item(one)
        heard = await stage.hear(3 * RATE)
        np.testing.assert_array_equal(heard[FADE:], np.concatenate([a, a, a])[FADE:])

    on_stage(scene)


@pytest.mark.parametrize("position", [0.25, 12_345 / RATE, 0.0])
def test_seek_goes_on_at_the_very_sample_without_a_click(tmp_path, position):
    track = sine(2.0)
    path = save(tmp_path / "a.wav", track, subtype="FLOAT")

    async def scene(stage, player):
        await player.play("t", path)
        parts = [stage.output.pull(9600)]
        state = await player.seek(position)
        assert state.position_sec == pytest.approx(position)
        parts.append(stage.output.pull(9600))
        assert largest_step(np.concatenate(parts)) < click_threshold()
        at = round(position * RATE)
        np.testing.assert_array_equal(parts[1][2 * FADE :], track[at + FADE : at + 9600 - FADE])
        assert stage.events[-1] == PlaybackSeeked("t", position)

    on_stage(scene)


def test_seek_in_a_pause_stays_paused_and_resume_goes_on_there(made):
    a, one = made("a")

    async def scene(stage, player):
        await player.play_item(one)
        stage.output.pull(9600)
        await player.pause()
        stage.output.pull(4800)
        state = await player.seek(0.5)
        assert (state.state, state.position_sec) == ("paused", 0.5)
        assert not stage.output.pull(4800).any()
        await player.resume()
        np.testing.assert_array_equal(stage.output.pull(9600)[FADE:], a[24_000 + FADE : 24_000 + 9600])

    on_stage(scene)


def test_seek_past_the_end_is_the_end_and_the_next_track_follows(made):
    async def scene(stage, player):
        await player.add([made(name)[1] for name in "ab"])
        await player.start()
        await stage.settle()
        stage.output.pull(4800)
        assert (await player.seek(1e9)).position_sec == 1.0
        await stage.settle()
        stage.output.pull(9600)
        await stage.until_heard(PlaybackStarted("b", 0.0, 1.0))

    on_stage(scene)


@pytest.mark.parametrize("position", [-0.01, float("nan"), float("inf"), "late", None, True])
def test_a_seek_to_nowhere_is_refused_and_playback_goes_on(made, position):
    a, one = made("a")

    async def scene(stage, player):
        await player.play_item(one)
        with pytest.raises(LofiError) as error:
            await player.seek(position)
        assert (error.value.name, error.value.field) == ("INVALID_PARAMS", "position_sec")
        np.testing.assert_array_equal(stage.output.pull(9600)[FADE:], a[FADE:9600])

    on_stage(scene)


@pytest.mark.parametrize("seconds", [-1, 30.5, float("nan"), "long"])
def test_a_crossfade_out_of_range_is_refused(seconds):
    async def scene(stage, player):
        with pytest.raises(LofiError) as error:
            await player.set_crossfade(seconds)
        assert (error.value.name, error.value.field) == ("INVALID_PARAMS", "duration_sec")
        assert player.state().crossfade_sec == 0.0

    on_stage(scene)


def test_a_crossfade_set_while_a_track_plays_holds_at_its_end(made):
    (a, one), (b, two) = made("a", 3.0), made("b", 3.0)

    async def scene(stage, player):
        await player.add([one, two])
        await player.start()
        await stage.settle()
        stage.output.pull(RATE)
        assert (await player.set_crossfade(1.0)).crossfade_sec == 1.0
        n, at = RATE, 2 * RATE
        heard = stage.output.pull(2 * RATE)
        angles = np.pi / 2 * np.arange(1, n + 1)[:, None] / n
        np.testing.assert_allclose(heard[at - RATE :], a[at:] * np.cos(angles) + b[:n] * np.sin(angles), atol=1e-6)

    on_stage(scene)


def test_loud_tracks_are_brought_down_and_soft_ones_up(made):
    (a, loud), (b, soft) = made("a", lufs=-10.0), made("b", lufs=-30.0)

    async def scene(stage, player):
        await player.set_volume(0.5)
        await player.add([loud, soft])
        await player.start()
        await stage.settle()
        heard = stage.output.pull(2 * RATE)
        gain = 0.125 * 10 ** (-6 / 20)
        np.testing.assert_allclose(heard[FADE:RATE], a[FADE:] * gain, atol=1e-7)
        np.testing.assert_allclose(heard[RATE:-FADE], b[:-FADE] * 0.125 * 10 ** (6 / 20), atol=1e-7)

    on_stage(scene)


def test_a_track_broken_off_during_its_crossfade_is_said(made, tmp_path):
    path = save(tmp_path / "cut.flac", noise(8.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    async def scene(stage, player):
        await player.add([Item("cut", str(path), "", 8.0), made("b", 3.0)[1]])
        await player.start()
        await stage.settle()
        for _ in range(8):
            stage.output.pull(RATE // 2)
            await stage.settle()
        assert PlaybackEnded("cut", "error") in stage.events
        assert any("cut.flac" in notice.message for notice in stage.of(PlayerNotice))
        assert player.state().track_id == "b"

    on_stage(scene, crossfade_sec=1.0)


def test_without_a_device_the_track_waits_in_the_list(made):
    async def scene(stage, player):
        state = await player.play_item(made("a")[1])
        assert (state.state, state.playlist_index) == ("no_device", 0)
        state = await player.start()
        assert state.state == "no_device"
        assert len(stage.of(PlayerNotice)) == 1

    on_stage(scene, opens=no_device)


def test_restored_it_is_paused_where_it_was_and_no_device_is_opened(made):
    a, one = made("a")
    b, two = made("b")

    async def scene(stage, player):
        state = await player.restore([one, two], "a", 0.25, "off", False)
        assert (state.state, state.track_id, state.position_sec, state.playlist_index) == ("paused", "a", 0.25, 0)
        assert stage.opened == [] and stage.events == [PlaybackPaused("a", 0.25)]
        await player.resume()
        await stage.settle()
        heard = stage.output.pull(RATE)
        np.testing.assert_array_equal(heard[FADE:], np.concatenate([a, b])[12_000 + FADE : 12_000 + RATE])

    on_stage(scene)


def test_nothing_is_restored_over_what_the_user_has_begun(made):
    async def scene(stage, player):
        await player.play_item(made("b")[1])
        await player.restore([made("a")[1]], "a", 0.25, "all", True)
        assert (player.state().track_id, player.state().loop) == ("b", "off")

    on_stage(scene)


async def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the next track is never ready"
        await asyncio.sleep(0.0002)  # not 0: the decoder needs the interpreter


def counter(start, frames):
    """A signal that says which sample it is: [frames, 2], exact in 24 bits."""
    n = np.arange(start, start + frames)
    return np.stack([n % 4096 / 8192, n // 4096 / 8192], axis=1).astype(np.float32)


def laid(tracks, crossfade, rate):
    """What tracks of these frames sound like one after another."""
    out, at = np.zeros((sum(map(len, tracks)), 2)), 0
    for number, frames in enumerate(tracks):
        seconds = [len(one) / rate for one in (*tracks[number - 1 : number], frames, *tracks[number + 1 : number + 2])]
        overlaps = [round(crossfade_sec(crossfade, *pair) * rate) for pair in itertools.pairwise(seconds)]
        rise = overlaps[0] if number > 0 else 0
        fall = overlaps[-1] if number < len(tracks) - 1 else 0
        gained = frames.astype(np.float64)
        at -= rise
        if rise:
            gained[:rise] *= np.sin(np.pi / 2 * np.arange(1, rise + 1) / rise)[:, None]
        if fall:
            gained[len(gained) - fall :] *= np.cos(np.pi / 2 * np.arange(1, fall + 1) / fall)[:, None]
        out[at : at + len(frames)] += gained
        at += len(frames)
    return out[:at]


@pytest.mark.parametrize(("seconds", "crossfade"), [(1800, 0.0), (600, 0.75)])
def test_a_long_shuffled_endless_list_skips_and_repeats_no_sample(tmp_path, seconds, crossfade):
    """Virtual time: tracks of odd lengths from 1 to 5 s, at 8 kHz."""
    rate, draw = 8000, random.Random(3)
    items, lengths, at = [], {}, 0
    for number in range(9):
        length = draw.randrange(rate, 5 * rate)
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, counter(at, length), rate, subtype="PCM_24")
        items.append(Item(str(number), str(path), "", length / rate))
        lengths[str(number)], at = (at, length), at + length

    async def run():
        outputs, started = [], []

        def hear(event):
            if isinstance(event, PlaybackStarted):
                started.append(event.track_id)

        def open_output(say):
            outputs.append(PulledOutput(rate))
            return outputs[-1]

        player = Player(hear, open_output=open_output, crossfade_sec=crossfade, playlist=Playlist(random.Random(4)))
        await player.set_mode("all", True)
        await player.add(items)
        await player.start()
        output, heard, total = outputs[0], [], 0

        def is_ready():
            sources = player._decks.current.sources.values()
            return player._sequel._ready is not None and all(source.finished for source in sources)

        while total < seconds * rate:
            await until(is_ready)
            count = min(rate, seconds * rate - total)
            heard.append(output.pull(count, 331))  # joins fall anywhere in a block
            total += count
            await asyncio.sleep(0)
        pulling = asyncio.create_task(keep_pulling(type("Opened", (), {"opened": outputs})))
        await player.close()
        pulling.cancel()
        return np.concatenate(heard), started

    heard, started = asyncio.run(run())
    expected = laid([counter(*lengths[name]) for name in started], crossfade, rate)[: len(heard)]
    fade = rate // 50
    assert len(heard) == seconds * rate <= len(expected) + 1
    if crossfade:
        np.testing.assert_allclose(heard[fade : len(expected)], expected[fade:], atol=1e-6)
    else:
        np.testing.assert_array_equal(heard[fade:], expected[fade:])
    assert len(started) > seconds / 4
