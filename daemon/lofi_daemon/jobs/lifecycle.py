"""Takes accepted requests through queued → generating → completed | failed | cancelled.

Every job submitted here ends in exactly one of JobCompleted, JobFailed, JobCancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from ..engine.link import (
    AudioGrown,
    Cancel,
    Cancelled,
    Done,
    Failed,
    FromWorker,
    LeftOff,
    Progress,
    Run,
    StageDone,
    Started,
    ToWorker,
)
from ..errors import LofiError
from ..library.durable import named_errors
from ..model import AudioFormat, LatentFile, LatentRecord, Priority, Track
from .eta import REPEAT_SEC
from .job import (
    Job,
    JobCancelled,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobProgressed,
    JobResumed,
    JobStarted,
    JobStreaming,
    JobView,
    LatentUnkept,
    QueueChanged,
    StageCompleted,
    StageResult,
    view,
)
from .queue import WaitingLine

log = logging.getLogger(__name__)

HARD_CANCEL_SEC = 3.0
"""A backend that has not stopped at its next step by then loses its process."""


class Engine(Protocol):
    """What jobs need of the engine host."""

    async def send(self, message: ToWorker) -> None: ...
    def tell(self, message: ToWorker) -> None: ...
    def kill(self) -> None: ...
    def idle(self) -> None: ...


class Keep(Protocol):
    """What jobs need of the library."""

    async def staging(self) -> Path:
        """A fresh private folder for one job's files."""

    async def commit(self, track: Track, staged: Path) -> Track:
        """Take a finished file in. Raises CACHE_WRITE_ERROR."""

    async def commit_latent(self, made: LatentFile, staged: Path) -> LatentRecord:
        """Take a finished latent in. Raises CACHE_WRITE_ERROR."""


class CancelResult(Struct, frozen=True):
    cancelled: bool
    was_generating: bool


