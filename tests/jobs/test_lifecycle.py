"""The life of jobs against an engine and a library that do what the test says, when it says so."""

import asyncio
from pathlib import Path

import pytest

from lofi_daemon.engine.link import (
    AudioGrown,
    Cancel,
    Cancelled,
    Done,
    Failed,
    LeftOff,
    Progress,
    Run,
    StageDone,
    Started,
)
from lofi_daemon.errors import LofiError
from lofi_daemon.jobs import lifecycle
from lofi_daemon.jobs.job import (
    Job,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobProgressed,
    JobResumed,
    JobStarted,
    QueueChanged,
    StageCompleted,
)
from lofi_daemon.jobs.lifecycle import Jobs
from lofi_daemon.model import StageParams, Track

ENDINGS = (JobCompleted, JobFailed, JobCancelled)


class Engine:
    def __init__(self):
        self.sent, self.told, self.kills = [], [], 0

    async def send(self, message):
        self.sent.append(message)

    def tell(self, message):
        self.told.append(message)

    def kill(self):
        self.kills += 1

    def idle(self):
        pass


class Library:
    def __init__(self, tmp_path):
        self.root, self.count, self.fail = tmp_path, 0, None

    async def staging(self):
        if self.fail:
            raise LofiError("CACHE_WRITE_ERROR", self.fail)
        self.count += 1
        folder = self.root / str(self.count)
        folder.mkdir()
        return folder

    async def commit(self, track, staged):
        await asyncio.sleep(0)
        if self.fail:
            raise LofiError("CACHE_WRITE_ERROR", self.fail)
        return track


def job(ident, priority="normal"):
    params = StageParams(backend="synth", prompt=ident, duration_sec=30, seed=1)
    return Job(ident, (params,), ((ident * 8,),), ("v",), priority, auto_play=False)


def track(ident):
    return Track(
        id=ident * 8, path="x.flac", prompt=ident, duration_sec=1, sample_rate=1, channels=1, seed=1, backend="synth",
        model_version="v", generation_time_sec=0, created_at="", params=job(ident).params,
    )  # fmt: skip


class Stage:
    def __init__(self, tmp_path):
        self.engine, self.library, self.events, self.now = Engine(), Library(tmp_path), [], 0.0
        self.jobs = Jobs(self.engine, self.library, self.events.append, clock=lambda: self.now)

    async def settle(self):
        for _ in range(20):
            await asyncio.sleep(0)

    def running(self):
        return [m.job_id for m in self.engine.sent if isinstance(m, Run)]

    def endings(self, ident):
        return [type(e) for e in self.events if isinstance(e, ENDINGS) and e.job.id == ident]

    async def done(self, ident):
        self.jobs.on_message(Done(ident, (track(ident),)))
        await self.settle()


@pytest.fixture
def play(tmp_path):
    """Runs an async scene with a stage."""

    def run(scene):
        async def whole():
            return await scene(Stage(tmp_path))

        return asyncio.run(whole())

    return run


def test_one_runs_and_the_others_start_in_their_order(play):
    async def scene(stage):
        assert stage.jobs.submit(job("a")) == 0
        assert stage.jobs.submit(job("b", "low")) == 1
        assert stage.jobs.submit(job("c", "high")) == 1
        await stage.settle()
        assert stage.running() == ["a"]
        await stage.done("a")
        assert stage.running() == ["a", "c"]
        await stage.done("c")
        await stage.done("b")
        assert stage.running() == ["a", "c", "b"]
        assert [stage.endings(i) for i in "abc"] == [[JobCompleted]] * 3

    play(scene)


def test_five_may_wait_beside_the_running_one(play):
    async def scene(stage):
        for i in "abcdef":
            stage.jobs.submit(job(i))
        with pytest.raises(LofiError) as caught:
            stage.jobs.submit(job("g"))
        assert caught.value.name == "QUEUE_FULL"

    play(scene)


def test_a_moved_job_runs_in_its_new_place_and_every_view_hears_of_it(play):
    async def scene(stage):
        for i in "abc":
            stage.jobs.submit(job(i))
        stage.jobs.submit(job("d", "low"))
        await stage.settle()
        stage.events.clear()
        stage.jobs.move("d", 1)
        assert stage.events == [QueueChanged(3)]
        _, pending = stage.jobs.views()
        assert [(view.job_id, view.priority, view.position) for view in pending] == [
            ("d", "normal", 1),
            ("b", "normal", 2),
            ("c", "normal", 3),
        ]
        for i in "adb":
            await stage.done(i)
        assert stage.running() == ["a", "d", "b", "c"]

    play(scene)


