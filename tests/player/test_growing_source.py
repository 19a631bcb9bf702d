"""A track that grows while it is played: what is heard, sample by sample."""

import time

import numpy as np
import pytest
from support.sound import click_threshold, largest_step, sine, swell

from lofi_daemon.player.growing_source import open_growing
from lofi_daemon.player.growth import Growth
from lofi_daemon.player.mixer import Mixer
from lofi_daemon.player.voice import Voice

RATE = 48_000
FADE = 960
BLOCK = 480


class Maker:
    """Writes ``frames`` as far as it is told; its clock is the audio's own, at twice real time."""

    def __init__(self, path, frames, rate=RATE):
        self.path, self.frames, self.rate, self.made = path, frames, rate, 0
        self.path.touch()
        self.growth = Growth(str(path), rate, frames.shape[1], len(frames) / rate)

    def make(self, until_sec):
        until = round(until_sec * self.rate)
        while self.made < until:
            piece = self.frames[self.made : min(until, self.made + self.rate // 4)]
            with self.path.open("ab") as file:
                file.write(piece.astype("<f4").tobytes())
            self.made += len(piece)
            self.growth.grown(self.made, self.made / self.rate / 2)


@pytest.fixture
def sources():
    opened = []
    yield lambda *args, **more: opened.append(open_growing(*args, **more)) or opened[-1]
    for source in opened:
        source.close()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_starvation_fades_and_waits_and_goes_on_at_the_sample(tmp_path, sources):
    track = swell(8.0)
    maker = Maker(tmp_path / "a.f32", track)
    maker.make(2.0)
    assert maker.growth.is_safe_from(0.0)
    source = sources(maker.growth, RATE)
    wait_for(lambda: source.available == 2 * RATE)
    mixer = Mixer(RATE, 1.0, lambda voice: None)
    voice = Voice(source, FADE)
    mixer.start(voice)
    first = mixer.render(BLOCK)
    rest = [mixer.render(BLOCK) for _ in range(300)]
    stopped = voice.position
    assert voice.starvations == 1 and 2 * RATE - 2 * BLOCK - FADE <= stopped <= 2 * RATE
    maker.make(3.5)  # enough for half the ring, but not to be safe
    wait_for(lambda: source.available >= RATE)
    rest += [mixer.render(BLOCK) for _ in range(10)]
    assert voice.position == stopped
    maker.make(8.0)
    maker.growth.finish()
    maker.path.unlink()
    wait_for(lambda: source.recovered)
    again = []
    while not voice.done:
        wait_for(lambda: source.finished or source.available > 2 * FADE)
        again.append(mixer.render(BLOCK))
    silence, again = np.concatenate([first, *rest]), np.concatenate(again)
    np.testing.assert_array_equal(silence[FADE : stopped - FADE], track[FADE : stopped - FADE])
    assert not silence[stopped:].any()
    left = len(track) - stopped
    np.testing.assert_array_equal(again[FADE : left - FADE], track[stopped + FADE : -FADE])
    assert largest_step(np.concatenate([silence, again])) < click_threshold()
    assert voice.starvations == 1 and source.error is None


@pytest.mark.parametrize(("rate", "channels"), [(32_000, 1), (44_100, 2)])
def test_it_is_resampled_as_a_whole_file_is(tmp_path, sources, rate, channels):
    maker = Maker(tmp_path / "a.f32", sine(2.5, rate, channels), rate)
    maker.make(1.0)
    source = sources(maker.growth, RATE)
    for second in (1.5, 2.0, 2.5):
        maker.make(second)
        time.sleep(0.06)
    maker.growth.finish()
    wait_for(lambda: source.finished)
    heard = source.read(3 * RATE)
    assert len(heard) == pytest.approx(2.5 * RATE, abs=2)
    assert np.abs(np.diff(heard[FADE:-FADE], axis=0)).max() < click_threshold()


def test_it_begins_anywhere_within_what_is_there_and_at_its_end_waits_for_more(tmp_path, sources):
    track = swell(4.0)
    maker = Maker(tmp_path / "a.f32", track)
    maker.make(2.0)
    source = sources(maker.growth, RATE, start_sec=1.5)
    np.testing.assert_array_equal(source.read(RATE), track[round(1.5 * RATE) : 2 * RATE])
    late = sources(maker.growth, RATE, start_sec=3.0)
    assert (late.start_sec, late.available, late.finished) == (2.0, 0, False)
    maker.make(4.0)
    wait_for(lambda: late.available == 2 * RATE)


def test_a_file_that_is_cut_short_is_an_error_not_a_wait(tmp_path, sources):
    maker = Maker(tmp_path / "a.f32", swell(2.0))
    maker.make(1.0)
    maker.growth.grown(2 * RATE, 9.0)
    maker.growth.finish()
    source = sources(maker.growth, RATE)
    wait_for(lambda: source.finished)
    assert source.error and source.available == RATE
