"""Crossfades and gapless joins in the mixer, in virtual time: which sample of which track is heard when."""

import itertools

import numpy as np
import pytest
from player.test_mixer import BLOCK, FADE, RATE, Frames, render
from support.sound import click_threshold, largest_step, noise, sine

from lofi_daemon.player.joins import crossfade_sec, trim_of
from lofi_daemon.player.mixer import MAX_LEAVING, Mixer
from lofi_daemon.player.voice import Voice

OVERLAP = 12_000


class Table:
    """A mixer, and what it said."""

    def __init__(self, level=1.0, latency_frames=0):
        self.silent, self.begun = [], []
        self.mixer = Mixer(RATE, level, self.silent.append, self.begun.append, latency_frames=latency_frames)

    def play(self, *tracks, overlap=0):
        voices = [Voice(Frames(track), FADE) for track in tracks]
        self.mixer.start(voices[0])
        if len(voices) > 1:
            self.mixer.follow(voices[1], overlap)
        return voices

    def render(self, frames, block=BLOCK):
        return render(self.mixer, frames, block)


def rising(length):
    return np.sin(np.pi / 2 * np.arange(1, length + 1) / length)[:, None]


def falling(length):
    return np.cos(np.pi / 2 * np.arange(1, length + 1) / length)[:, None]


@pytest.mark.parametrize(
    ("wanted", "leaving", "coming", "got"),
    [
        (6, 180, 180, 6),
        (6, 12, 180, 6),  # twice the crossfade is not shorter than twice the crossfade
        (6, 11.9, 180, 2.975),
        (6, 180, 8, 2),
        (6, 8, 4, 1),
        (6, 2, 180, 0.5),
        (6, 1.99, 180, 0),
        (6, 180, 1.99, 0),
        (0.2, 1.99, 180, 0),
        (0, 180, 180, 0),
        (0, 8, 8, 0),
        (30, 59, 600, 14.75),
    ],
)
def test_how_long_two_tracks_overlap(wanted, leaving, coming, got):
    assert crossfade_sec(wanted, leaving, coming) == pytest.approx(got)


@pytest.mark.parametrize(
    ("lufs", "decibel"), [(-16.0, 0.0), (-9.0, -7.0), (-40.0, 6.0), (-20.0, 4.0), (None, 0.0), (3.0, -19.0)]
)
def test_a_track_is_brought_to_16_lufs_down_freely_and_up_by_6_decibels(lufs, decibel):
    assert 20 * np.log10(trim_of(lufs)) == pytest.approx(decibel, abs=1e-9)


@pytest.mark.parametrize("block", [480, 441, 1024])
def test_with_no_crossfade_the_next_track_begins_at_the_sample_after_the_last(block):
    one, two = noise(0.5)[:-123], noise(0.5, seed=8)
    table = Table()
    voices = table.play(one, two)
    heard = table.render(RATE, block)
    joined = np.concatenate([one, two])
    np.testing.assert_array_equal(heard[FADE : len(joined) - FADE], joined[FADE:-FADE])
    assert table.begun == voices[1:]


def test_tracks_shorter_than_a_block_and_than_a_fade_are_joined_without_a_gap_too():
    cuts = [0, 5000, 5100, 5101, 5400, 30_000]
    track = noise(1.0)[:30_000]
    parts = [track[start:end] for start, end in itertools.pairwise(cuts)]
    table = Table()
    voices = [Voice(Frames(part), FADE) for part in parts]
    table.mixer.start(voices[0])
    table.mixer._on_begun = lambda voice: table.mixer._follow(voices[(voices.index(voice) + 1) % len(voices)], 0)
    table.mixer.follow(voices[1])
    heard = table.render(29_000)
    np.testing.assert_array_equal(heard[FADE:29_000], track[FADE:29_000])


