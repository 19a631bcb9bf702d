"""Joins, seeks and ramps as the samples that reached a real PortAudio or miniaudio device."""

import numpy as np
import pytest
from player.test_playback import both, card, listen  # noqa: F401 - card is a fixture
from support.sound import click_threshold, largest_step, noise, save, sine

from lofi_daemon.player.events import PlaybackEnded, PlaybackStarted
from lofi_daemon.player.playlist import Item

RATE = 48_000
FADE = 960
SECONDS = 2.0


def track(folder, name, frames, **more):
    path = save(folder / f"{name}.wav", frames, subtype="FLOAT")
    return Item(name, str(path), "", len(frames) / RATE, **more)


def aligned(heard, frames):
    """``heard`` from the sample on at which the track ``frames`` began."""
    return heard[np.flatnonzero((heard == frames[FADE]).all(axis=1))[0] - FADE :]


async def told(listening, event):
    await listening.until(lambda: event in listening.events)


@both
def test_a_gapless_join_reaches_the_device_bit_for_bit(card, tmp_path, output):  # noqa: F811
    a, b = noise(SECONDS), noise(SECONDS, seed=8)[:-777]

    async def scene(listening, player):
        await player.add([track(tmp_path, "a", a), track(tmp_path, "b", b)])
        await player.start()
        heard = aligned(await listening.read(5 * RATE), a)
        joined = np.concatenate([a, b])
        np.testing.assert_array_equal(heard[FADE : len(joined) - FADE], joined[FADE:-FADE])
        assert not heard[len(joined) :].any()
        await told(listening, PlaybackEnded("b", "finished"))

    listen(card, output, scene)


@both
def test_a_crossfade_reaches_the_device_as_equal_power(card, tmp_path, output):  # noqa: F811
    a, b = noise(SECONDS), noise(SECONDS, seed=8)

    async def scene(listening, player):
        await player.add([track(tmp_path, "a", a), track(tmp_path, "b", b)])
        await player.start()
        heard = aligned(await listening.read(4 * RATE), a)
        n = RATE // 2  # a quarter of 2 s, because twice the crossfade is longer
        at = len(a) - n
        angles = np.pi / 2 * np.arange(1, n + 1)[:, None] / n
        np.testing.assert_array_equal(heard[FADE:at], a[FADE:at])
        both = a[at:] * np.cos(angles) + b[:n] * np.sin(angles)
        np.testing.assert_allclose(heard[at : at + n], both, atol=1e-6)
        np.testing.assert_array_equal(heard[at + n : at + len(b) - FADE], b[n:-FADE])
        power = (heard[FADE : FADE + 3 * RATE] ** 2).reshape(-1, RATE // 10, 2).mean(axis=(1, 2))
        assert 10 * np.log10(power.max() / power.min()) < 0.5

    listen(card, output, scene, crossfade_sec=6.0)


@pytest.mark.parametrize(("rate", "channels"), [(32_000, 1), (44_100, 2)])
def test_tracks_of_other_rates_and_channels_cross_without_a_click(card, tmp_path, rate, channels):  # noqa: F811
    other = save(tmp_path / "other.flac", sine(SECONDS, rate, channels), rate)

    async def scene(listening, player):
        await player.add(
            [
                track(tmp_path, "a", sine(SECONDS)),
                Item("b", str(other), "", SECONDS),
                track(tmp_path, "c", sine(SECONDS)),
            ]
        )
        await player.start()
        heard = [await listening.read(RATE // 2) for _ in range(12)]
        await told(listening, PlaybackEnded("c", "finished"))
        heard = np.concatenate(heard)
        assert largest_step(heard) < 1.5 * click_threshold()  # two sines in step are up to √2 as steep as one
        first, last = np.flatnonzero(np.abs(heard).max(axis=1) > 0.01)[[0, -1]]
        assert last - first == pytest.approx((3 * SECONDS - 2 * SECONDS / 4) * RATE, abs=200)

    listen(card, "sounddevice", scene, crossfade_sec=6.0)


def test_a_skip_and_a_seek_reach_the_device_without_a_click_and_at_the_sample(card, tmp_path):  # noqa: F811
    a, b = sine(4.0), noise(3.0)

    async def scene(listening, player):
        await player.add([track(tmp_path, "a", a), track(tmp_path, "b", b)])
        await player.start()
        heard = [await listening.read(RATE // 2)]
        await player.seek(2.0)
        heard.append(await listening.read(RATE // 2))
        await player.pause()
        heard.append(await listening.read(RATE // 4))
        await player.seek(1.0)
        heard.append(await listening.read(RATE // 4))
        assert not heard[-1].any()
        await player.resume()
        heard.append(await listening.read(RATE // 2))
        assert largest_step(np.concatenate(heard)) < click_threshold()
        await player.skip()
        await listening.read(RATE)
        await player.seek(0.5)
        heard = await listening.read(RATE)
        at = RATE // 2 + FADE
        begin = np.flatnonzero((heard == b[at]).all(axis=1))[0]
        np.testing.assert_array_equal(heard[begin:], b[at : at + len(heard) - begin])
        assert PlaybackStarted("b", 0.0, 3.0) in listening.events

    listen(card, "sounddevice", scene, crossfade_sec=0.5)


def test_the_volumes_ramp_reaches_the_device_straight(card, tmp_path):  # noqa: F811
    flat = np.full((3 * RATE, 2), 0.5, np.float32)

    async def scene(listening, player):
        await player.play_item(track(tmp_path, "a", flat))
        await listening.read(RATE)
        await player.set_volume(0.5)
        heard = (await listening.read(RATE))[:, 0]
        begin = np.flatnonzero(heard < 0.5)[0]
        ramp = 0.5 * (1 - 0.875 * np.arange(1, 1441) / 1440)
        np.testing.assert_allclose(heard[begin : begin + 1440], ramp, atol=1e-6)
        np.testing.assert_allclose(heard[begin + 1440 :], 0.0625, atol=1e-7)

    listen(card, "sounddevice", scene)


def test_loudness_is_evened_at_the_device(card, tmp_path):  # noqa: F811
    a = noise(1.0)

    async def scene(listening, player):
        await player.play_item(track(tmp_path, "a", a, lufs=-10.0))
        heard = await listening.read(2 * RATE)
        assert np.abs(heard).max() == pytest.approx(np.abs(a).max() * 10 ** (-6 / 20), rel=1e-4)

    listen(card, "sounddevice", scene)
