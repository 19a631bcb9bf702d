"""The mixer alone, in virtual time: every claim is about the samples it renders."""

import numpy as np
import pytest
from support.sound import click_threshold, largest_step, noise, sine

from lofi_daemon.player.mixer import Mixer
from lofi_daemon.player.voice import Voice

RATE = 48_000
FADE = 960
BLOCK = 480


class Frames:
    """A source that holds its frames; ``hold`` keeps back all but the first n, as a slow disk would."""

    def __init__(self, frames, hold=None):
        self.frames, self.at, self.ready, self.closed = frames, 0, hold, False

    @property
    def finished(self):
        return self.ready is None

    @property
    def available(self):
        return (len(self.frames) if self.ready is None else self.ready) - self.at

    @property
    def frames_left(self):
        return len(self.frames) - self.at

    @property
    def recovered(self):
        return self.available >= RATE // 4

    error = None

    def read(self, count):
        count = min(count, self.available)
        self.at += count
        return self.frames[self.at - count : self.at].copy()

    def close(self):
        self.closed = True


def voice_of(frames, hold=None):
    return Voice(Frames(frames, hold), FADE)


def render(mixer, frames, block=BLOCK):
    return np.concatenate([mixer.render(min(block, frames - at)) for at in range(0, frames, block)])


def make_mixer(level=1.0, latency_frames=0):
    silent = []
    return Mixer(RATE, level, silent.append, latency_frames=latency_frames), silent


def test_between_its_fades_a_track_comes_through_bit_for_bit():
    track = noise(1.0)
    mixer, _ = make_mixer()
    mixer.start(voice_of(track))
    heard = render(mixer, RATE)
    np.testing.assert_array_equal(heard[FADE:-FADE], track[FADE:-FADE])


def test_without_a_voice_there_is_silence():
    mixer, _ = make_mixer()
    assert not render(mixer, 1000).any()


