"""MusicGen-melody: transformers' tokens from the same features, its chroma from the same sound, and what the engine
makes of a track of the library."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from support.fake_hub import COMMIT
from support.raw_daemon import REAL, RawDaemon

LONG = 200.0
"""Seconds: torch is imported, on a machine that has other things to do."""

FRAMES = 24
SCALE = [60, 64, 67, 69, 71, 74]
CLASSES = [pitch % 12 for pitch in SCALE]

GREEDY, SAMPLED, UNGUIDED = {"do_sample": False}, {}, {"guidance_scale": 1.0}
TEXT_ALONE, SHORT, CUT = None, 4, 30
"""Frames of melody; the tiny model sees 11."""


@pytest.fixture(scope="session")
def melodies(lab):
    """support/tiny_melody.py."""
    from support import tiny_melody

    return tiny_melody


@pytest.fixture(scope="session")
def tunes(melodies, tmp_path_factory):
    """By channels."""
    return {channels: melodies.make(tmp_path_factory.mktemp(f"melody{channels}"), channels) for channels in (1, 2)}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Write samples [frames, channels] to a file of that ending."""
    import soundfile

    folder = tmp_path_factory.mktemp("sounds")

    def write(name, audio, rate):
        soundfile.write(folder / name, audio, rate)
        return folder / name

    return write


@pytest.mark.parametrize(
    ("how", "heard", "channels", "batch"),  # every two values meet once
    [
        (GREEDY, TEXT_ALONE, 1, 1), (GREEDY, SHORT, 1, 4), (GREEDY, CUT, 2, 2),
        (SAMPLED, TEXT_ALONE, 1, 4), (SAMPLED, SHORT, 2, 2), (SAMPLED, CUT, 1, 1),
        (UNGUIDED, TEXT_ALONE, 2, 2), (UNGUIDED, SHORT, 1, 1), (UNGUIDED, CUT, 1, 4),
    ],
)  # fmt: skip
def test_the_tokens_are_those_of_transformers(lab, melodies, tunes, library, how, heard, channels, batch):
    chroma = None if heard is None else melodies.notes(batch, heard)
    features = {} if chroma is None else {"input_features": chroma.clone()}
    expected = lab.their_codes(tunes[channels], batch, FRAMES, seed=7, **how, **features)
    sampling = lab.Sampling(**{"guidance_scale": 3.0} | how)
    for step in (library, None):
        made = melodies.our_codes(tunes[channels], step, batch, FRAMES, 7, sampling, chroma)
        assert lab.torch.equal(made, expected), "the C step" if step else "torch"
    assert len(expected.unique()) > 8


def test_the_melody_decides(lab, melodies, tunes, library):
    greedy = lab.Sampling(do_sample=False)
    with_it = melodies.our_codes(tunes[1], library, 1, FRAMES, 7, greedy, melodies.notes(1, 11))
    without = melodies.our_codes(tunes[1], library, 1, FRAMES, 7, greedy, None)
    assert not lab.torch.equal(with_it, without)


def test_a_long_beginning_can_be_stopped(lab, tunes, library):
    config, embeddings = tunes[1].checkpoint.decoder, lab.Embeddings(tunes[1].checkpoint)
    made, pauses = lab.layers(tunes[1], library, 1, 400), []

    def stop():
        pauses.append(1)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    steps = lab.generate_codes(
        made, embeddings, config, 5, lab.Sampling(guidance_scale=1), (), 1, None, lab.torch.zeros(1, 300, 96), stop
    )
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    made.close()


# ── chroma ──


def test_chroma_is_what_transformers_computes(melodies):
    from lofi_daemon.backends.musicgen.chroma import chromagram, note_weights

    bank = melodies.chroma_filter_bank(num_frequency_bins=16_384, num_chroma=12, sampling_rate=32_000)
    assert np.abs(note_weights() - bank).max() < 1e-12
    noise = np.random.default_rng(1).normal(0, 0.1, 150_000).astype(np.float32)
    for sound in (noise, noise[:7_001], melodies.melody(SCALE), np.zeros(50_000, np.float32)):
        assert np.array_equal(chromagram(sound), melodies.their_chroma(sound))


