"""The radio's one job: asked for at low priority, put off for what the user asks, tried again after errors."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from ..errors import LofiError
from ..jobs.job import Job, JobCancelled, JobCompleted, JobEvent, JobFailed, JobStarted, QueueChanged
from ..jobs.lifecycle import CancelResult
from ..jobs.queue import LEVELS, MAX_WAITING
from ..model import Priority, Seed, Track
from ..stages.request import StageRequest
from .piece import Piece
from .prefetch import COMPOSER, Speeds, gives_way
from .strategies import Mood

JOB_PREFIX = "radio-"
"""Of the job ids, so that clients can tell the radio's jobs from what a user asked for."""

FULL_RETRY_SEC = 10.0
CANCELLED_RETRY_SEC = 10.0
MAX_BACKOFF_SEC = 60.0
FAILURES_TO_STEP_DOWN = 3
SOURCE_LOST = frozenset({"INVALID_TRACK_ID", "UNSUPPORTED"})
"""Errors of a job whose track to go on from is gone or damaged: it is asked for again, to begin anew."""
STEPPED_DOWN_SEC = 600.0
"""After that long the chosen backend gets another try."""


class Accepts(Protocol):
    """What the maker needs to know of an accepted request."""

    @property
    def job(self) -> Job: ...


Generate = Callable[[StageRequest, Priority, str | None, bool], Awaitable[Accepts]]


class Line(Protocol):
    """What the maker needs of the jobs."""

    def live(self) -> list[Job]: ...

    def cancel(self, job: Job) -> CancelResult: ...


@dataclass(slots=True)
class Making:
    """One track in the making. ``seed`` None = not drawn yet; ``started_at`` None = it waits in the line.
    ``stand_in`` = the composer's, until the chosen backend has one. ``source`` = the track that it goes on from."""

    mood: Mood
    backend: str
    duration_sec: float
    seed: Seed | None = None
    job_id: str = ""
    started_at: float | None = None
    accepted: bool = False
    stand_in: bool = False
    put_off: bool = False
    source: str | None = None


