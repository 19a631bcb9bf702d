"""What the radio does when things are not as it would have them: real jobs, a worker of known speed, virtual time."""

import asyncio
from itertools import pairwise

import pytest
from support.radio_stage import library_track, on_stage, until

from lofi_daemon.errors import LofiError
from lofi_daemon.jobs.job import JobCancelled, JobFailed, JobStarted
from lofi_daemon.radio.maker import STEPPED_DOWN_SEC
from lofi_daemon.radio.radio import PATIENCE_SEC
from lofi_daemon.stages.request import StageRequest


async def tuned_in(stage, **asked):
    """The radio is on and its first own track plays."""
    await stage.radio.begin(**asked)
    await until(lambda: stage.player.current is not None)


async def user_asks(stage, seconds=30, priority="normal", prompt="mine"):
    request = StageRequest(backend="synth", prompt=prompt, duration_sec=seconds)
    return (await stage.generate(request, priority, None)).job


def test_it_begins_with_a_track_of_the_same_prompt_at_once():
    fitting, other = library_track("a", prompt="rain"), library_track("b", prompt="sun")

    async def scene(stage):
        await stage.radio.begin(prompt="rain", backend="neural")
        assert stage.player.current == fitting
        assert "library" in stage.radio.state().message
        await until(lambda: stage.player.current != fitting)
        assert stage.player.current.backend == "neural"
        assert stage.radio.state().message is None

    on_stage(scene, tracks=[fitting, other])


def test_without_one_the_composer_opens_and_the_chosen_backend_follows():
    async def scene(stage):
        state = await stage.radio.begin(prompt="rain", backend="neural")
        assert (state.active, state.backend, state.prompt, state.generating) == (True, "neural", "rain", True)
        assert "first track" in state.message
        await until(lambda: stage.player.current is not None, 10)
        await asyncio.sleep(600)
        assert [track.backend for track in stage.player.heard()][:3] == ["synth", "neural", "neural"]
        assert stage.player.silence_sec() == 0

    on_stage(scene, tracks=[library_track("other")], speed={"neural": 0.2})


def test_while_the_worker_is_busy_the_library_begins():
    async def scene(stage):
        await user_asks(stage, 600)
        await stage.radio.begin(prompt="rain")
        assert stage.player.current == stage.library.tracks[0]
        assert "bridges" in stage.radio.state().message

    on_stage(scene, tracks=[library_track("other")], speed={"synth": 1.0})


def test_silence_is_not_endured_longer_than_a_few_seconds_where_there_is_a_library():
    async def scene(stage):
        await stage.radio.begin(prompt="rain")
        began = asyncio.get_running_loop().time()
        await until(lambda: stage.player.current is not None)
        assert asyncio.get_running_loop().time() - began <= PATIENCE_SEC + 2

    on_stage(scene, tracks=[library_track("other")], speed={"synth": 1.0})


def test_what_plays_already_goes_on_until_the_first_track_is_there():
    async def scene(stage):
        await stage.player.play(library_track("mine", 600))
        await stage.radio.begin(prompt="rain")
        await until(lambda: len(stage.player.spans) == 2, 30)
        assert stage.player.silence_sec() == 0
        assert stage.player.current.prompt == "rain"

    on_stage(scene)


def test_the_library_strategy_makes_nothing_and_repeats_nothing_before_all_were_heard():
    tracks = [library_track(f"t{i}", 60) for i in range(10)]

    async def scene(stage):
        await tuned_in(stage, strategy="library")
        await asyncio.sleep(1200)
        heard = [track.id for track in stage.player.heard()]
        assert sorted(heard[:10]) == sorted(track.id for track in tracks)
        assert sorted(heard[10:20]) == sorted(track.id for track in tracks)
        assert all(a != b for a, b in pairwise(heard))
        assert stage.worker.ran == []

    on_stage(scene, tracks=tracks)


def test_an_empty_library_leaves_the_composer_and_that_is_said():
    async def scene(stage):
        await tuned_in(stage, strategy="library")
        assert stage.player.current.backend == "synth"
        assert any("no track" in notice for notice in stage.notices)
        await asyncio.sleep(1800)
        assert stage.player.silence_sec() < 5

    on_stage(scene)