@pytest.mark.parametrize(("ending", "rate", "channels"), [("flac", 48_000, 2), ("ogg", 44_100, 1), ("mp3", 32_000, 2)])
def test_the_notes_of_a_melody_are_heard_in_any_file(melodies, written, ending, rate, channels):
    from lofi_daemon.backends.musicgen.melody import read_tune

    audio = melodies.melody(SCALE, rate)[:, None].repeat(channels, 1)
    heard = read_tune(written(f"scale-{channels}.{ending}", audio, rate), 30).chroma(0)[0].argmax(1)
    middles = [round((second + 0.5) * 32_000 / 4_096) for second in range(len(SCALE))]
    assert heard[middles].tolist() == CLASSES


def test_a_later_window_follows_the_melody_from_its_place_on_and_round(melodies):
    from lofi_daemon.backends.musicgen.melody import Tune

    heard = Tune(melodies.melody(SCALE)).chroma(from_sec=4)[0].argmax(1)
    assert len(heard) == 235
    expected = [CLASSES[(4 + second) % 6] for second in range(29)]
    assert heard[[round((second + 0.5) * 32_000 / 4_096) for second in range(29)]].tolist() == expected


def test_a_source_that_is_gone_or_damaged_is_named(tmp_path, melodies, written):
    from lofi_daemon.audio.sources import read_source
    from lofi_daemon.errors import LofiError

    whole = written("whole.flac", melodies.melody(SCALE), 32_000)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    text = tmp_path / "text.flac"
    text.write_text("no sound at all")
    for path, name in ((tmp_path / "none.flac", "INVALID_TRACK_ID"), (cut, "UNSUPPORTED"), (text, "UNSUPPORTED")):
        with pytest.raises(LofiError) as caught:
            read_source(path, 32_000)
        assert caught.value.name == name
        assert str(path) in caught.value.message


# ── the engine ──


@pytest.fixture
def render(lab, tunes, monkeypatch, built):
    """(seconds, path of what is followed or None, channels) → samples, all that was streamed being part of them."""
    from lofi_daemon.backends.musicgen import engine

    monkeypatch.setattr(engine, "native_folder", lambda: built)
    made = engine.make_engine()

    def run(seconds, path=None, channels=1, **more):
        context = lab.Context(tunes[channels].folder)
        context.source = {"a" * 64: path}.__getitem__
        stage = lab.params(seconds, model="melody", reference_audio_id="a" * 64 if path else None, **more)
        audio = made.render(stage, context)[0].audio
        assert np.array_equal(context.sound, audio)
        assert len(audio) == round(seconds * 32_000)
        return audio

    return run


def test_music_depends_on_the_track_it_follows_and_on_nothing_else(melodies, written, render):
    one = written("one.flac", melodies.melody(SCALE), 32_000)
    other = written("other.flac", melodies.melody(SCALE[::-1]), 32_000)
    followed = render(0.5, one)
    assert np.array_equal(followed, render(0.5, one))
    assert not np.array_equal(followed, render(0.5, other))
    assert not np.array_equal(followed, render(0.5))
    assert render(0.5, one, channels=2).shape[1] == 2


def test_each_window_sees_the_melody_of_its_time(lab, melodies, written, render, monkeypatch):
    from lofi_daemon.backends.musicgen import engine
    from lofi_daemon.backends.musicgen.melody import Tune
    from lofi_daemon.backends.musicgen.windows import Window

    asked = []
    chroma = Tune.chroma
    monkeypatch.setattr(Tune, "chroma", lambda self, at: asked.append(at) or chroma(self, at))
    monkeypatch.setattr(engine, "windows", lambda *_: iter([Window(0, 50), Window(20, 30), Window(20, 20)]))
    render(2, written("long.flac", melodies.melody(SCALE), 32_000))
    assert asked == [0, 0.6, 1.2]