class Maker:
    """``takes(backend)`` names the fields a backend knows, ``unready(backend)`` says why it cannot work now
    (None = it can), ``music_sec()`` how much music there is before silence. ``say`` hears what the user should know.
    ``can_continue(backend)``: whether it goes on from tracks.

    ``made`` collects finished tracks until the radio fetches them.
    """

    def __init__(
        self,
        generate: Generate,
        line: Line,
        clock: Callable[[], float],
        *,
        takes: Callable[[str], frozenset[str]],
        unready: Callable[[str], str | None],
        music_sec: Callable[[], float],
        say: Callable[[str], None],
        can_continue: Callable[[str], bool] = lambda backend: False,
    ) -> None:
        self._generate = generate
        self._line = line
        self._clock = clock
        self._takes = takes
        self._unready = unready
        self._music_sec = music_sec
        self._say = say
        self._chosen = COMPOSER
        self._job_started: tuple[str, float] | None = None
        self._again: Making | None = None
        self._failures = 0
        self._steps_down = 0
        self._stepped_at = 0.0
        self._retry_at = 0.0
        self._told: set[str] = set()
        self.speeds = Speeds()
        self.piece = Piece(can_continue)
        self.current: Making | None = None
        self.made: list[tuple[Making, Track]] = []
        self.message: str | None = None
        """Why the chosen backend does not make the next track, or None."""

    def begin(self, backend: str) -> None:
        """A new radio that wants ``backend``; troubles of the last one are forgotten."""
        self.drop()
        self.piece.end()
        self._chosen = backend
        self._failures = self._steps_down = 0
        self._retry_at = 0.0
        self._told.clear()
        self.message = None

    def backend(self) -> str | None:
        """Who makes the next track: the chosen one, the composer in its place, or nobody (only the library)."""
        if self._steps_down and self._clock() - self._stepped_at >= STEPPED_DOWN_SEC:
            self._steps_down = 0
            self.message = None
        ladder = list(dict.fromkeys((self._chosen, COMPOSER)))[self._steps_down :]
        for name in ladder:
            why = self._unready(name)
            if why is None:
                if name == self._chosen:
                    self.message = None
                return name
            if name != COMPOSER:
                self.message = f"The composer plays instead of {name}: {why}"
                self._say_once(self.message)
        return None

    @property
    def busy(self) -> bool:
        """A track is in the making, or put off."""
        return self.current is not None or self._again is not None

    def may_make(self) -> bool:
        return self._clock() >= self._retry_at and self.backend() is not None

    def is_next(self) -> bool:
        """Whether the track in the making is being worked on, not waiting for others."""
        job = self._job(self.current) if self.current else None
        return job is not None and job.state != "queued"

    def expected_sec(self, backend: str, duration_sec: float) -> float:
        """Work, as it was measured; 0 measured seconds are no promise, so see ``prefetch`` for the margins."""
        return self.speeds.expected_sec(backend, duration_sec)

    async def make(self, mood: Mood, backend: str, duration_sec: float, *, stand_in: bool = False) -> bool:
        """Ask for a track; whether the request was taken. Refusals set the time of the next attempt."""
        assert not self.busy
        source = self.piece.source_for(mood, backend)
        return await self._submit(Making(mood, backend, duration_sec, stand_in=stand_in, source=source))

    async def go_on(self) -> None:
        """Ask again for what was put off."""
        if self._again and self.current is None and self._clock() >= self._retry_at:
            making, self._again = self._again, None
            await self._submit(making)

    def drop(self) -> None:
        """The radio ends: its job is cancelled, what it made is not played."""
        making, self.current = self.current, None
        self._again = None
        self.made.clear()
        if making and (job := self._job(making)):
            self._line.cancel(job)

    def on_job(self, event: JobEvent) -> None:
        """Every event of every job: the speed of others' jobs counts too."""
        if isinstance(event, QueueChanged):
            asyncio.get_running_loop().call_soon(self._make_room)  # the line is in the midst of its own doing
            return
        now, job = self._clock(), event.job
        if isinstance(event, JobStarted):
            self._job_started = (job.id, now)
        elif isinstance(event, JobCompleted) and self._job_started and self._job_started[0] == job.id:
            audio_sec = job.params.duration_sec * max(1, len(event.tracks))
            self.speeds.observe(job.params.backend, audio_sec, now - self._job_started[1])
        making = self.current
        if making is None or making.job_id != job.id:
            return
        if isinstance(event, JobStarted):
            making.started_at = now
        elif isinstance(event, JobCompleted):
            self.current = None
            self._failures = 0
            self.piece.made(event.tracks[0].id, making.mood, making.backend, making.source)
            self.made.append((making, event.tracks[0]))
        elif isinstance(event, JobFailed):
            self.current = None
            if making.source and event.name in SOURCE_LOST:
                self._begin_anew(making)
            else:
                self._fail(event.message)
        elif isinstance(event, JobCancelled):
            self.current = None
            if making.put_off:
                self._again = making
            else:  # by the user: not at once again
                self._retry_at = now + CANCELLED_RETRY_SEC

    async def _submit(self, making: Making) -> bool:
        making.job_id = JOB_PREFIX + uuid.uuid4().hex
        making.started_at, making.accepted, making.put_off = None, False, False
        known = self._takes(making.backend)
        request = StageRequest(
            backend=making.backend,
            prompt=making.mood.prompt,
            duration_sec=making.duration_sec,
            seed=making.seed,
            bpm=making.mood.bpm if "bpm" in known else None,
            keyscale=making.mood.keyscale if "keyscale" in known else None,
            stage_type="continue" if making.source else None,
            src_audio_id=making.source,
        )
        self.current = making  # before asking: events may come before the answer
        try:
            accepted = await self._generate(request, "low", making.job_id, False)
        except LofiError as error:
            if self.current is making:
                self.current = None
            if making.source and error.field == "src_audio_id":  # evicted or deleted
                self._begin_anew(making)
            elif error.name == "QUEUE_FULL":
                self._retry_at = self._clock() + FULL_RETRY_SEC
            else:
                self._fail(error.message)
            return False
        making.seed = accepted.job.params.seed
        making.job_id, making.accepted = accepted.job.id, True
        if self.current is not making and accepted.job.state in ("queued", "generating"):
            self._line.cancel(accepted.job)  # dropped while we asked
        return True

    def _begin_anew(self, making: Making) -> None:
        self.piece.end()
        making.source, self._again = None, making

    def _fail(self, message: str) -> None:
        self.piece.end()  # perhaps it fails because of what it goes on from
        self._failures += 1
        self._retry_at = self._clock() + min(MAX_BACKOFF_SEC, 2.0 ** (self._failures - 1))
        if self._failures < FAILURES_TO_STEP_DOWN:
            return
        failed = self.backend()
        self._failures = 0
        self._steps_down += 1
        self._stepped_at = self._clock()
        stand_in = self.backend()
        instead = "the composer plays on" if stand_in else "tracks of the library play on"
        self.message = (
            f"{failed} failed {FAILURES_TO_STEP_DOWN} times in a row, {instead} for "
            f"{STEPPED_DOWN_SEC / 60:.0f} minutes: {message}"
        )
        self._say(self.message)

    def _make_room(self) -> None:
        """A user's request has come into the line: the radio's own job steps back for it."""
        making = self.current
        job = self._job(making) if making else None
        if making is None or not making.accepted or job is None or job.cancelling:
            return
        waiting = [other for other in self._line.live() if other.state == "queued"]
        if job.state == "generating":
            before_ours = LEVELS[: LEVELS.index(job.priority)]
            wanted = any(other.priority in before_ours for other in waiting)
            if wanted and gives_way(self._rest_sec(making, job), self._music_sec()):
                making.put_off = True
                self._line.cancel(job)
        elif job.state == "queued" and len(waiting) >= MAX_WAITING:  # the last place belongs to users
            making.put_off = True
            self._retry_at = self._clock() + FULL_RETRY_SEC
            self._line.cancel(job)

    def _rest_sec(self, making: Making, job: Job) -> float:
        """Work left of the running job."""
        if job.pace.eta_sec is not None:
            return job.pace.eta_sec
        spent = 0.0 if making.started_at is None else self._clock() - making.started_at
        return max(0.0, self.expected_sec(making.backend, making.duration_sec) - spent)

    def _job(self, making: Making) -> Job | None:
        return next((job for job in self._line.live() if job.id == making.job_id), None)

    def _say_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._say(message)
