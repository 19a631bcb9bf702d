"""What reaches a real device: PortAudio and miniaudio through ALSA into a card made of a pipe."""

import asyncio
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from support.hearing import all_but_playlist
from support.sound import click_threshold, largest_step, noise, save, sine, wait_until_decoded
from support.sound_card import SoundCard, environment

from lofi_daemon.player.events import PlaybackEnded
from lofi_daemon.player.player import Player

RATE = 48_000
FADE = 960


@pytest.fixture
def card(tmp_path, monkeypatch):
    folder = tmp_path / "card"
    folder.mkdir()
    card = SoundCard(folder)
    for name, value in card.env.items():
        monkeypatch.setenv(name, value)
    yield card
    card.close()


class Listening:
    """A player on the card, with the test as the card's clock."""

    def __init__(self, card, output, **settings):
        self.card, self.events = card, []
        self.player = Player(all_but_playlist(self.events), output, **settings)

    async def read(self, frames):
        for _ in range(3):  # what was commanded, and the opening of the next track that follows from it
            await asyncio.sleep(0)
            async with self.player._commands:
                pass
            await self.until(lambda: self.player._sequel._task is None or self.player._sequel._task.done())
        await asyncio.to_thread(wait_until_decoded)  # a reader faster than the decoder would starve it
        return await asyncio.to_thread(self.card.read, frames)

    async def until(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"never happened; heard {self.events}"
            await asyncio.sleep(0.001)


def listen(card, output, scene, **settings):
    async def run():
        listening = Listening(card, output, stall_sec=60.0, **settings)  # between two reads the card stands still
        try:
            await scene(listening, listening.player)
        finally:
            closing = asyncio.create_task(listening.player.close())
            while not closing.done():
                card.drain()
                await asyncio.sleep(0.001)
            await closing
        return listening.events

    return asyncio.run(run())


def from_first_sound(heard):
    return heard[np.flatnonzero(np.abs(heard).sum(axis=1))[0] :]


DEVICE_NAMES = {"sounddevice": "default", "miniaudio": "ALSA default device"}
both = pytest.mark.parametrize("output", DEVICE_NAMES)


@both
def test_a_track_reaches_the_device_bit_for_bit(card, tmp_path, output):
    track = noise(2.0)
    path = save(tmp_path / "a.wav", track, subtype="FLOAT")

    async def scene(listening, player):
        state = await player.play("t", path)
        assert (state.state, state.device) == ("playing", DEVICE_NAMES[output])
        heard = from_first_sound(await listening.read(3 * RATE))
        # The curve's first samples are below the smallest float next to the signal: align by the plain middle.
        at = np.flatnonzero((heard == track[FADE]).all(axis=1))[0] - FADE
        np.testing.assert_array_equal(heard[at + FADE : at + 2 * RATE - FADE], track[FADE:-FADE])
        assert not heard[at + 2 * RATE :].any()
        await listening.until(lambda: PlaybackEnded("t", "finished") in listening.events)

    listen(card, output, scene)


@both
def test_commands_do_not_click_at_the_device(card, tmp_path, output):
    path = save(tmp_path / "a.wav", sine(4.0), subtype="FLOAT")

    async def scene(listening, player):
        heard = []
        await player.play("one", path)
        heard.append(await listening.read(RATE // 2))
        for command in (player.pause, player.resume, player.toggle, player.toggle):
            await command()
            heard.append(await listening.read(RATE // 4 + 77))
        for level in (0.2, 0.9, 1.0):
            await player.set_volume(level)
            heard.append(await listening.read(RATE // 4))
        await player.play("two", path)
        heard.append(await listening.read(RATE // 2))
        await player.stop()
        heard.append(await listening.read(RATE // 2))
        assert not heard[-1][RATE // 4 :].any()
        assert largest_step(np.concatenate(heard)) < click_threshold()
        assert np.abs(np.concatenate(heard)).max() > 0.45

    listen(card, output, scene)


@both
def test_a_pause_loses_nothing_at_the_device(card, tmp_path, output):
    track = noise(2.0)
    path = save(tmp_path / "a.wav", track, subtype="FLOAT")

    async def scene(listening, player):
        await player.play("t", path)
        before = await listening.read(RATE // 2)
        await player.pause()
        middle = await listening.read(RATE // 2)
        assert not middle[RATE // 4 :].any()
        stood_at = round(player.state().position_sec * RATE)  # after the fade out
        await player.resume()
        after = await listening.read(RATE // 2)
        heard = np.concatenate([before, middle, after])
        start = np.flatnonzero((heard == track[FADE]).all(axis=1))[0] - FADE
        plain = slice(FADE, stood_at - FADE)
        np.testing.assert_array_equal(heard[start:][plain], track[plain])
        # After the fade in the music is exactly one fade further: nothing skipped, nothing repeated.
        again = np.flatnonzero((heard == track[stood_at + FADE]).all(axis=1))[0]
        rest = heard[again:]
        np.testing.assert_array_equal(rest, track[stood_at + FADE :][: len(rest)])
        assert len(rest) > RATE // 8

    listen(card, output, scene)


@pytest.mark.parametrize(("rate", "channels"), [(32_000, 1), (44_100, 2)])
def test_other_rates_and_mono_are_heard_at_their_pitch_and_length(card, tmp_path, rate, channels):
    path = save(tmp_path / "a.flac", sine(1.0, rate, channels), rate)

    async def scene(listening, player):
        await player.play("t", path)
        heard = from_first_sound(await listening.read(2 * RATE))
        assert len(np.trim_zeros(heard[:, 0])) == pytest.approx(RATE, abs=200)
        middle = heard[4800:43_200]
        for channel in range(2):
            spectrum = np.abs(np.fft.rfft(middle[:, channel] * np.hanning(len(middle))))
            assert np.argmax(spectrum) * RATE / len(middle) == pytest.approx(220, abs=1.5)

    listen(card, "sounddevice", scene)


def test_the_position_is_where_the_card_is_up_to_the_devices_latency(card, tmp_path):
    path = save(tmp_path / "a.wav", noise(3.0))

    async def scene(listening, player):
        await player.play("t", path)
        await listening.read(RATE)
        assert 0.8 < player.state().position_sec < 1.3

    listen(card, "sounddevice", scene)


NO_DEVICE = """
import asyncio, sys
from lofi_daemon.player.events import PlayerNotice
from lofi_daemon.player.player import Player

async def main():
    events = []
    player = Player(events.append, "auto")
    state = await player.play("t", sys.argv[1])
    notices = [event for event in events if isinstance(event, PlayerNotice)]
    print(state.state, "|", state.message, "|", len(notices))
    await player.close()

asyncio.run(main())
"""


def test_a_machine_without_sound_says_so_and_lives(tmp_path):
    path = save(tmp_path / "a.wav", noise(0.2))
    config = tmp_path / "asound.conf"
    config.write_text("")
    done = subprocess.run(
        [sys.executable, "-c", NO_DEVICE, str(path)],
        env=os.environ | environment(config),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    state, message, notices = done.stdout.strip().split(" | ")
    assert (state, notices) == ("no_device", "1")
    assert message.startswith("No audio device: ") and "PortAudio" in message and "miniaudio" in message


PLUGGED_IN_LATER = """
import asyncio, json, os, sys
import sounddevice  # lists what there is now: no card
from lofi_daemon.player.player import Player

async def main():
    player = Player(lambda event: None, "sounddevice")
    os.environ.update(json.loads(sys.argv[2]))
    print((await player.play("t", sys.argv[1])).state, flush=True)

asyncio.run(main())
os._exit(0)
"""


def test_a_card_that_appears_after_portaudio_was_loaded_is_found(card, tmp_path, monkeypatch):
    path = save(tmp_path / "a.wav", noise(0.2))
    monkeypatch.delenv("ALSA_CONFIG_PATH")
    command = [sys.executable, "-c", PLUGGED_IN_LATER, str(path), json.dumps(card.env)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "playing", done.stderr


IMPORTS = """
import sys
import lofi_daemon.player.player
print([name for name in ("numpy", "scipy", "soundfile", "soxr", "sounddevice", "miniaudio") if name in sys.modules])
"""


def test_the_audio_libraries_are_not_loaded_before_the_first_play():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
