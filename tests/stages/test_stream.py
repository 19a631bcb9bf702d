"""What a backend lets be heard while it works."""

import numpy as np
import pytest
import soundfile

from lofi_daemon.backends.base import Equipment, Rendering
from lofi_daemon.engine.link import AudioGrown, Done, Run
from lofi_daemon.errors import LofiError
from lofi_daemon.model import StageParams
from lofi_daemon.stages.executor import Engines, run_job
from lofi_daemon.stages.stream import Stream

RATE = 1000


@pytest.fixture
def told():
    return []


@pytest.fixture
def stream(tmp_path, told):
    stream = Stream("job", tmp_path, "track", told.append)
    yield stream
    stream.close()


def noise(frames):
    return np.random.default_rng(1).uniform(-0.9, 0.9, (frames, 2)).astype(np.float32)


def test_what_is_told_lies_in_the_file_and_the_rest_follows_at_the_end(tmp_path, stream, told):
    audio = noise(1000)
    for start in range(0, 900, 100):
        stream.append(audio[start : start + 100], RATE)
        lies = np.fromfile(tmp_path / "track.f32", "<f4").reshape(-1, 2)
        assert not told or told[-1].frames <= len(lies)
    assert [message.frames for message in told] == [300, 600, 900]
    stream.end(audio)
    assert told[-1] == AudioGrown("job", "track.f32", 1000, RATE, 2)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "track.f32", "<f4").reshape(-1, 2), audio)


def test_a_backend_that_streams_nothing_leaves_nothing(tmp_path, stream, told):
    stream.end(noise(1000))
    assert not told and not list(tmp_path.glob("*.f32"))


def test_what_is_out_of_range_is_clipped_and_what_is_no_number_refused(tmp_path, stream):
    stream.append(np.full((300, 1), 1.5, np.float32), RATE)
    assert np.fromfile(tmp_path / "track.f32", "<f4").max() == 1.0
    with pytest.raises(LofiError) as error:
        stream.append(np.full((300, 1), np.nan, np.float32), RATE)
    assert error.value.name == "MODEL_INFERENCE_FAILED"
    with pytest.raises(ValueError):
        stream.append(noise(300), RATE)


class Streamer:
    """An engine that sends the first of its two seconds ahead, in tenths, and forgets the other."""

    device = "test"

    def __init__(self, renderings):
        self.renderings = renderings

    def render(self, params, context):
        first = self.renderings[0].audio
        for start in range(0, RATE, RATE // 10):
            context.audio(first[start : start + RATE // 10], RATE)
        return self.renderings


def test_an_engine_streams_its_first_item_whole_and_before_its_file_is_done(tmp_path, told):
    tones = [0.5 * np.sin(np.arange(2 * RATE)[:, None] * step).astype(np.float32) for step in (0.1, 0.2)]
    engines = Engines()
    engines._made["synth"] = Streamer([Rendering(tone, RATE, -16.0) for tone in tones])
    params = StageParams(stage_type="generate", backend="synth", prompt="x", duration_sec=2.0, seed=1, batch_size=2)
    run = Run("job", (params,), (("a", "b"),), (Equipment("1"),), str(tmp_path), "wav")
    run_job(run, engines, told.append, lambda *_: None)
    grown = [message for message in told if isinstance(message, AudioGrown)]
    assert [message.frames for message in grown] == [300, 600, 900, 2000]
    assert {message.path for message in grown} == {"a.f32"}
    streamed = np.fromfile(tmp_path / "a.f32", "<f4").reshape(-1, 1)
    kept, _ = soundfile.read(tmp_path / "a.wav", always_2d=True)
    np.testing.assert_allclose(streamed, kept, atol=2**-15)
    assert told.index(grown[-1]) < len(told) - 1 and isinstance(told[-1], Done)