@pytest.mark.parametrize(
    ("moved", "position", "name"),
    [("a", 1, "JOB_NOT_FOUND"), ("x", 1, "JOB_NOT_FOUND"), ("b", 0, "INVALID_PARAMS"), ("b", 3, "INVALID_PARAMS")],
)
def test_only_a_waiting_job_moves_and_only_within_the_line(play, moved, position, name):
    async def scene(stage):
        for i in "abc":
            stage.jobs.submit(job(i))
        await stage.settle()
        stage.events.clear()
        with pytest.raises(LofiError) as caught:
            stage.jobs.move(moved, position)
        assert caught.value.name == name
        if name == "INVALID_PARAMS":
            assert caught.value.details["expected"] == [1, 2]
        assert stage.events == []
        assert [view.job_id for view in stage.jobs.views()[1]] == ["b", "c"]

    play(scene)


def test_joining_a_moved_job_still_raises_its_priority(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        stage.jobs.submit(job("b"))
        stage.jobs.submit(job("c", "low"))
        await stage.settle()
        stage.jobs.move("b", 2)
        stage.jobs.join((("b" * 8),), "high", auto_play=False)
        assert [(view.job_id, view.priority) for view in stage.jobs.views()[1]] == [("b", "high"), ("c", "low")]

    play(scene)


def test_started_progress_and_completion_are_told_in_order(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        await stage.settle()
        stage.jobs.on_message(Started("a", "cpu"))
        for step in range(11):
            stage.now += 0.1
            stage.jobs.on_message(Progress("a", step, 10))
        await stage.done("a")
        kinds = [type(e) for e in stage.events if not isinstance(e, QueueChanged)]
        assert kinds[0] is JobStarted
        assert kinds[-1] is JobCompleted
        assert set(kinds[1:-1]) == {JobProgressed}
        assert [e.percent for e in stage.events if isinstance(e, JobProgressed)][-1] == 99

    play(scene)


def test_cancelling_a_waiting_job_ends_it_at_once(play):
    async def scene(stage):
        waiting = job("b")
        stage.jobs.submit(job("a"))
        stage.jobs.submit(waiting)
        result = stage.jobs.cancel(waiting)
        assert (result.cancelled, result.was_generating) == (True, False)
        assert stage.endings("b") == [JobCancelled]
        await stage.settle()
        await stage.done("a")
        assert stage.running() == ["a"]

    play(scene)


def test_cancelling_the_running_job_ends_it_at_its_next_step(play):
    async def scene(stage):
        running = job("a")
        stage.jobs.submit(running)
        stage.jobs.submit(job("b"))
        await stage.settle()
        result = stage.jobs.cancel(running)
        assert (result.cancelled, result.was_generating) == (True, True)
        assert stage.engine.told == [Cancel("a")]
        assert stage.endings("a") == []
        stage.jobs.on_message(Cancelled("a", 4, 10))
        await stage.settle()
        assert stage.endings("a") == [JobCancelled]
        assert stage.running() == ["a", "b"]
        assert stage.engine.kills == 0

    play(scene)


def test_a_job_that_does_not_stop_loses_its_worker(play, monkeypatch):
    monkeypatch.setattr(lifecycle, "HARD_CANCEL_SEC", 0.01)

    async def scene(stage):
        running = job("a")
        stage.jobs.submit(running)
        await stage.settle()
        stage.jobs.cancel(running)
        stage.jobs.cancel(running)  # impatience changes nothing
        await asyncio.sleep(0.05)
        assert stage.engine.kills == 1
        stage.jobs.on_worker_exit("killed")
        assert stage.endings("a") == [JobCancelled]

    play(scene)


def test_a_job_being_kept_can_no_longer_be_cancelled(play):
    async def scene(stage):
        running = job("a")
        stage.jobs.submit(running)
        await stage.settle()
        stage.jobs.on_message(Done("a", (track("a"),)))
        await asyncio.sleep(0)
        result = stage.jobs.cancel(running)
        assert (result.cancelled, result.was_generating) == (False, True)
        await stage.settle()
        assert stage.endings("a") == [JobCompleted]

    play(scene)


def test_a_dead_worker_fails_its_job_and_the_next_one_runs(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        stage.jobs.submit(job("b"))
        await stage.settle()
        stage.jobs.on_worker_exit("signal 11")
        await stage.settle()
        failed = next(e for e in stage.events if isinstance(e, JobFailed))
        assert failed.name == "MODEL_INFERENCE_FAILED"
        assert "signal 11" in failed.message
        assert stage.running() == ["a", "b"]

    play(scene)


def test_a_failure_keeps_its_name(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        await stage.settle()
        stage.jobs.on_message(Failed("a", "MODEL_NOT_FOUND", "Get the weights."))
        failed = next(e for e in stage.events if isinstance(e, JobFailed))
        assert (failed.name, failed.message) == ("MODEL_NOT_FOUND", "Get the weights.")

    play(scene)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_cache_that_cannot_be_written_fails_the_job_by_name(play, moment):
    async def scene(stage):
        if moment == "before":
            stage.library.fail = "disk full"
        stage.jobs.submit(job("a"))
        await stage.settle()
        if moment == "after":
            stage.library.fail = "disk full"
            await stage.done("a")
        assert stage.endings("a") == [JobFailed]
        failed = next(e for e in stage.events if isinstance(e, JobFailed))
        assert failed.name == "CACHE_WRITE_ERROR"

    play(scene)


def test_the_staging_folder_is_gone_after_every_ending(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        await stage.settle()
        assert (Path(stage.library.root) / "1").is_dir()
        stage.jobs.on_message(Failed("a", "MODEL_NOT_FOUND", "x"))
        for _ in range(3000):
            await asyncio.sleep(0.01)
            if not (Path(stage.library.root) / "1").exists():
                return
        raise AssertionError("left behind")

    play(scene)


def test_joining_finds_the_live_job_and_raises_its_priority(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        stage.jobs.submit(job("b"))
        wanted = job("c", "low")
        stage.jobs.submit(wanted)
        joined = stage.jobs.join(wanted.track_ids[-1], "high", auto_play=True)
        assert joined is wanted
        assert joined.auto_play
        assert stage.jobs.position(wanted) == 1
        assert stage.jobs.join(("unknown",), "high", auto_play=False) is None

    play(scene)


def test_a_job_that_is_being_cancelled_is_not_joined(play):
    async def scene(stage):
        running = job("a")
        stage.jobs.submit(running)
        await stage.settle()
        stage.jobs.cancel(running)
        assert stage.jobs.join(running.track_ids[-1], "normal", auto_play=False) is None

    play(scene)


def test_a_live_job_id_cannot_be_used_twice(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        with pytest.raises(LofiError) as caught:
            stage.jobs.submit(job("a"))
        assert (caught.value.name, caught.value.field) == ("INVALID_PARAMS", "job_id")

    play(scene)


def test_clear_cancels_all_that_wait_and_only_those(play):
    async def scene(stage):
        for i in "abc":
            stage.jobs.submit(job(i))
        assert stage.jobs.clear() == 2
        assert [stage.endings(i) for i in "abc"] == [[], [JobCancelled], [JobCancelled]]

    play(scene)


def test_leaving_ends_every_live_job(play):
    async def scene(stage):
        for i in "abc":
            stage.jobs.submit(job(i))
        await stage.settle()
        stage.jobs.close()
        assert [stage.endings(i) for i in "abc"] == [[JobCancelled]] * 3
        assert stage.running() == ["a"]

    play(scene)


def test_echoes_of_an_ended_job_are_ignored(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        stage.jobs.submit(job("b"))
        await stage.settle()
        stage.jobs.on_message(Failed("a", "MODEL_NOT_FOUND", "x"))
        await stage.settle()
        stage.jobs.on_message(Failed("a", "MODEL_NOT_FOUND", "x"))
        stage.jobs.on_message(Progress("a", 9, 10))
        assert stage.endings("a") == [JobFailed]
        assert stage.jobs.current.id == "b"
        assert stage.jobs.current.pace.percent == 0

    play(scene)


# a worker that dies of a job which has left a checkpoint


def left_off(stage, ident="a"):
    """The running job leaves a checkpoint; the folder it lies in."""
    (run,) = [m for m in stage.engine.sent if isinstance(m, Run) and m.job_id == ident]
    (Path(run.staging) / "checkpoint").write_bytes(b"left")
    (Path(run.staging) / "half.flac").write_bytes(b"half")
    stage.jobs.on_message(LeftOff(ident, "checkpoint"))


def names(folder):
    return [path.name for path in Path(folder).iterdir()]


async def until(condition):
    while not condition():  # noqa: ASYNC110 - a thread of asyncio.to_thread is what it waits for
        await asyncio.sleep(0.001)


def test_a_job_goes_on_once_from_its_checkpoint_in_a_folder_without_halves(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        await stage.settle()
        left_off(stage)
        stage.jobs.on_worker_exit("signal 9")
        await until(lambda: stage.running() == ["a", "a"])
        again = stage.engine.sent[-1]
        assert again.left_off == "checkpoint"
        assert names(again.staging) == ["checkpoint"]
        assert [e.reason for e in stage.events if isinstance(e, JobResumed)] == ["signal 9"]
        assert stage.endings("a") == []
        stage.jobs.on_worker_exit("signal 9")
        await stage.settle()
        assert stage.endings("a") == [JobFailed]
        assert stage.running() == ["a", "a"]

    play(scene)


def test_a_cancelled_job_never_goes_on(play):
    async def scene(stage):
        for ident, early in (("a", True), ("b", False)):
            stage.jobs.submit(job(ident))
            await stage.settle()
            left_off(stage, ident)
            if early:
                stage.jobs.cancel(stage.jobs.current)
            stage.jobs.on_worker_exit("signal 9")
            if not early:
                stage.jobs.cancel(stage.jobs.current)
            await until(lambda ident=ident: stage.endings(ident))
            assert stage.endings(ident) == [JobCancelled]
        assert stage.running() == ["a", "b"]

    play(scene)


def test_a_job_that_is_being_heard_does_not_begin_again_under_the_listener(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        await stage.settle()
        left_off(stage)
        stage.jobs.on_message(AudioGrown("a", "x.f32", 100, 10, 1))
        stage.jobs.on_worker_exit("signal 9")
        assert stage.endings("a") == [JobFailed]

    play(scene)


def test_a_job_whose_checkpoint_vanished_fails_with_the_reason(play):
    async def scene(stage):
        stage.jobs.submit(job("a"))
        await stage.settle()
        stage.jobs.on_message(LeftOff("a", "../nowhere"))
        stage.jobs.on_worker_exit("signal 9")
        await until(lambda: stage.endings("a"))
        assert stage.endings("a") == [JobFailed]
        assert stage.running() == ["a"]

    play(scene)


# several stages


def pipeline(ident):
    whole = job(ident)
    whole.stages, whole.track_ids = whole.stages * 2, (("first",), *whole.track_ids)
    whole.asked = ({}, {})
    return whole


def stage_done(ident):
    return StageDone(ident, 0, job(ident).params, 1.0, (track("first"),))


@pytest.mark.parametrize(
    "end",
    [
        Failed("a", "MODEL_INFERENCE_FAILED", "It broke."),
        Cancelled("a", 1, 2),
        None,
    ],
)
def test_what_a_stage_made_is_kept_and_told_before_the_job_ends_early(play, end):
    async def scene(stage):
        stage.jobs.submit(pipeline("a"))
        stage.jobs.submit(job("b"))
        await stage.settle()
        stage.jobs.on_message(stage_done("a"))
        stage.jobs.on_message(Started("a", "cpu", 1))
        if end:
            stage.jobs.on_message(end)  # in the same breath: the stage is not yet in the library
        else:
            stage.jobs.on_worker_exit("signal 9")
        await stage.settle()
        kinds = [type(e) for e in stage.events if isinstance(e, StageCompleted | JobFailed | JobCancelled)]
        assert kinds[0] is StageCompleted and len(kinds) == 2
        failed = [e.message for e in stage.events if isinstance(e, JobFailed)]
        assert all(message.startswith("stages[1]: ") and "from_stage=1" in message for message in failed)
        assert stage.running() == ["a", "b"]

    play(scene)


def test_a_worker_that_dies_in_a_later_stage_is_told_what_came_before(play):
    async def scene(stage):
        stage.jobs.submit(pipeline("a"))
        await stage.settle()
        stage.jobs.on_message(stage_done("a"))
        (stage.library.root / "1" / "checkpoint").touch()
        stage.jobs.on_message(LeftOff("a", "checkpoint"))
        stage.jobs.on_worker_exit("signal 9")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if len(stage.running()) == 2:
                break
        again = stage.engine.sent[-1]
        assert [made.tracks for made in again.earlier] == [(("first" * 8, "x.flac"),)]
        assert again.left_off == "checkpoint"

    play(scene)


def test_percent_counts_the_stages_that_are_run(play):
    async def scene(stage):
        whole = pipeline("a")
        whole.first = 1
        stage.jobs.submit(whole)
        await stage.settle()
        stage.jobs.on_message(Started("a", "cpu", 1))
        stage.jobs.on_message(Progress("a", 1, 2, 1))
        assert whole.pace.percent == 50
        other = pipeline("b")
        stage.jobs.on_message(Failed("a", "X", ""))
        stage.jobs.submit(other)
        await stage.settle()
        stage.jobs.on_message(Progress("b", 1, 2, 0))
        assert other.pace.percent == 25

    play(scene)