class Jobs:
    """One job runs, five wait. ``listener`` hears every event on the loop's thread."""

    def __init__(
        self,
        engine: Engine,
        library: Keep,
        listener: Callable[[JobEvent], None],
        audio_format: AudioFormat = "flac",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._library = library
        self._listener = listener
        self._audio_format = audio_format
        self._clock = clock
        self._waiting = WaitingLine()
        self._current: Job | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keeping = asyncio.Lock()
        self._to_keep = 0
        self._kill_timer: asyncio.TimerHandle | None = None
        self._tick_timer: asyncio.TimerHandle | None = None

    # ── asked from above ──

    @property
    def current(self) -> Job | None:
        return self._current

    def live(self) -> list[Job]:
        """The running job, then the waiting ones in order."""
        return ([self._current] if self._current else []) + list(self._waiting)

    def latents(self) -> set[str]:
        """The latents that live jobs start from, or have made."""
        named = {found.record.id for job in self.live() for found in job.latents}
        return named | {made.record.id for job in self.live() for result in job.results for made in result.latents}

    def views(self) -> tuple[JobView | None, list[JobView]]:
        """The running job and the waiting ones, for the wire."""
        current = view(self._current, 0) if self._current else None
        return current, [view(job, i + 1) for i, job in enumerate(self._waiting)]

    def join(self, track_ids: tuple[str, ...], priority: Priority, auto_play: bool) -> Job | None:
        """The live job that already makes exactly these tracks, now also wanted at ``priority``."""
        for job in self.live():
            if job.track_ids[-1] == track_ids and not job.cancelling:
                job.auto_play |= auto_play
                if job.state == "queued":
                    self._waiting.raise_priority(job, priority)
                return job
        return None

    def require_free_id(self, job_id: str) -> None:
        if any(job.id == job_id for job in self.live()):
            raise LofiError(
                "INVALID_PARAMS", f"A job “{job_id}” is already waiting or running; use another job_id.",
                field="job_id", got=job_id,
            )  # fmt: skip

    def submit(self, job: Job) -> int:
        """Queue ``job`` and start it if nothing runs; its position (0 = it starts now). Raises QUEUE_FULL."""
        self.require_free_id(job.id)
        self._waiting.push(job)
        self._start_next()
        if job is self._current:
            return 0
        self._listener(QueueChanged(len(self._waiting)))
        return self._waiting.position(job)

    def position(self, job: Job) -> int:
        return 0 if job is self._current else self._waiting.position(job)

    def complete_from_library(self, job: Job, results: tuple[StageResult, ...]) -> None:
        """``job`` needs no work: what is to be heard of it is there, the last stage last."""
        job.state, job.results = "completed", job.results + results
        for result in results if job.asked else ():
            self._listener(StageCompleted(job, result))
        self._listener(JobCompleted(job, results[-1].tracks, cached=True))

    def cancel(self, job: Job) -> CancelResult:
        """Cancel a live job. A waiting one ends now, a running one at its next step or after HARD_CANCEL_SEC."""
        if job is not self._current:
            self._waiting.remove(job)
            self._end(job, "cancelled", JobCancelled(job))
            self._listener(QueueChanged(len(self._waiting)))
            return CancelResult(cancelled=True, was_generating=False)
        if job.state == "committing":
            return CancelResult(cancelled=False, was_generating=True)  # too late: the track is being kept
        if not job.cancelling:
            job.cancelling = True
            self._engine.tell(Cancel(job.id))
            self._kill_timer = asyncio.get_running_loop().call_later(HARD_CANCEL_SEC, self._engine.kill)
        return CancelResult(cancelled=True, was_generating=True)

    def move(self, job_id: str, position: int) -> None:
        """Make a waiting job the ``position``-th to run, its priority that of its new neighbours where it must be.

        Raises JOB_NOT_FOUND where no such job waits, INVALID_PARAMS for a position beyond the line.
        """
        job = next((job for job in self._waiting if job.id == job_id), None)
        if job is None:
            raise LofiError(
                "JOB_NOT_FOUND", f"No job “{job_id[:64]}” waits; `lofi queue` and :LofiQueue list those that do.",
                field="job_id", got=job_id,
            )  # fmt: skip
        if not 1 <= position <= len(self._waiting):
            places = f"between 1 and {len(self._waiting)}" if len(self._waiting) > 1 else "1, as one job waits"
            raise LofiError(
                "INVALID_PARAMS", f"position must be {places}.",
                field="position", expected=[1, len(self._waiting)], got=position,
            )  # fmt: skip
        self._waiting.move(job, position)
        self._listener(QueueChanged(len(self._waiting)))

    def clear(self) -> int:
        """Cancel everything that waits; how many that were."""
        jobs = self._waiting.clear()
        for job in jobs:
            self._end(job, "cancelled", JobCancelled(job))
        if jobs:
            self._listener(QueueChanged(0))
        return len(jobs)

    def close(self) -> None:
        """The daemon leaves: every live job is cancelled and said to be."""
        self.clear()
        if self._current:
            self._finish(self._current, "cancelled", JobCancelled(self._current), start_next=False)

    # ── heard from the engine ──

    def on_message(self, message: FromWorker) -> None:
        job = self._current
        if job is None or getattr(message, "job_id", None) != job.id:
            return  # an echo of a job that has already ended
        if isinstance(message, Started):
            job.stage_index = message.stage_index
            if not job.started:  # later stages say it again
                job.started = True
                self._listener(JobStarted(job, message.device))
                self._report(job)
        elif isinstance(message, Progress):
            job.stage_index, job.step, job.total_steps = message.stage_index, message.step, message.total_steps
            stages_done = message.stage_index - job.first + message.step / max(message.total_steps, 1)
            job.pace.advance(stages_done / (len(job.stages) - job.first), self._clock())
            self._report(job)
        elif isinstance(message, LeftOff):
            job.left_off = Path(message.path).name
        elif isinstance(message, AudioGrown):
            job.heard = True
            path = Path(job.staging) / Path(message.path).name
            self._listener(JobStreaming(job, str(path), message.frames, message.sample_rate, message.channels))
        elif isinstance(message, StageDone):
            job.left_off = ""  # it is of that stage
            self._to_keep += 1
            self._spawn(self._keep_stage(job, message))
        elif isinstance(message, Done):
            self._to_keep += 1
            self._spawn(self._commit(job, message))
        elif isinstance(message, Cancelled):
            job.step, job.total_steps = message.step, message.total_steps
            self._finish_after_keeping(job, "cancelled", lambda: JobCancelled(job))
        elif isinstance(message, Failed):
            self._finish_after_keeping(job, "failed", lambda: _failed(job, message.name, message.message))

    def on_worker_exit(self, reason: str) -> None:
        """The worker died; the job goes on in a new one if it can, else the next job starts one."""
        job = self._current
        if job is None or job.state != "generating":
            return
        if job.cancelling:
            self._finish_after_keeping(job, "cancelled", lambda: JobCancelled(job))
        elif job.left_off and not job.again and not job.heard:  # what is being heard cannot be made a second time
            job.again = True
            self._spawn(self._go_on(job, reason))
        else:
            why = f"The worker died while generating: {reason}. Ask again, with a shorter track if memory is short."
            self._finish_after_keeping(job, "failed", lambda: _failed(job, "MODEL_INFERENCE_FAILED", why))

    # ── the walk ──

    def _start_next(self) -> None:
        if self._current is not None:
            return
        job = self._waiting.pop()
        if job is None:
            self._engine.idle()
            return
        self._current = job
        job.state = "generating"
        self._spawn(self._run(job))

    async def _run(self, job: Job) -> None:
        try:
            job.staging = str(await self._library.staging())
            await self._send(job)
        except LofiError as error:
            self._finish(job, "failed", JobFailed(job, error.name, error.message))
            return
        self._cancel_late(job)
        self._tick(job)

    async def _send(self, job: Job) -> None:
        await self._engine.send(
            Run(
                job.id, job.stages, job.track_ids, job.equipment, job.staging, self._audio_format, job.sources,
                job.latents, job.left_off, job.heard_stages, tuple(result.made() for result in job.results),
            )
        )  # fmt: skip

    async def _go_on(self, job: Job, reason: str) -> None:
        """Once more from where the dead worker left off, in a folder without its half-written files."""
        async with self._keeping:  # what the stages before have left is still on its way into the library
            pass
        old = Path(job.staging)
        try:
            fresh = await self._library.staging()
            with named_errors(old / job.left_off):
                await asyncio.to_thread((old / job.left_off).rename, fresh / job.left_off)
        except LofiError as error:
            self._finish(job, "failed", JobFailed(job, error.name, error.message))
            return
        job.staging = str(fresh)
        self._spawn(asyncio.to_thread(shutil.rmtree, old, ignore_errors=True))
        if job is not self._current:
            return
        if job.cancelling:
            self._finish(job, "cancelled", JobCancelled(job))
            return
        self._listener(JobResumed(job, reason))
        try:
            await self._send(job)
        except LofiError as error:
            self._finish(job, "failed", JobFailed(job, error.name, error.message))
            return
        self._cancel_late(job)

    def _cancel_late(self, job: Job) -> None:
        """Cancelled while the worker was starting: that Cancel found nobody."""
        if job.cancelling:
            self._engine.tell(Cancel(job.id))

    async def _commit(self, job: Job, done: Done) -> None:
        job.state = "committing"
        params = done.params or job.params
        last = StageDone(job.id, len(job.stages) - 1, params, done.seconds, done.tracks, done.latents)
        result = await self._keep_stage(job, last)
        if result:
            self._finish(job, "completed", JobCompleted(job, result.tracks, cached=False))

    async def _keep_stage(self, job: Job, done: StageDone) -> StageResult | None:
        """Take in what a stage made, in the order of the stages; None where that failed, and the job with it.

        Latents first, so that no track points to one that is not there. Without them it is still music.
        """
        latents, tracks = [], []
        async with self._in_turn():
            for made in done.latents:
                try:
                    record = await self._library.commit_latent(made, Path(job.staging) / Path(made.record.path).name)
                    latents.append(LatentFile(record, made.sha256))
                except LofiError as error:
                    self._listener(LatentUnkept(job, error.message))
            try:
                for track in done.tracks:
                    tracks.append(await self._library.commit(track, Path(job.staging) / Path(track.path).name))
            except LofiError as error:
                self._engine.tell(Cancel(job.id))
                self._finish(job, "failed", _failed(job, error.name, error.message))
                return None
            result = StageResult(done.stage_index, done.params, done.seconds, tuple(tracks), tuple(latents))
            job.results += (result,)
            if job.asked and job is self._current:
                self._listener(StageCompleted(job, result))
            return result

    @contextlib.asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        try:
            async with self._keeping:
                yield
        finally:
            self._to_keep -= 1

    def _finish_after_keeping(self, job: Job, state: str, event: Callable[[], JobEvent]) -> None:
        """The running job ends early; the end of a stage that was finished is told before."""

        async def wait() -> None:
            async with self._keeping:
                pass
            self._finish(job, state, event())

        if self._to_keep:
            self._spawn(wait())
        else:
            self._finish(job, state, event())

    def _finish(self, job: Job, state: str, event: JobEvent, *, start_next: bool = True) -> None:
        """The running job ends; the next one starts."""
        if job is not self._current:
            return
        self._current = None
        for timer in (self._kill_timer, self._tick_timer):
            if timer:
                timer.cancel()
        self._kill_timer = self._tick_timer = None
        self._end(job, state, event)
        if start_next:
            waiting = len(self._waiting)
            self._start_next()
            if waiting:
                self._listener(QueueChanged(len(self._waiting)))

    def _end(self, job: Job, state: str, event: JobEvent) -> None:
        job.state = state  # type: ignore[assignment]
        if job.staging:
            self._spawn(asyncio.to_thread(shutil.rmtree, job.staging, ignore_errors=True))
        self._listener(event)

    def _report(self, job: Job) -> None:
        if job.pace.due(self._clock()):
            self._listener(JobProgressed(job, job.pace.percent, job.pace.eta_sec))

    def _tick(self, job: Job) -> None:
        """A backend may be silent for long in one step; the user still hears every 2 s."""
        if job is self._current and job.state == "generating":
            if job.started:
                self._report(job)
            self._tick_timer = asyncio.get_running_loop().call_later(REPEAT_SEC, self._tick, job)

    def _spawn(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a job's task failed", exc_info=error)
            if self._current:
                job = self._current
                self._finish(
                    job, "failed", JobFailed(job, "INTERNAL_ERROR", "An internal error; the log has the details.")
                )


def _failed(job: Job, name: str, message: str) -> JobFailed:
    """Of several stages, the one that failed and what is left."""
    if len(job.stages) > 1:
        message = f"stages[{job.stage_index}]: {message}"
        if job.results:
            message += f" What came before it is kept: run the pipeline again with from_stage={len(job.results)}."
    return JobFailed(job, name, message)
