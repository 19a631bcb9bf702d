"""A backend that goes on from tracks plays one piece without end: what each track goes on from, and when a new piece
begins."""

from itertools import pairwise

import pytest
from support.radio_stage import library_track, on_stage, until

from lofi_daemon.radio.piece import LONGEST, Piece
from lofi_daemon.radio.strategies import Mood

ENDLESS = {"continuing": ("neural",)}


def sources(stage):
    """What the tracks that were heard went on from: (track, source or None) each."""
    return [(track, track.params.src_audio_id) for track in stage.player.heard() if track.backend == "neural"]


async def listen(stage, tracks, **asked):
    """On until so many tracks of the backend began."""
    if not stage.radio.active:
        await stage.radio.begin(**{"prompt": "rain", "backend": "neural"} | asked)
    await until(lambda: len(sources(stage)) >= tracks)


@pytest.mark.parametrize("speed", [0.2, 0.9, 3.0])
def test_each_track_goes_on_from_the_one_made_before(speed):
    async def scene(stage):
        await listen(stage, 5)
        heard = sources(stage)
        assert heard[0][1] is None
        assert all(source == before.id for (before, _), (_, source) in pairwise(heard[:5]))
        assert all(track.params.stage_type == "continue" for track, _ in heard[1:5])
        assert stage.player.silence_sec() == 0

    on_stage(scene, speed={"neural": speed}, **ENDLESS)


def test_a_backend_that_cannot_go_on_is_not_asked_to():
    async def scene(stage):
        await listen(stage, 4)
        assert all(source is None for _, source in sources(stage))

    on_stage(scene, speed={"neural": 0.2})


def test_a_piece_has_an_end_and_another_one_begins():
    async def scene(stage):
        await listen(stage, 2 * LONGEST + 2, duration_sec=60)
        begins = [number for number, (_, source) in enumerate(sources(stage)) if source is None]
        assert begins == [0, LONGEST, 2 * LONGEST]

    on_stage(scene, speed={"neural": 0.2}, **ENDLESS)


def test_every_preset_is_a_piece_of_its_own():
    async def scene(stage):
        await listen(stage, 4, prompt=None, presets=["sleepy", "bossa"])
        assert all(source is None for _, source in sources(stage))

    on_stage(scene, speed={"neural": 0.2}, **ENDLESS)


def test_a_track_of_the_library_with_the_same_prompt_is_gone_on_from():
    known = library_track("a", prompt="rain", backend="neural")

    async def scene(stage):
        await listen(stage, 2)
        assert [source for _, source in sources(stage)][:2] == [None, known.id]

    on_stage(scene, tracks=[known], speed={"neural": 0.2}, **ENDLESS)


def test_after_a_skip_a_new_piece_begins():
    async def scene(stage):
        await listen(stage, 2)
        await until(lambda: stage.player.upcoming and not stage.maker.busy)
        stage.player.skip()
        stage.radio.on_skipped()
        await listen(stage, 5)
        assert [source is None for _, source in sources(stage)][:5] == [True, False, False, True, False]

    on_stage(scene, speed={"neural": 0.1}, **ENDLESS)


def test_a_new_piece_begins_where_the_next_track_was_taken_out():
    async def scene(stage):
        await listen(stage, 2)
        await until(lambda: stage.player.upcoming and not stage.maker.busy)
        await stage.player.take_out(stage.player.upcoming[0].id)
        stage.player._list()
        await listen(stage, 3)
        assert sources(stage)[2][1] is None

    on_stage(scene, speed={"neural": 0.1}, **ENDLESS)


def test_a_source_that_is_no_longer_there_is_done_without():
    async def scene(stage):
        await listen(stage, 1)
        stage.library.tracks.clear()
        await listen(stage, 4)
        assert [source is None for _, source in sources(stage)][:4] == [True, True, False, False]
        assert not any("failed" in notice for notice in stage.notices)
        assert stage.player.silence_sec() == 0

    on_stage(scene, speed={"neural": 0.5}, **ENDLESS)


def test_a_source_that_proves_to_be_damaged_is_done_without():
    async def scene(stage):
        await listen(stage, 1)
        stage.worker.lost.add(stage.player.current.id)
        await listen(stage, 4)
        assert [source is None for _, source in sources(stage)][:4] == [True, True, False, False]
        assert not any("failed" in notice for notice in stage.notices)

    on_stage(scene, speed={"neural": 0.5}, **ENDLESS)


def test_what_fills_in_does_not_end_the_piece_and_another_mood_does():
    piece, rain, sun = Piece(lambda backend: backend == "neural"), Mood("rain"), Mood("sun")
    piece.made("one", rain, "neural")
    piece.made("filler", rain, "synth")
    assert piece.source_for(rain, "neural") == "one"
    assert piece.source_for(sun, "neural") is piece.source_for(rain, "synth") is None
    piece.made("two", sun, "neural")
    assert (piece.source_for(rain, "neural"), piece.source_for(sun, "neural")) == (None, "two")
    piece.end()
    assert piece.source_for(sun, "neural") is None