def test_a_cycle_plays_the_named_presets_in_their_order():
    async def scene(stage):
        await tuned_in(stage, strategy="preset_cycle", presets=["sleepy", "bossa", "seaside"], duration_sec=30)
        assert stage.radio.state().preset == "sleepy"
        await until(lambda: len(stage.player.spans) >= 7)
        by_prompt = {preset.prompt: preset.name for preset in stage.radio.presets}
        names = [by_prompt[track.prompt] for track in stage.player.heard()][:6]
        assert names == ["sleepy", "bossa", "seaside"] * 2
        assert stage.player.current.params.bpm is not None

    on_stage(scene)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_preset_is_never_the_one_before(seed):
    async def scene(stage):
        await tuned_in(stage, strategy="random_preset", presets=["sleepy", "bossa", "seaside"], duration_sec=20)
        await until(lambda: len(stage.player.spans) >= 20)
        prompts = [track.prompt for track in stage.player.heard()]
        assert all(a != b for a, b in pairwise(prompts))

    on_stage(scene, seed=seed)


def test_every_track_has_a_seed_of_its_own():
    async def scene(stage):
        await tuned_in(stage, prompt="rain")
        await until(lambda: len(stage.player.spans) >= 6)
        seeds = [track.seed for track in stage.player.heard()]
        assert len(set(seeds)) == len(seeds)

    on_stage(scene)


def test_skipping_with_nothing_ahead_bridges_at_once():
    async def scene(stage):
        await tuned_in(stage, prompt="rain")
        await asyncio.sleep(5)
        stage.player.skip()
        await until(lambda: stage.player.current is not None, 2)
        assert stage.player.silence_sec() < 1.5
        assert stage.radio.state().active

    on_stage(scene, tracks=[library_track("other")])


def test_stopping_drops_the_job_and_the_next_track():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", backend="neural")
        await until(lambda: stage.maker.current is not None and stage.maker.current.started_at is not None)
        state = await stage.radio.end()
        assert not state.active
        await asyncio.sleep(1)
        assert any(isinstance(event, JobCancelled) for event in stage.events)
        assert stage.jobs.live() == []
        await asyncio.sleep(600)
        assert stage.player.current is None
        assert len(stage.player.spans) == 1

    on_stage(scene, speed={"neural": 0.9})


def test_a_job_that_was_asked_for_while_the_radio_ended_is_cancelled_too():
    async def scene(stage):
        beginning = asyncio.create_task(stage.radio.begin(prompt="rain"))
        await asyncio.sleep(0.0005)  # inside ``generate``
        stage.maker.drop()
        await beginning
        await until(lambda: not stage.jobs.live(), 1)

    on_stage(scene)


def test_a_users_request_puts_the_running_job_off_and_it_is_made_after():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", backend="neural")
        await until(lambda: stage.maker.current and stage.maker.current.backend == "neural")
        await until(lambda: stage.maker.current.started_at is not None)
        seed = stage.maker.current.seed
        mine = await user_asks(stage)
        await until(lambda: any(isinstance(e, JobStarted) and e.job is mine for e in stage.events), 5)
        await asyncio.sleep(3600)
        assert seed in {track.seed for track in stage.player.heard()}
        assert stage.player.silence_sec() == 0

    on_stage(scene, speed={"neural": 0.9})


def test_a_job_that_is_nearly_done_is_not_thrown_away():
    async def scene(stage):
        await tuned_in(stage, prompt="rain")
        await until(lambda: stage.player.left_sec < 60 and stage.maker.current is not None)
        await user_asks(stage)
        await asyncio.sleep(60)
        assert not any(isinstance(event, JobCancelled) for event in stage.events)

    on_stage(scene)


def test_the_last_place_in_the_line_is_the_users():
    async def scene(stage):
        for _ in range(4):
            await user_asks(stage, 600)
        await stage.radio.begin(prompt="rain")  # its first job waits
        assert stage.maker.current is not None
        await user_asks(stage, 600)
        await asyncio.sleep(2)
        assert stage.maker.current is None
        await user_asks(stage, 600)
        with pytest.raises(LofiError, match="5 requests"):
            await user_asks(stage, 600)

    on_stage(scene, speed={"synth": 1.0}, tracks=[library_track("other")])


