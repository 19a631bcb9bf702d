"""A radio with a player that only counts, and with real jobs on a worker of a known speed, in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from random import Random

from support import virtual_time

from lofi_daemon.engine.link import Cancel, Cancelled, Done, Failed, Run, Started
from lofi_daemon.errors import LofiError
from lofi_daemon.jobs.job import Job
from lofi_daemon.jobs.lifecycle import Jobs
from lofi_daemon.jobs.queue import MAX_WAITING
from lofi_daemon.model import StageParams, Track
from lofi_daemon.radio import presets
from lofi_daemon.radio.maker import Maker
from lofi_daemon.radio.radio import Radio
from lofi_daemon.radio.shelf import Shelf
from lofi_daemon.radio.state import Playing

CROSSFADE_SEC = 6.0
START_SEC = 0.3


def make_track(track_id, params, duration_sec=None):
    return Track(
        id=track_id, path=f"/tracks/{track_id}.flac", prompt=params.prompt,
        duration_sec=params.duration_sec if duration_sec is None else duration_sec, sample_rate=44_100, channels=2,
        seed=params.seed, backend=params.backend, model_version="v", generation_time_sec=0, created_at="",
        params=params,
    )  # fmt: skip


def library_track(name, seconds=120.0, prompt=None, backend="synth"):
    params = StageParams(backend=backend, prompt=prompt or name, duration_sec=seconds, seed=1)
    return make_track(hashlib.sha256(name.encode()).hexdigest(), params)


class Library:
    def __init__(self, tracks=()):
        self.tracks = list(tracks)

    async def staging(self):
        return Path("/nonexistent/staging")

    async def commit(self, track, staged):
        self.tracks.append(track)
        return track

    async def page(self, query, sort, limit, offset):
        found = [t for t in self.tracks if query is None or all(w in t.prompt for w in query.split())]
        return found[offset : offset + limit], len(found)


class Worker:
    """Takes ``speed[backend]`` seconds for a second of audio; fails while ``failing`` names the backend or
    ``lost`` the track to go on from."""

    def __init__(self, speed):
        self.speed, self.failing, self.jobs, self.ran = speed, set(), None, []
        self.lost = set()
        self._task = None

    async def send(self, message):
        assert isinstance(message, Run)
        self.ran.append(message)
        self._task = asyncio.create_task(self._work(message))

    async def _work(self, run):
        params = run.stages[0]
        await asyncio.sleep(START_SEC)
        self.jobs.on_message(Started(run.job_id, "cpu"))
        if params.backend in self.failing:
            self.jobs.on_message(Failed(run.job_id, "MODEL_INFERENCE_FAILED", "No more memory."))
            return
        if params.src_audio_id in self.lost:
            self.jobs.on_message(Failed(run.job_id, "UNSUPPORTED", "Its file is damaged."))
            return
        await asyncio.sleep(self.speed[params.backend] * params.duration_sec)
        self.jobs.on_message(Done(run.job_id, tuple(make_track(i, params) for i in run.track_ids[0])))

    def tell(self, message):
        assert isinstance(message, Cancel)
        if self._task:
            self._task.cancel()
        asyncio.get_running_loop().call_soon(self.jobs.on_message, Cancelled(message.job_id, 1, 10))

    def kill(self):
        raise AssertionError("a cancel that is heeded needs no force")

    def idle(self):
        pass


class Player:
    """Plays in virtual time, crossfading; ``spans`` keeps (track, from, to) of all that sounded."""

    def __init__(self):
        self.started = self.listed = self.ended = None
        self.spans, self.upcoming, self.taken_out = [], [], []
        self.current, self._since, self._left, self._timer = None, 0.0, 0.0, None
        self.paused, self.device, self.most_ahead = False, True, 0

    @property
    def _now(self):
        return asyncio.get_running_loop().time()

    @property
    def left_sec(self):
        if self.current is None:
            return 0.0
        return self._left if self.paused else self._left - (self._now - self._since)

    def now(self):
        return Playing(
            has_track=self.current is not None,
            sounds=self.current is not None and not self.paused,
            left_sec=self.left_sec,
            length_sec=self.current.duration_sec if self.current else 0.0,
            crossfade_sec=CROSSFADE_SEC,
        )

    async def play(self, track):
        await asyncio.sleep(0.01)
        if not self.device:
            return False
        self._close_span()
        self._start(track)
        return True

    async def put_next(self, track):
        await asyncio.sleep(0.01)
        if track is self.current:
            return  # a track is in the playlist once
        self.upcoming.insert(0, track)
        self._list()
        self.most_ahead = max(self.most_ahead, len(self.upcoming))
        if self.current and not self.paused and self.left_sec <= CROSSFADE_SEC:
            self._arm()

    async def take_out(self, track_id):
        self.taken_out.append(track_id)
        self.upcoming = [t for t in self.upcoming if t.id != track_id]

    def _list(self):
        self.listed({track.id for track in self.heard()} | {track.id for track in self.upcoming})

    def pause(self):
        self._left, self.paused = self.left_sec, True
        self._timer.cancel()

    def resume(self):
        self._since, self.paused = self._now, False
        self._arm()

    def skip(self):
        self._close_span()
        if self.upcoming:
            self._start(self.upcoming.pop(0))
        else:
            self._stop()

    def end(self):
        self._close_span()
        self._stop()

    def _start(self, track):
        self.current, self._since, self._left, self.paused = track, self._now, track.duration_sec, False
        self.spans.append([track, self._now, None])
        self._arm()
        self.started(track.id)
        self._list()

    def _arm(self):
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, self.left_sec - self._overlap()), self._at_join)

    def _overlap(self):
        return CROSSFADE_SEC if self.current.duration_sec >= 2 * CROSSFADE_SEC else self.current.duration_sec / 4

    def _at_join(self):
        if self.upcoming:
            self.spans[-1][2] = self._now + self.left_sec
            self._start(self.upcoming.pop(0))
        else:
            self._timer = asyncio.get_running_loop().call_later(self.left_sec, self.end)

    def _close_span(self):
        if self.current:
            self.spans[-1][2] = self._now
            self._timer.cancel()

    def _stop(self):
        self.current = None
        self.ended()

    def silence_sec(self):
        """Of all the time since the first track began."""
        spans = [(a, self._now if b is None else b) for _, a, b in self.spans]
        silent, until = 0.0, spans[0][0]
        for start, end in spans:
            silent += max(0.0, start - until)
            until = max(until, end)
        return silent + max(0.0, self._now - until)

    def heard(self):
        return [track for track, _, _ in self.spans]


class Stage:
    def __init__(self, speed=None, tracks=(), strategy="same_prompt", duration_sec=180.0, seed=1, continuing=()):
        self.worker = Worker({"synth": 0.02, "neural": 0.5} | (speed or {}))
        self.library = Library(tracks)
        self.player = Player()
        self.asked = 0
        self.states, self.notices, self.events, self.unready, self.hushed = [], [], [], {}, False
        self.jobs = Jobs(self.worker, self.library, self._on_job, clock=self._clock)
        self.worker.jobs = self.jobs
        self.chance = Random(seed)
        self.maker = Maker(
            self.generate, self.jobs, self._clock,
            takes=lambda backend: frozenset({"bpm", "keyscale"} if backend == "synth" else ()),
            unready=self.unready.get,
            music_sec=lambda: self.player.left_sec + sum(t.duration_sec for t in self.player.upcoming),
            say=lambda message: self.notices.append(message), can_continue=continuing.__contains__,
        )  # fmt: skip
        self.radio = Radio(
            self.player, Shelf(self.library.page, self.chance), self.maker, tuple(presets.shipped().values()),
            strategy=strategy, duration_sec=duration_sec,
            choose=lambda name: name or "synth",
            limits=lambda backend: (5.0, 600.0 if backend == "synth" else 300.0),
            changed=self.states.append,
            notice=lambda level, message: self.notices.append(message),
            clock=self._clock, chance=self.chance, hushed=lambda: self.hushed,
        )  # fmt: skip
        self.player.ended = self.radio.wake
        self.player.started, self.player.listed = self.radio.on_started, self.radio.on_playlist

    @staticmethod
    def _clock():
        return asyncio.get_running_loop().time()

    def _on_job(self, event):
        self.events.append(event)
        self.maker.on_job(event)
        self.radio.wake()

    async def generate(self, request, priority, job_id, auto_play=False):
        await asyncio.sleep(0.001)
        self.refuse_if_full()
        source, more = request.src_audio_id, {}
        if source:
            if all(track.id != source for track in self.library.tracks):
                raise LofiError("INVALID_TRACK_ID", "There is no such track.", field="src_audio_id")
            more = {"stage_type": request.stage_type, "src_audio_id": source, "overlap_sec": 2}
        params = StageParams(
            backend=request.backend, prompt=request.prompt, duration_sec=request.duration_sec,
            seed=request.seed or self.chance.randrange(2**53), bpm=request.bpm, keyscale=request.keyscale,
            **more,
        )  # fmt: skip
        digest = hashlib.sha256(repr(params).encode()).hexdigest()
        self.asked += 1
        self.job = Job(job_id or f"user{self.asked}", (params,), ((digest,),), ("v",), priority, auto_play)
        self.jobs.submit(self.job)
        return self

    def refuse_if_full(self):
        if len(self.jobs.live()) > MAX_WAITING:
            raise LofiError("QUEUE_FULL", "5 requests are already waiting.")

    def ran(self, backend=None):
        """(backend, seconds) of every job the worker got."""
        runs = [(run.stages[0].backend, run.stages[0].duration_sec) for run in self.worker.ran]
        return [run for run in runs if backend in (None, run[0])]


def on_stage(scene, **settings):
    """Run ``scene(stage)`` in virtual time."""

    async def whole():
        stage = Stage(**settings)
        try:
            return await scene(stage)
        finally:
            stage.radio.close()

    return virtual_time.run(whole())


async def until(condition, within_sec=3600.0):
    """Until ``condition`` holds, looked at every tenth of a virtual second."""
    for _ in range(round(within_sec * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("never happened")