def test_with_int8_each_of_a_batch_follows_as_it_would_alone(melodies, lab, tunes, written, built, monkeypatch):
    from lofi_daemon.backends.musicgen import engine

    monkeypatch.setattr(engine, "native_folder", lambda: built)
    source = written("batch.flac", melodies.melody(SCALE), 32_000)

    made = engine.make_engine()

    def run(**more):
        context = lab.Context(tunes[1].folder, "int8")
        context.source = lambda track_id: source
        return made.render(lab.params(0.5, model="melody", reference_audio_id="a" * 64, **more), context)

    pair = run(batch_size=2, seed=3)
    assert np.abs(pair[1].audio - run(seed=4)[0].audio).max() < 1e-4
    assert np.abs(pair[1].audio - pair[0].audio).max() > 1e-2


# ── the whole daemon ──


@pytest.fixture
def here(tmp_path, tunes, built, isolated, monkeypatch):
    """musicgen-melody lies where Hugging Face's own library would have put it."""
    from lofi_daemon.backends.musicgen.native import build

    build.folder().parent.mkdir(parents=True)
    build.folder().symlink_to(built)
    home = tmp_path / "hub" / "models--facebook--musicgen-melody"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    (home / "snapshots").mkdir()
    (home / "snapshots" / COMMIT).symlink_to(tunes[1].folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


WISH = {"backend": "musicgen", "model": "melody", "guidance_scale": 1}


def made(daemon, **request):
    request = {"prompt": "slow piano", "duration_sec": 5, "seed": 1} | request
    return daemon.end_of(daemon.result("generate", request)["job_id"], LONG)


@pytest.mark.timeout(600)
def test_a_track_is_made_after_one_of_the_library(here, tmp_path):
    with RawDaemon(tmp_path / "cache", REAL, "worker_nice=0") as daemon:
        source = made(daemon, backend="synth")["params"]["tracks"][0]
        ended = made(daemon, **WISH, reference_audio_id=source["id"][:8].upper())
        assert ended["method"] == "generation_complete", ended
        track = ended["params"]["tracks"][0]
        assert (track["params"]["reference_audio_id"], track["parent_ids"]) == (source["id"], [source["id"]])
        again = made(daemon, **WISH, reference_audio_id=source["id"])["params"]
        assert (again["cached"], again["track_id"]) == (True, track["id"])
        os.truncate(source["path"], 2000)
        ended = made(daemon, **WISH, seed=2, reference_audio_id=source["id"])
        assert (ended["method"], ended["params"]["code"]) == ("generation_error", "UNSUPPORTED"), ended
        assert source["path"] in ended["params"]["message"]


@pytest.fixture
def puppet(here, tmp_path):
    with RawDaemon(tmp_path / "cache") as daemon:
        yield daemon


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"reference_audio_id": "../../etc/passwd"}, "INVALID_TRACK_ID"),
        ({"reference_audio_id": "abcdef01"}, "INVALID_TRACK_ID"),
        ({"model": "small"}, "INVALID_PARAMS"),
        ({"model": None, "guidance_scale": None, "backend": "synth"}, "INVALID_PARAMS"),
    ],
)
def test_what_cannot_be_followed_is_refused(puppet, wrong, name):
    kept = made(puppet, backend="synth")["params"]["track_id"]
    request = {"prompt": "slow piano"} | WISH | {"reference_audio_id": kept} | wrong
    error = puppet.error("generate", request)
    assert (error["data"]["code"], error["data"]["field"]) == (name, "reference_audio_id"), error
    if wrong.get("model") == "small":
        assert "model=melody, melody-large or stereo-melody" in error["message"]


def test_a_track_without_its_file_cannot_be_followed(puppet):
    kept = made(puppet, backend="synth")["params"]["tracks"][0]
    Path(kept["path"]).unlink()
    error = puppet.error("generate", {"prompt": "slow piano", "reference_audio_id": kept["id"]} | WISH)
    assert error["data"]["code"] == "INVALID_TRACK_ID"
    assert "lost its file" in error["message"]


def test_the_text_alone_makes_another_track_than_the_text_and_a_melody(puppet):
    kept = made(puppet, backend="synth")["params"]["track_id"]
    alone, followed = made(puppet, **WISH), made(puppet, **WISH, reference_audio_id=kept)
    assert alone["params"]["track_id"] != followed["params"]["track_id"]