def test_a_full_line_is_tried_again_later_without_a_word():
    async def scene(stage):
        for _ in range(6):
            await user_asks(stage, 100)
        await stage.radio.begin(prompt="rain")
        assert stage.maker.current is None
        await asyncio.sleep(1200)
        assert stage.player.silence_sec() == 0
        assert any(track.prompt == "rain" for track in stage.player.heard())
        assert not any("failed" in notice for notice in stage.notices)

    on_stage(scene, speed={"synth": 1.0}, tracks=[library_track("other")])


def test_errors_back_off_then_the_composer_stands_in_and_later_the_backend_gets_another_try():
    async def scene(stage):
        stage.worker.failing.add("neural")
        await tuned_in(stage, prompt="rain", backend="neural")
        await until(lambda: any("3 times" in notice for notice in stage.notices))
        failed = [event for event in stage.events if isinstance(event, JobFailed)]
        assert len(failed) == 3
        assert stage.radio.state().backend == "synth"
        assert "No more memory." in stage.radio.state().message
        stage.worker.failing.clear()
        await asyncio.sleep(STEPPED_DOWN_SEC + 400)
        assert stage.radio.state().backend == "neural"
        assert stage.radio.state().message is None
        assert stage.player.current.backend == "neural"
        assert stage.player.silence_sec() == 0

    on_stage(scene, speed={"neural": 0.2})


def test_errors_come_with_growing_pauses():
    async def scene(stage):
        times = []
        stage.worker.failing.update({"neural", "synth"})
        await stage.radio.begin(prompt="rain", backend="neural")
        on_job = stage.maker.on_job

        def note(event):
            if isinstance(event, JobFailed):
                times.append(asyncio.get_running_loop().time())
            on_job(event)

        stage.maker.on_job = note
        await asyncio.sleep(600)
        assert len(times) <= 3 * 2 + 1
        assert times[1] - times[0] >= 1
        assert times[2] - times[1] >= 2
        assert stage.radio.state().backend is None
        assert stage.player.silence_sec() == 0  # the library plays on
        assert len(stage.player.spans) >= 4

    on_stage(scene, tracks=[library_track("other"), library_track("another")])


def test_a_backend_that_is_not_ready_is_stood_in_for_and_taken_up_once_it_is():
    async def scene(stage):
        stage.unready["neural"] = "The model is being downloaded."
        await tuned_in(stage, prompt="rain", backend="neural")
        assert stage.radio.state().backend == "synth"
        assert stage.radio.state().message == "The composer plays instead of neural: The model is being downloaded."
        assert stage.notices.count(stage.radio.state().message) == 1
        await asyncio.sleep(300)
        del stage.unready["neural"]
        await asyncio.sleep(600)
        assert stage.player.current.backend == "neural"
        assert stage.radio.state().message is None

    on_stage(scene, speed={"neural": 0.2})


def test_a_long_pause_is_no_time_to_work():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", duration_sec=60)
        await until(lambda: len(stage.player.spans) == 2)
        stage.player.pause()
        ran = len(stage.worker.ran)
        await asyncio.sleep(3600)
        assert len(stage.worker.ran) <= ran + 1
        stage.player.resume()
        await asyncio.sleep(600)
        assert len(stage.player.spans) > 8

    on_stage(scene)


def test_without_a_device_nothing_is_made_and_one_that_comes_is_taken():
    async def scene(stage):
        stage.player.device = False
        await stage.radio.begin(prompt="rain")
        await asyncio.sleep(3600)
        assert len(stage.worker.ran) == 1
        assert "no sound device" in stage.radio.state().message
        stage.player.device = True
        stage.radio.on_devices()
        await until(lambda: stage.player.current is not None, 3)
        assert stage.radio.state().message is None
        await asyncio.sleep(600)
        assert stage.player.silence_sec() == 0

    on_stage(scene)


