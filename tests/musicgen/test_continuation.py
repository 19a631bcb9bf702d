"""Going on from a track: transformers' tokens after the same sound, and what the engine makes of a track's end."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from lofi_daemon.backends.base import Origin
from lofi_daemon.errors import LofiError

RATE, HOP, FRAME_RATE = 6400, 640, 10
KNOWN, FRAMES = 25, 55
SOURCE = "a" * 64
GREEDY, SAMPLED = {"do_sample": False}, {"top_k": 20, "temperature": 0.8}


def loud(lab, batch, channels, frames=KNOWN):
    """Noise so loud that a random encoder finds many codes in it: [batch, channels, samples]."""
    return 300 * lab.torch.randn(batch, channels, frames * HOP, generator=lab.torch.Generator().manual_seed(3))


def codec(lab, tiny):
    from lofi_daemon.backends.musicgen.codec import Codec

    return Codec(tiny.checkpoint, lab.torch.device("cpu"))


@pytest.mark.parametrize("how", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize(("channels", "batch"), [(1, 2), (2, 1)])
def test_the_tokens_are_those_of_transformers(request, lab, library, channels, batch, how):
    from lofi_daemon.backends.musicgen.encoder import encode

    tiny = request.getfixturevalue("mono" if channels == 1 else "stereo")
    sound = loud(lab, batch, channels)
    expected = lab.their_codes(tiny, batch, FRAMES, 7, input_values=sound.clone(), **how)
    known = lab.torch.cat([encode(codec(lab, tiny), one.T.numpy()) for one in sound])
    assert lab.torch.equal(known, expected[:, :, :KNOWN])
    assert len(known.unique()) > 20
    made = lab.our_codes(tiny, library, batch, FRAMES, 7, lab.Sampling(**{"guidance_scale": 3.0} | how), known)
    assert lab.torch.equal(made, expected[:, :, KNOWN:])


def test_one_channel_becomes_two_and_two_become_one(lab, mono, stereo):
    from lofi_daemon.backends.musicgen.encoder import encode

    (sound,) = loud(lab, 1, 2).numpy()
    single = sound.mean(0, keepdims=True)
    assert lab.torch.equal(encode(codec(lab, mono), sound.T), encode(codec(lab, mono), single.T))
    both = encode(codec(lab, stereo), single.T)
    assert lab.torch.equal(both, encode(codec(lab, stereo), np.repeat(single, 2, 0).T))
    assert lab.torch.equal(both[:, 0::2], both[:, 1::2])


def test_the_encoder_can_be_stopped(lab, mono):
    from lofi_daemon.backends.musicgen.encoder import encode

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(codec(lab, mono), np.zeros((RATE, 1), np.float32), stop)


def test_windows_go_on_from_what_is_known():
    from lofi_daemon.backends.musicgen.windows import Window, windows

    assert list(windows(500, 10, 18, 120)) == [Window(120, 180), Window(120, 180), Window(120, 140)]
    assert list(windows(300, 10, 18, 50)) == [Window(50, 250), Window(120, 50)]
    assert list(windows(30, 10, 29, 20)) == [Window(10, 30)], "no more than the stride leaves"


# ── the engine ──


@pytest.fixture
def render(lab, mono, built, monkeypatch):
    """(path of the source, seconds, model) → samples, all that was streamed being part of them; ``render.asked`` are
    the prompt and the codes of each window."""
    from lofi_daemon.backends.musicgen import engine

    monkeypatch.setattr(engine, "native_folder", lambda: built)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made, original = engine.make_engine(), engine.generate_codes

    def watched(*arguments):
        codes = list(original(*arguments))
        run.asked.append((arguments[7], lab.torch.cat(codes, 2)))
        yield from codes

    monkeypatch.setattr(engine, "generate_codes", watched)

    def run(path, seconds=8.0, tiny=mono, overlap_sec=2, stride_sec=18, **more):
        context = lab.Context(tiny.folder)
        context.equipment = lab.Equipment("tiny", (str(tiny.folder),), "float32", "cpu", {"stride_sec": stride_sec})
        context.starts_from = Origin(audio=path)
        run.asked = []
        going_on = {"stage_type": "continue", "src_audio_id": SOURCE, "overlap_sec": overlap_sec}
        rendered = made.render(lab.params(seconds, **going_on, **more), context)
        assert np.array_equal(context.sound, rendered[0].audio)
        assert context.steps[-1][0] == context.steps[-1][1]
        return [one.audio for one in rendered]

    return run


@pytest.fixture
def source(tmp_path):
    """(seconds, rate, channels) → a file of noise."""

    def write(seconds, rate=RATE, channels=1, ending="wav"):
        path = tmp_path / f"{seconds}-{rate}-{channels}.{ending}"
        noise = np.random.default_rng(5).uniform(-0.5, 0.5, (round(seconds * rate), channels))
        soundfile.write(path, noise, rate)
        return path

    return write


def test_it_begins_with_the_end_of_the_other_as_the_codec_has_it_and_goes_on_from_there(lab, mono, render, source):
    from lofi_daemon.backends.musicgen.encoder import encode

    path = source(15)
    (made,) = render(path)
    ((prompt, new),) = render.asked
    heard, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert lab.torch.equal(prompt, encode(codec(lab, mono), heard[-12 * RATE :])), "the last 12 seconds"
    whole = lab.torch.cat([prompt[:, :, -2 * FRAME_RATE :], new], 2)
    assert whole.shape[2] == 8 * FRAME_RATE
    assert np.abs(made.T - lab.their_samples(mono, whole)[0].clamp(-1, 1).numpy()).max() <= 1e-5


def test_each_of_a_batch_and_every_later_window_goes_on(lab, stereo, render, source):
    made = render(source(15, channels=2), 42.0, stereo, batch_size=2, overlap_sec=4)
    assert [one.shape for one in made] == [(42 * RATE, 2)] * 2
    stream, windows = render.asked[0][0], []
    for prompt, new in render.asked:
        assert lab.torch.equal(prompt, stream[:, :, -120:])
        stream = lab.torch.cat([stream, new], 2)
        windows.append(new.shape[2])
    assert windows == [180, 180, 20]
    assert np.array_equal(made[0][: 3 * RATE], made[1][: 3 * RATE]), "they have the same beginning"
    assert not np.array_equal(made[0], made[1])


@pytest.mark.parametrize(("seconds", "rate", "channels"), [(2, RATE, 1), (5.03, RATE, 2), (15.0, 44_100, 2)])
def test_a_source_of_any_length_rate_and_number_of_channels_is_gone_on_from(render, source, seconds, rate, channels):
    (made,) = render(source(seconds, rate, channels), 6.5)
    assert made.shape == (round(6.5 * RATE), 1)
    assert render.asked[0][0].shape[2] == min(int(seconds * FRAME_RATE), 120)


def test_a_prompt_shorter_than_the_overlap_is_no_obstacle(render, source):
    render(source(15), 5.0, overlap_sec=4, stride_sec=29)
    ((prompt, new),) = render.asked
    assert (prompt.shape[2], new.shape[2]) == (10, 10)


def test_the_end_of_a_file_is_where_it_ends_at_any_rate(tmp_path):
    from lofi_daemon.audio.sources import read_tail

    for rate in (32_000, 44_100, 48_000):
        ramp = np.linspace(0, 1, 3 * rate, dtype=np.float32)[:, None]
        soundfile.write(tmp_path / "ramp.wav", ramp, rate, "FLOAT")
        tail = read_tail(tmp_path / "ramp.wav", 32_000, 40_000)
        assert tail.shape == (40_000, 1)
        inner = tail[1000:-1000, 0]  # a resampler's edges ring
        expected = np.linspace(0, 1, 96_000)[-40_000:][1000:-1000]
        assert np.abs(inner - expected).max() < 1e-4
        assert len(read_tail(tmp_path / "ramp.wav", 32_000, 200_000)) == 96_000


def test_a_source_that_is_too_short_gone_or_damaged_is_named(render, source, tmp_path):
    (tmp_path / "text.flac").write_text("no sound at all")
    wrong = {
        source(1.9): ("UNSUPPORTED", "lasts 1.9 seconds, and 2 are needed"),
        tmp_path / "gone.flac": ("INVALID_TRACK_ID", "is gone"),
        tmp_path / "text.flac": ("UNSUPPORTED", "cannot be read"),
    }
    for path, (name, said) in wrong.items():
        with pytest.raises(LofiError) as caught:
            render(path)
        assert caught.value.name == name
        assert str(path) in caught.value.message and said in caught.value.message
    assert render(source(5)), "the engine goes on"
