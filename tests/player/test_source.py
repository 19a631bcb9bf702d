"""Real files through a real decoder thread."""

import threading
import time

import numpy as np
import pytest
import soundfile
import soxr
from support.sound import noise, save, sine

from lofi_daemon.errors import LofiError
from lofi_daemon.player.source import RING_SEC, open_source

RATE = 48_000


def wait_for(condition, timeout_sec=60.0):
    deadline = time.monotonic() + timeout_sec
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.001)


def read_all(source, piece=1000):
    parts = []
    while not (source.finished and source.available == 0):
        wait_for(lambda: source.available or source.finished)
        parts.append(source.read(piece))
    return np.concatenate(parts)


@pytest.fixture
def opened():
    sources = []

    def open_(*args, **kwargs):
        sources.append(open_source(*args, **kwargs))
        return sources[-1]

    yield open_
    for source in sources:
        source.close()


def test_stereo_at_the_devices_rate_comes_bit_for_bit(tmp_path, opened):
    path = save(tmp_path / "a.flac", noise(7.3))
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read_all(opened(path, RATE)), expected)


@pytest.mark.parametrize(
    ("name", "rate", "channels"), [("a.wav", 32_000, 1), ("a.flac", 44_100, 2), ("a.flac", 44_100, 1)]
)
def test_other_rates_and_mono_equal_one_shot_resampling(tmp_path, opened, name, rate, channels):
    path = save(tmp_path / name, noise(6.4, rate, channels), rate)
    frames, _ = soundfile.read(path, dtype="float32", always_2d=True)
    expected = soxr.resample(frames, rate, RATE, quality="HQ")
    got = read_all(opened(path, RATE))
    assert got.shape == (len(expected), 2)
    np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), atol=1e-6)


def test_it_starts_at_the_sample_it_was_asked_for(tmp_path, opened):
    track = noise(3.0)
    path = save(tmp_path / "a.wav", track, subtype="FLOAT")
    got = read_all(opened(path, RATE, start_sec=12_345 / RATE))
    np.testing.assert_array_equal(got, track[12_345:])


def test_ten_minutes_are_never_in_memory_at_once(tmp_path, opened):
    path = tmp_path / "long.wav"
    minute = sine(60.0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(10):
            file.write(minute)
    source = opened(path, RATE)
    assert source.duration_sec == pytest.approx(600)
    assert source.capacity == RING_SEC * RATE
    total, most = 0, 0
    while not (source.finished and source.available == 0):
        most = max(most, source.available)
        got = len(source.read(4800))
        total += got
        if not got:
            time.sleep(0)
    assert total == 600 * RATE
    assert most <= source.capacity


def test_a_full_ring_is_filled_up_again_as_soon_as_there_is_room(tmp_path, opened):
    source = opened(save(tmp_path / "a.wav", noise(20.0)), RATE)
    for _ in range(3):
        wait_for(lambda: source.available == source.capacity)
        source.read(2 * RATE)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_what_is_left_is_what_the_header_promises_and_exact_near_the_end(tmp_path, opened, rate):
    source = opened(save(tmp_path / "a.wav", noise(8.0, rate), rate), RATE, start_sec=1.0)
    wait_for(lambda: source.available == source.capacity)
    assert source.frames_left == 7 * RATE
    source.read(RATE)
    assert source.frames_left == 6 * RATE
    while not source.finished:
        source.read(480)
        time.sleep(0)
    assert source.frames_left == source.available <= source.capacity


def test_a_header_that_promises_too_little_does_not_end_the_music_before_the_decoder_does(tmp_path, opened):
    source = opened(save(tmp_path / "a.wav", noise(8.0)), RATE)
    wait_for(lambda: source.available == source.capacity)
    source._promised = 100
    assert source.frames_left > source.available


def test_closing_ends_the_decoder_thread_even_when_nobody_reads(tmp_path, opened):
    source = opened(save(tmp_path / "a.wav", noise(20.0)), RATE)
    wait_for(lambda: source.available == source.capacity)
    source.close()
    wait_for(lambda: all(thread.name != "lofi-decoder" for thread in threading.enumerate()))


def test_a_file_that_is_gone_is_an_invalid_track(tmp_path):
    with pytest.raises(LofiError) as error:
        open_source(tmp_path / "gone.flac", RATE)
    assert (error.value.name, error.value.field) == ("INVALID_TRACK_ID", "track_id")
    assert "reindex" in error.value.message


def damaged_text(path):
    path.write_text("this is not music")


def damaged_empty(path):
    path.write_bytes(b"")


def damaged_no_audio(path):
    save(path, np.zeros((0, 2), np.float32))


def damaged_header_only(path):
    save(path, noise(2.0))
    path.write_bytes(path.read_bytes()[:4000])


def damaged_surround(path):
    save(path, noise(0.2, channels=6))


@pytest.mark.parametrize(
    "damage", [damaged_text, damaged_empty, damaged_no_audio, damaged_header_only, damaged_surround]
)
def test_a_file_that_cannot_be_decoded_is_unsupported_and_named(tmp_path, damage):
    path = tmp_path / "bad.flac"
    damage(path)
    with pytest.raises(LofiError) as error:
        open_source(path, RATE)
    assert error.value.name == "UNSUPPORTED"
    assert str(path) in error.value.message


@pytest.mark.parametrize("name", ["cut.flac", "cut.mp3"])  # one raises at the cut, the other just ends
def test_a_file_that_was_cut_off_is_played_to_the_cut_and_says_so(tmp_path, opened, name):
    path = save(tmp_path / name, noise(8.0))
    whole, _ = soundfile.read(path, dtype="float32")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = opened(path, RATE)
    got = read_all(source)
    assert 3 * RATE <= len(got) <= 4 * RATE  # all but the second in which it broke
    np.testing.assert_array_equal(got[: 3 * RATE], whole[: 3 * RATE])
    assert source.error