def test_the_start_and_an_end_that_is_not_silent_do_not_click():
    mixer, _ = make_mixer()
    mixer.start(voice_of(sine(0.5, RATE)[: RATE // 2 - 55]))
    assert largest_step(render(mixer, RATE)) < click_threshold()


def play_pause_resume(mixer, at_pause, pause):
    mixer.start(voice_of(sine(2.0)))
    parts = [render(mixer, at_pause)]
    mixer.pause()
    parts.append(render(mixer, pause))
    mixer.resume()
    parts.append(render(mixer, RATE))
    return np.concatenate(parts)


@pytest.mark.parametrize("at_pause", [480, 9600, 9600 + 55])
@pytest.mark.parametrize("pause", [480, 4800])
def test_pause_and_resume_do_not_click_even_inside_a_fade(at_pause, pause):
    mixer, _ = make_mixer()
    assert largest_step(play_pause_resume(mixer, at_pause, pause)) < click_threshold()


def test_a_pause_is_silence_and_loses_nothing():
    track = noise(1.0)
    mixer, _ = make_mixer()
    mixer.start(voice_of(track))
    before = render(mixer, 9600)
    mixer.pause()
    fading = render(mixer, FADE)
    assert not render(mixer, 4800).any()
    mixer.resume()
    after = render(mixer, 9600)
    np.testing.assert_array_equal(before[FADE:], track[FADE:9600])
    assert fading.any()
    at = 9600 + 2 * FADE  # one fade out and one in: heard softer, but heard
    np.testing.assert_array_equal(after[FADE:], track[at : at + 9600 - FADE])


def test_stop_fades_out_and_then_says_the_voice_is_silent():
    mixer, silent = make_mixer()
    voice = voice_of(sine(2.0))
    mixer.start(voice)
    heard = [render(mixer, 9600)]
    mixer.leave()
    heard.append(render(mixer, FADE - BLOCK))
    assert silent == []
    heard.append(render(mixer, BLOCK))
    assert not render(mixer, 4800).any()
    assert largest_step(np.concatenate(heard)) < click_threshold()
    assert silent == [voice]


def test_a_new_track_begins_when_the_old_one_has_faded_out():
    old, new = sine(2.0), noise(1.0)
    mixer, silent = make_mixer()
    first = voice_of(old)
    mixer.start(first)
    before = render(mixer, 9600)
    mixer.start(voice_of(new))
    change = render(mixer, FADE)
    after = render(mixer, 9600)
    assert silent == [first]
    assert largest_step(np.concatenate([before, change])) < click_threshold()
    np.testing.assert_array_equal(after[FADE:], new[FADE:9600])


def test_of_tracks_started_at_once_only_the_last_is_heard():
    track = noise(1.0)
    mixer, silent = make_mixer()
    passed_over = [voice_of(sine(1.0)) for _ in range(5)]
    for voice in passed_over:
        mixer.start(voice)
    mixer.start(voice_of(track))
    heard = render(mixer, 9600)
    np.testing.assert_array_equal(heard[FADE:], track[FADE:9600])
    assert silent == passed_over


def test_a_volume_change_does_not_click_and_ends_at_its_cube():
    mixer, _ = make_mixer()
    mixer.start(voice_of(sine(2.0)))
    parts = [render(mixer, 9600)]
    for level in (0.0, 1.0, 0.2, 0.5):
        mixer.set_level(level)
        parts.append(render(mixer, 2400))
    assert largest_step(np.concatenate(parts)) < click_threshold() * 1.2  # the ramp's own slope on top
    after = render(mixer, 4800)
    at = 9600 + 4 * 2400
    np.testing.assert_allclose(after, sine(2.0)[at : at + 4800] * 0.125, atol=1e-7)


def commanded(block):
    """The same commands at the same frames (multiples of 960), in blocks of ``block``."""
    mixer, _ = make_mixer(level=0.8)
    parts = []

    def run(frames):
        parts.append(render(mixer, frames, block))

    mixer.start(voice_of(noise(1.0)))
    run(1920)
    mixer.set_level(0.3)
    mixer.pause()
    run(480)
    mixer.resume()
    run(1920)
    mixer.start(voice_of(noise(0.1, seed=8)))
    run(9600)
    return np.concatenate(parts)


@pytest.mark.parametrize("block", [1, 7, 441, 1024])
def test_the_samples_do_not_depend_on_the_size_of_the_devices_blocks(block):
    np.testing.assert_array_equal(commanded(block), commanded(480))


def test_an_ended_track_is_told_only_after_its_last_frame_left_the_device():
    mixer, silent = make_mixer(latency_frames=4800)
    voice = voice_of(noise(0.1))
    mixer.start(voice)
    render(mixer, 4800 + 4800 - BLOCK)
    assert silent == []
    render(mixer, 2 * BLOCK)
    assert silent == [voice]


def test_a_starved_voice_fades_out_waits_and_goes_on_where_it_was():
    track = sine(1.0)
    mixer, silent = make_mixer()
    voice = voice_of(track, hold=9600)
    mixer.start(voice)
    parts = [render(mixer, 14_400)]
    stood_at = voice.position
    assert stood_at <= 9600 and not parts[0][9600:].any()
    voice.source.ready = stood_at + 100  # a trickle is not enough to go on
    parts.append(render(mixer, 4800))
    assert voice.position == stood_at
    voice.source.ready = None
    after = render(mixer, 4800)
    np.testing.assert_array_equal(after[FADE:], track[stood_at + FADE : stood_at + 4800])
    assert largest_step(np.concatenate([*parts, after])) < click_threshold()
    assert voice.starvations == 1 and silent == []


def test_a_track_shorter_than_its_fades_still_ends():
    mixer, silent = make_mixer()
    mixer.start(voice_of(noise(0.005)))
    render(mixer, 9600)
    assert len(silent) == 1
