"""Sound made beside the tokens: the same samples, all told in one thread, and an end to it whatever happens."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from lofi_daemon.backends.base import GenerationCancelled

RATE, PATIENCE_SEC = 10, 60


@pytest.fixture
def decoding(lab):
    from lofi_daemon.backends.musicgen import decoding

    return decoding


@pytest.fixture
def start(lab, decoding):
    """A ``Decoding`` of so many frames on so many cores."""
    from lofi_daemon.backends.musicgen.crew import Cores

    return lambda stream, frames, cores: decoding.Decoding(stream, RATE, frames, Cores(cores))


class Stream:
    """A codec that decodes when it is told to: as many samples as frames, all of them the chunk's number."""

    def __init__(self, torch, on_cpu=True):
        self.torch, self.on_cpu, self.chunks = torch, on_cpu, 0
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def push(self, codes, last, pause):
        self.begun.release()
        for _ in range(100 * PATIENCE_SEC):
            if self.go.acquire(timeout=0.01):
                break
            pause()
        self.chunks += 1
        return self.torch.full((1, 1, codes.shape[2]), self.chunks / 100)


def never():
    raise AssertionError("it waited")


def frames(lab, count):
    return lab.torch.zeros(1, 4, count, dtype=lab.torch.int64)


def beside():
    return [thread for thread in threading.enumerate() if thread.name.startswith("encodec")]


@pytest.mark.parametrize("kind", ["mono", "stereo"])
@pytest.mark.parametrize("cores", [1, 2, 8])
@pytest.mark.parametrize("steps", [[1] * 37, [0, 0, 0, 25, 12], [37]], ids=["a frame each", "many at once", "all"])
def test_the_samples_are_those_of_the_whole_on_any_number_of_cores(request, lab, start, kind, cores, steps):
    from lofi_daemon.backends.musicgen.codec import Codec

    tiny, torch = request.getfixturevalue(kind), lab.torch
    codes = torch.randint(
        0, lab.VOCABULARY, (2, tiny.checkpoint.decoder.codebooks, 37), generator=torch.Generator().manual_seed(5)
    )
    stream = Codec(tiny.checkpoint, torch.device("cpu")).stream(2)
    made = []
    with start(stream, 37, cores) as sound:
        for part in codes.split(steps, 2):
            sound.give(part)
            made.extend(sound.ready(lambda: None))
    assert np.abs(np.concatenate(made, 2) - lab.their_samples(tiny, codes).clamp(-1, 1).numpy()).max() <= 1e-5
    assert not beside()


def test_tokens_go_on_while_sound_is_made(lab, start):
    stream = Stream(lab.torch)
    with start(stream, 40, 2) as sound:
        sound.give(frames(lab, 5))
        assert stream.begun.acquire(timeout=PATIENCE_SEC)
        for _ in range(10):
            sound.give(frames(lab, 1))
            assert list(sound.ready(never)) == []
        stream.go.release(2)
        stream.begun.acquire(timeout=PATIENCE_SEC)
        made = []
        while len(made) < 2:
            made.extend(sound.ready(never))
    assert [part.shape[2] for part in made] == [5, 10]
    assert (made[0] < made[1][:, :, :5]).all()


@pytest.mark.parametrize(("cores", "on_cpu"), [(1, True), (2, False)], ids=["one core", "a GPU"])
def test_they_take_turns_where_there_is_nothing_to_share(lab, start, cores, on_cpu):
    stream = Stream(lab.torch, on_cpu)
    waits = []

    def pause():
        waits.append(1)
        stream.go.release()

    with start(stream, 40, cores) as sound:
        sound.give(frames(lab, 5))
        assert [part.shape[2] for part in sound.ready(pause)] == [5]
    assert waits


def test_tokens_wait_for_sound_that_is_too_far_behind(lab, decoding, start):
    stream = Stream(lab.torch)
    waits = []

    def pause():
        waits.append(1)
        stream.go.release()

    with start(stream, 1000, 2) as sound:
        sound.give(frames(lab, 5 + 10 * (decoding.AHEAD - 1)))
        assert list(sound.ready(never)) == []
        sound.give(frames(lab, 10))
        assert len(next(sound.ready(pause))) == 1
    assert waits


def test_a_cancel_while_waiting_for_the_rest_passes_and_ends_the_work(lab, start):
    stream = Stream(lab.torch)

    def cancel():
        raise GenerationCancelled

    with pytest.raises(GenerationCancelled), start(stream, 5, 2) as sound:
        sound.give(frames(lab, 5))
        list(sound.ready(cancel))
    assert (stream.chunks, beside()) == (0, [])


def test_what_goes_wrong_with_the_sound_is_raised_where_the_tokens_are_made(lab, start):
    class Failing(Stream):
        def push(self, *_):
            raise RuntimeError("can't allocate memory")

    with pytest.raises(RuntimeError, match="allocate"), start(Failing(lab.torch), 30, 2) as sound:
        for _ in range(30):
            sound.give(frames(lab, 1))
            list(sound.ready(lambda: None))
    assert not beside()


@pytest.mark.parametrize("end", ["done", "cancelled"])
def test_a_track_is_told_in_its_own_thread_and_leaves_none_behind(lab, built, mono, monkeypatch, end):
    from lofi_daemon.backends.musicgen import engine

    monkeypatch.setattr(engine, "native_folder", lambda: built)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    told = set()

    class Context(lab.Context):
        def step(self, *arguments):
            told.add(threading.get_ident())
            super().step(*arguments)

        def audio(self, *arguments):
            told.add(threading.get_ident())
            super().audio(*arguments)

    context = Context(mono.folder)
    if end == "cancelled":
        context.stop_at, context.stop = 40, GenerationCancelled()
        with pytest.raises(GenerationCancelled):
            engine.make_engine().render(lab.params(5), context)
    else:
        (made,) = engine.make_engine().render(lab.params(5), context)
        np.testing.assert_array_equal(context.sound, made.audio)
    assert told == {threading.get_ident()}
    assert not beside()