def test_a_crossfade_is_cosine_down_and_sine_up_at_its_very_samples():
    one, two = noise(0.5), noise(1.0, seed=8)
    table = Table()
    voices = table.play(one, two, overlap=OVERLAP)
    heard = table.render(RATE)
    at = len(one) - OVERLAP
    np.testing.assert_array_equal(heard[FADE:at], one[FADE:at])
    both = one[at:] * falling(OVERLAP) + two[:OVERLAP] * rising(OVERLAP)
    np.testing.assert_allclose(heard[at : at + OVERLAP], both, atol=1e-6)
    np.testing.assert_array_equal(heard[at + OVERLAP :], two[OVERLAP : RATE - at])
    assert table.silent == voices[:1] and table.begun == voices[1:]


def test_two_unlike_tracks_keep_their_power_through_a_crossfade():
    one, two = noise(1.5), noise(1.5, seed=8)
    table = Table()
    table.play(one, two, overlap=RATE)
    heard = table.render(2 * RATE)[FADE : 2 * RATE - FADE]
    power = (heard[: len(heard) // 2400 * 2400] ** 2).reshape(-1, 4800).mean(axis=1)
    assert 10 * np.log10(power.max() / power.min()) < 0.5


@pytest.mark.parametrize("block", [1, 7, 441, 1024])
def test_a_join_does_not_depend_on_the_size_of_the_devices_blocks(block):
    def heard(block):
        table = Table(level=0.8)
        table.play(noise(0.2), noise(0.2, seed=8), overlap=3001)
        return table.render(15_000, block)

    np.testing.assert_array_equal(heard(block), heard(480))


def test_a_skip_crosses_from_where_it_is():
    one, two = noise(1.0), noise(1.0, seed=8)
    table = Table()
    table.play(one)
    before = table.render(9600)
    table.mixer.start(Voice(Frames(two), FADE), OVERLAP)
    after = table.render(24_000)
    np.testing.assert_array_equal(before[FADE:], one[FADE:9600])
    both = one[9600 : 9600 + OVERLAP] * falling(OVERLAP) + two[:OVERLAP] * rising(OVERLAP)
    np.testing.assert_allclose(after[:OVERLAP], both, atol=1e-6)
    np.testing.assert_array_equal(after[OVERLAP:], two[OVERLAP:24_000])


def test_a_skip_near_the_end_crosses_as_long_as_there_is_music():
    one, two = noise(0.3), noise(1.0, seed=8)
    table = Table()
    table.play(one)
    table.render(9600)
    table.mixer.start(Voice(Frames(two), FADE), OVERLAP)
    left = len(one) - 9600
    after = table.render(9600)
    np.testing.assert_allclose(after[:left], one[9600:] * falling(left) + two[:left] * rising(left), atol=1e-6)
    np.testing.assert_array_equal(after[left:], two[left:9600])


def test_a_skip_in_the_midst_of_a_crossfade_keeps_the_power_and_does_not_click():
    table = Table()
    table.play(sine(2.0))
    parts = [table.render(9600)]
    for _ in range(6):
        table.mixer.start(Voice(Frames(sine(2.0)), FADE), OVERLAP)
        parts.append(table.render(4800))
    parts.append(table.render(24_000))
    assert largest_step(np.concatenate(parts)) < 2.5 * click_threshold()  # sines in step add up to more than one
    tracks = [noise(2.0, seed=seed) for seed in range(3)]
    table = Table()
    table.play(tracks[0])
    table.render(9600)
    table.mixer.start(Voice(Frames(tracks[1]), FADE), 24_000)
    table.render(12_000)
    table.mixer.start(Voice(Frames(tracks[2]), FADE), 24_000)
    power = (table.render(28_800) ** 2).reshape(-1, 4800).mean(axis=1)
    assert 10 * np.log10(power / (tracks[0] ** 2).mean()) == pytest.approx(0, abs=0.4)


def test_a_listener_who_skips_on_and_on_does_not_pile_up_voices():
    table = Table()
    table.play(noise(20.0))
    for _ in range(20):
        table.mixer.start(Voice(Frames(noise(20.0)), FADE), 10 * RATE)
        table.render(2 * FADE)
    assert len(table.silent) >= 20 - MAX_LEAVING - 1


def test_a_track_that_was_skipped_to_just_as_it_began_by_itself_is_not_begun_twice():
    one, two = noise(0.2), noise(0.5, seed=8)
    table = Table()
    voices = table.play(one, two)
    table.render(9600 + 480)
    table.mixer.start(voices[1], OVERLAP)
    heard = table.render(4800)
    np.testing.assert_array_equal(heard, two[480 : 480 + 4800])


def test_what_follows_can_be_replaced_until_it_begins():
    one, two, other = noise(0.5), noise(0.5, seed=8), noise(0.5, seed=9)
    table = Table()
    voices = table.play(one, two, overlap=OVERLAP)
    table.render(4800)
    third = Voice(Frames(other), FADE)
    table.mixer.follow(third)
    table.render(480)
    assert table.silent == [voices[1]]
    heard = table.render(40_000)
    joined = np.concatenate([one, other])
    np.testing.assert_array_equal(heard[:-FADE], joined[5280 : 5280 + 40_000 - FADE])
    assert table.begun == [third]


def test_with_nothing_to_follow_any_more_the_track_fades_out_at_its_end():
    one = sine(0.5)[:-55]
    table = Table()
    voices = table.play(one, sine(0.5))
    parts = [table.render(4800)]
    table.mixer.follow(None)
    parts.append(table.render(RATE))
    assert table.silent == voices[::-1] and table.begun == []
    assert largest_step(np.concatenate(parts)) < click_threshold()


def test_what_is_taken_back_within_the_last_fade_begins_nevertheless():
    one, two = noise(0.2), noise(0.5, seed=8)
    table = Table()
    voices = table.play(one, two)
    parts = [table.render(9600 - FADE // 2)]
    table.mixer.follow(None)
    parts.append(table.render(9600))
    heard = np.concatenate(parts)
    np.testing.assert_array_equal(heard[FADE:], np.concatenate([one, two])[FADE : len(heard)])
    assert table.begun == voices[1:]


def test_a_track_that_is_ready_only_after_the_end_begins_with_a_fade():
    one, two = sine(0.2), sine(0.5)
    table = Table()
    table.play(one)
    parts = [table.render(14_400)]
    late = Voice(Frames(two), FADE)
    table.mixer.follow(late, OVERLAP)
    parts.append(table.render(9600))
    assert table.begun == [late]
    assert largest_step(np.concatenate(parts)) < click_threshold()
    np.testing.assert_array_equal(parts[1][FADE:], two[FADE:9600])


COMMANDS = {
    "leave": lambda mixer: mixer.leave(),
    "pause": lambda mixer: mixer.pause(),
    "start": lambda mixer: mixer.start(Voice(Frames(np.zeros((RATE, 2), np.float32)), FADE)),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("before_end", [1, 100, FADE // 2, FADE - 1, FADE, FADE + 1, 2 * FADE])
def test_commands_around_a_gapless_join_do_not_click(command, before_end):
    whole = sine(1.0)
    at = 14_411
    table = Table()
    table.play(whole[:at], whole[at:])
    parts = [table.render(at - before_end)]
    COMMANDS[command](table.mixer)
    parts.append(table.render(4800))
    assert largest_step(np.concatenate(parts)) < click_threshold()
    assert not parts[1][FADE:].any()


@pytest.mark.parametrize("overlap", [0, OVERLAP])
@pytest.mark.parametrize("before_end", [100, FADE // 2, FADE + 100, OVERLAP // 2])
def test_a_pause_around_a_join_loses_nothing(overlap, before_end):
    one, two = noise(0.5), noise(1.0, seed=8)
    undisturbed = Table()
    undisturbed.play(one, two, overlap=overlap)
    expected = undisturbed.render(RATE)
    table = Table()
    table.play(one, two, overlap=overlap)
    at = len(one) - before_end
    table.render(at)
    table.mixer.pause()
    table.render(4800)
    table.mixer.resume()
    heard = table.render(RATE // 4)
    # One fade out and one in further on, everything is where it would have been.
    np.testing.assert_allclose(heard[FADE:], expected[at + 2 * FADE :][: len(heard) - FADE], atol=1e-6)


def test_a_pause_just_before_a_crossfade_puts_it_off_to_the_resume():
    one, two = noise(0.5), noise(1.0, seed=8)
    table = Table()
    voices = table.play(one, two, overlap=OVERLAP)
    table.render(len(one) - OVERLAP - FADE // 2)
    table.mixer.pause()
    table.render(4800)
    assert table.begun == []
    table.mixer.resume()
    left = OVERLAP - FADE // 2
    table.render(left)
    assert table.begun == voices[1:]
    np.testing.assert_array_equal(table.render(100), two[left : left + 100])


class Promising(Frames):
    """Its header promises a tenth of a second more than there is."""

    @property
    def frames_left(self):
        return super().frames_left + (0 if self.finished else RATE // 10)


@pytest.mark.parametrize("overlap", [0, OVERLAP])
def test_a_track_that_ends_before_its_time_hands_over_where_it_ends(overlap):
    one, two = noise(0.5), noise(0.5, seed=8)
    table = Table()
    source = Promising(one[:14_400], hold=14_400)
    table.mixer.start(Voice(source, FADE))
    table.mixer.follow(Voice(Frames(two), FADE), overlap)
    parts = [table.render(9600)]
    source.ready = None  # the decoder meets the end
    parts.append(table.render(10_400))
    heard = np.concatenate(parts)
    if overlap == 0:
        np.testing.assert_array_equal(heard[FADE:20_000], np.concatenate([one[:14_400], two])[FADE:20_000])
    else:
        begun_at = 14_400 + RATE // 10 - OVERLAP  # believing the header
        assert not np.array_equal(heard[begun_at : begun_at + 10], one[begun_at : begun_at + 10])
        np.testing.assert_allclose(
            heard[14_400 : begun_at + OVERLAP],
            two[14_400 - begun_at : OVERLAP] * rising(OVERLAP)[14_400 - begun_at :],
            atol=1e-6,
        )


def test_loudness_is_evened_from_the_first_sample_and_across_a_join():
    flat = np.full((9600, 2), 0.1, np.float32)
    table = Table()
    table.mixer.start(Voice(Frames(flat), FADE, trim=0.5))
    table.mixer.follow(Voice(Frames(flat), FADE, trim=0.25))
    heard = table.render(14_400)
    np.testing.assert_allclose(heard[FADE:9600], 0.05, atol=1e-7)
    np.testing.assert_allclose(heard[9600:], 0.025, atol=1e-7)


@pytest.mark.parametrize(("level", "got"), [(1.0, 1.0), (0.5, 0.25), (0.9, 1.0), (0.0, 0.0)])
def test_a_boost_is_granted_as_far_as_the_volume_leaves_room(level, got):
    table = Table(level=level)
    table.mixer.start(Voice(Frames(np.ones((9600, 2), np.float32)), FADE, trim=2.0))
    heard = table.render(4800)
    np.testing.assert_allclose(heard[FADE:], got, atol=1e-7)


def test_a_volume_set_at_a_join_goes_on_in_the_next_track():
    flat = np.full((9600, 2), 0.5, np.float32)
    table = Table()
    table.play(flat, flat)
    table.render(9600 - 480)
    table.mixer.set_level(0.0)
    heard = table.render(4800)
    assert np.abs(np.diff(heard[:, 0])).max() < 0.5 / 1440 * 1.01
    assert not heard[1440:].any()


# ── music that goes on from what plays ──


def split(whole, at, shared):
    """``whole`` as a track that ends at frame ``at`` and one that goes on from it, with that much of it first."""
    return whole[:at], whole[at - shared :]


def level_db(heard, window=RATE // 10):
    power = (heard[: len(heard) // window * window] ** 2).reshape(-1, window * 2).mean(axis=1)
    return 10 * np.log10(power)


@pytest.mark.parametrize("block", [480, 441])
def test_music_that_goes_on_is_heard_as_if_it_had_never_been_cut(block):
    whole = noise(2.0)
    one, two = split(whole, 40_011, OVERLAP)
    table = Table()
    voices = [Voice(Frames(one), FADE), Voice(Frames(two), FADE)]
    table.mixer.start(voices[0])
    table.mixer.follow(voices[1], OVERLAP, shared=True)
    heard = table.render(90_000, block)
    np.testing.assert_allclose(heard[FADE:], whole[FADE:90_000], atol=1e-6)
    assert table.silent == voices[:1] and table.begun == voices[1:]


def test_its_loudness_glides_over_from_one_tracks_to_the_others():
    one, two = split(sine(2.0), 48_000, OVERLAP)
    table = Table()
    table.mixer.start(Voice(Frames(one), FADE, trim=0.8))
    table.mixer.follow(Voice(Frames(two), FADE, trim=0.4), OVERLAP, shared=True)
    heard = table.render(84_000)
    assert largest_step(heard) < click_threshold()
    levels = level_db(heard[FADE:])
    assert levels[0] - levels[-1] == pytest.approx(20 * np.log10(2), abs=0.1)
    assert (np.diff(levels) < 0.05).all(), "down and never up again"
    assert np.abs(np.diff(levels)).max() < 3


@pytest.mark.parametrize("left", [OVERLAP - 1, OVERLAP // 3, FADE, 10])
def test_what_is_ready_late_leaves_out_what_was_heard_already(left):
    whole = noise(2.0)
    one, two = split(whole, 40_000, OVERLAP)
    table = Table()
    table.play(one)
    parts = [table.render(40_000 - left)]
    late = Voice(Frames(two), FADE)
    table.mixer.follow(late, OVERLAP, shared=True)
    parts.append(table.render(30_000))
    heard = np.concatenate(parts)
    undisturbed = 40_000 - FADE if left < FADE else 40_000 - left  # its last fade out had begun
    np.testing.assert_allclose(heard[FADE:undisturbed], whole[FADE:undisturbed], atol=1e-6)
    np.testing.assert_allclose(heard[40_000 + FADE :], whole[40_000 + FADE : len(heard)], atol=1e-6)
    assert late.position == OVERLAP - left + 30_000, "counted in the track, not in what was heard of it"


def test_what_is_ready_after_the_end_begins_where_that_was():
    whole = noise(2.0)
    one, two = split(whole, 14_400, OVERLAP)
    table = Table()
    table.play(one)
    table.render(24_000)
    table.mixer.follow(Voice(Frames(two), FADE), OVERLAP, shared=True)
    np.testing.assert_array_equal(table.render(9600)[FADE:], whole[14_400 + FADE : 24_000])


def test_a_pause_around_such_a_join_loses_nothing():
    whole = noise(2.0)
    one, two = split(whole, 40_000, OVERLAP)
    for before_end in (OVERLAP + FADE // 2, OVERLAP // 2):
        table = Table()
        table.mixer.start(Voice(Frames(one), FADE))
        table.mixer.follow(Voice(Frames(two), FADE), OVERLAP, shared=True)
        at = 40_000 - before_end
        table.render(at)
        table.mixer.pause()
        table.render(4800)
        table.mixer.resume()
        heard = table.render(30_000)
        np.testing.assert_allclose(heard[FADE:], whole[at + 2 * FADE :][: len(heard) - FADE], atol=1e-6)