def test_another_track_that_the_user_plays_ends_it_but_what_the_playlist_holds_does_not():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", duration_sec=60)
        first = stage.player.current
        await until(lambda: len(stage.player.spans) == 3)
        await stage.player.play(first)  # `previous`, or from the playlist
        await asyncio.sleep(5)
        assert stage.radio.state().active
        await stage.player.play(library_track("mine"))
        await asyncio.sleep(5)
        assert not stage.radio.state().active
        assert any("chose another track" in notice for notice in stage.notices)

    on_stage(scene)


def test_quiet_hours_end_a_radio_that_was_on_before_but_not_one_that_was_asked_for_in_them():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", duration_sec=60)
        stage.hushed = True
        await asyncio.sleep(3)
        assert not stage.radio.state().active
        assert stage.player.current is not None, "the track plays to its end"
        await asyncio.sleep(120)
        assert stage.player.current is None
        await tuned_in(stage, prompt="rain", duration_sec=60)
        await asyncio.sleep(600)
        assert stage.radio.state().active
        assert any("quiet hours" in notice for notice in stage.notices)

    on_stage(scene)


def test_a_job_that_the_user_cancels_does_not_come_back_at_once():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", backend="neural")
        await until(lambda: stage.maker.current and stage.maker.current.started_at)
        stage.jobs.cancel(stage.jobs.current)
        await asyncio.sleep(5)
        assert stage.jobs.live() == []
        await asyncio.sleep(1200)
        assert stage.player.silence_sec() == 0

    on_stage(scene, speed={"neural": 0.9})


def test_the_next_track_taken_out_of_the_playlist_is_replaced():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", duration_sec=60)
        await until(lambda: stage.player.upcoming)
        gone = stage.player.upcoming[0]
        await stage.player.take_out(gone.id)
        stage.player._list()
        await asyncio.sleep(300)
        assert gone not in stage.player.heard()
        assert stage.player.silence_sec() == 0

    on_stage(scene)


def test_a_second_start_changes_the_programme_without_a_gap():
    async def scene(stage):
        await tuned_in(stage, prompt="rain")
        await asyncio.sleep(20)
        state = await stage.radio.begin(prompt="sun")
        assert state.active
        await until(lambda: stage.player.current.prompt == "sun", 30)
        await asyncio.sleep(600)
        assert {track.prompt for track in stage.player.heard()[1:]} == {"sun"}
        assert stage.player.silence_sec() == 0

    on_stage(scene)


def test_each_state_is_told_once():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", duration_sec=60)
        await asyncio.sleep(600)
        await stage.radio.end()
        assert all(a != b for a, b in pairwise(stage.states))
        assert stage.states[-1].active is False

    on_stage(scene)


def test_the_playlist_is_tidied_over_many_radios_and_the_users_own_tracks_stay():
    mine = library_track("mine", 30)

    async def scene(stage):
        await stage.player.play(mine)
        for _ in range(4):
            await tuned_in(stage, prompt="rain", duration_sec=30)
            await asyncio.sleep(600)
            await stage.radio.end()
        heard = {track.id for track in stage.player.heard()}
        assert len(heard - set(stage.player.taken_out)) <= 22
        assert mine.id not in stage.player.taken_out

    on_stage(scene, tracks=[mine])


def test_what_only_stands_in_stops_once_the_chosen_backend_has_a_track():
    async def scene(stage):
        await tuned_in(stage, prompt="rain", backend="neural")
        await until(lambda: len(stage.player.spans) == 3)
        (opening, began, ended), (filler, since, until_), (first, _, _) = stage.player.spans
        assert (opening.backend, filler.backend, first.backend) == ("synth", "synth", "neural")
        assert ended - began <= opening.duration_sec
        assert until_ - since < filler.duration_sec / 2
        assert stage.player.upcoming == []
        assert stage.player.silence_sec() == 0

    on_stage(scene, speed={"neural": 0.6})


def test_a_long_pause_ends_the_attempts_of_a_backend_that_fails():
    async def scene(stage):
        await tuned_in(stage, prompt="rain")
        stage.worker.failing.add("synth")
        await until(lambda: stage.player.left_sec < 15)
        stage.player.pause()
        await asyncio.sleep(60)
        ran = len(stage.worker.ran)
        await asyncio.sleep(3600)
        assert len(stage.worker.ran) == ran

    on_stage(scene)
