"""An hour of radio: always something playing, never more made than needed."""

import asyncio

import pytest
from support.radio_stage import CROSSFADE_SEC, library_track, on_stage, until

HOUR = 3600


async def listen(stage, seconds=HOUR, **asked):
    await stage.radio.begin(**asked)
    await until(lambda: stage.player.current is not None)
    await asyncio.sleep(seconds)
    return stage


@pytest.mark.parametrize("speed", [0.02, 0.1, 0.5, 0.9, 1.5, 3.0, 12.0])
def test_an_hour_has_no_gap_however_fast_the_backend(speed):
    async def scene(stage):
        await listen(stage, prompt="rain", backend="neural")
        assert stage.player.silence_sec() == 0
        assert stage.player.most_ahead == 1
        assert any(track.backend == "neural" for track in stage.player.heard())

    on_stage(scene, speed={"neural": speed})


@pytest.mark.parametrize("strategy", ["same_prompt", "preset_cycle", "random_preset", "library"])
@pytest.mark.parametrize("duration_sec", [5, 12, 180, 600])
def test_an_hour_has_no_gap_with_any_strategy_and_length(strategy, duration_sec):
    async def scene(stage):
        await listen(stage, strategy=strategy, duration_sec=duration_sec)
        assert stage.player.silence_sec() == 0
        assert stage.player.most_ahead <= 2

    tracks = [library_track(f"old {i}") for i in range(5)] if strategy == "library" else ()
    on_stage(scene, tracks=tracks)


def test_work_is_bounded_by_what_is_heard():
    async def scene(stage):
        await listen(stage, backend="neural")
        made = sum(seconds for _, seconds in stage.ran("neural"))
        assert made <= HOUR + HOUR / 180 * CROSSFADE_SEC + 2 * 180
        assert sum(seconds for _, seconds in stage.ran("synth")) <= 660, "an opening, and one filler by guess"
        assert len({track.id for track in stage.player.heard()}) == len(stage.player.heard())

    on_stage(scene, speed={"neural": 0.5})


def test_a_slow_backend_is_covered_by_fresh_fillers_of_the_composer_not_by_repeats():
    async def scene(stage):
        await listen(stage, 2 * HOUR, backend="neural")
        heard = stage.player.heard()
        assert len({track.id for track in heard}) == len(heard)
        assert stage.player.silence_sec() == 0
        assert sum(track.backend == "neural" for track in heard) >= 6
        assert any("composer fills in" in notice for notice in stage.notices)

    on_stage(scene, speed={"neural": 3.0})


def test_the_work_begins_as_late_as_the_measured_speed_allows():
    async def scene(stage):
        await listen(stage, backend="neural", prompt="rain")
        starts = [run for run in stage.ran() if run[0] == "neural"]
        assert len(starts) <= HOUR / (180 - CROSSFADE_SEC) + 1
        player = stage.player
        await until(lambda: player.left_sec > 120 and stage.maker.current is None)
        await until(lambda: stage.maker.current is not None)
        assert player.left_sec < 90  # 45 s of work × 1.5, and 20 s

    on_stage(scene, speed={"neural": 0.25})


def test_cheap_work_is_done_at_once_so_that_a_skip_has_somewhere_to_go():
    async def scene(stage):
        await listen(stage, backend="synth", prompt="rain")
        player = stage.player
        await until(lambda: player.left_sec > 120)
        await until(lambda: stage.maker.current is None)
        assert player.left_sec > 100
        assert stage.radio.state().next_track_id

    on_stage(scene)


def test_a_day_of_radio_leaves_no_long_playlist_behind():
    async def scene(stage):
        await listen(stage, 24 * HOUR, backend="synth")
        heard, out = stage.player.heard(), stage.player.taken_out
        assert stage.player.silence_sec() == 0
        assert len(heard) - len(out) <= 22
        assert stage.player.current.id not in out

    on_stage(scene)
