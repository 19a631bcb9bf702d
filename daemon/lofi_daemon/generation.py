"""From a checked request to a job: the walk from the wire to the waiting line."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, Struct

from . import limits
from .backends.base import Equipment
from .backends.registry import BACKENDS
from .config import Settings
from .errors import LofiError
from .jobs.job import Job, StageResult
from .jobs.lifecycle import Jobs
from .jobs.memory import Memory
from .limits import LimitHook
from .model import NoticeLevel, Priority, StageParams, Track
from .preparing import Finds, Prepared, heard_stages, prepare
from .stages.request import Pipeline, StageRequest
from .stages.resolve import Resolved, merged, resolve
from .stages.sources import weighed


def draw_seed() -> int:
    """A fresh seed that every JSON reader holds exactly."""
    return secrets.randbelow(2**53)


class Library(Finds, Protocol):
    """What a request asks of the library."""

    async def find_all(self, track_ids: tuple[str, ...]) -> tuple[Track, ...] | None:
        """These tracks if every one is there, else None."""


class Unloads(Protocol):
    async def unload(self, backend: str | None) -> tuple[str, ...]: ...


def _has_checkpoint(params: StageParams, tracks: tuple[Track, ...]) -> bool:
    """Whether a checkpoint that was asked for is still there: they go before their tracks do."""
    return params.checkpoint_step is None or all(track.latent_checkpoint_id is not UNSET for track in tracks)


@contextlib.contextmanager
def in_stage(index: int, *, named: bool = True) -> Iterator[None]:
    """Errors say in which stage of a pipeline they are, where it is ``named``."""
    try:
        yield
    except LofiError as error:
        if named:
            error.field = f"stages[{index}].{error.field}" if error.field else f"stages[{index}]"
            error.message = f"{error.field}: {error.message}"
            error.args = (error.message,)
            error.details["stage_index"] = index
        raise


class Earlier(Struct, frozen=True):
    """A stage that need not be run, as another job has run it."""

    prepared: Prepared
    result: StageResult


_UNKNOWN = Prepared(StageParams(backend="", prompt="", duration_sec=0, seed=0), (), Equipment(""))
"""In the place of a stage that is not looked at."""


class Accepted(Struct, frozen=True):
    job: Job
    status: Literal["cached", "queued", "generating"]
    position: int


class Generation:
    """Checks, asks the limit hook, looks into the library, and only then queues."""

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        library: Library,
        engine: Unloads,
        memory: Memory,
        limit_hook: LimitHook,
        notice: Callable[[NoticeLevel, str], None],
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._library = library
        self._engine = engine
        self._memory = memory
        self._limit_hook = limit_hook
        self._notice = notice
        self._told_default = ""

    async def generate(
        self, request: StageRequest, priority: Priority, job_id: str | None, auto_play: bool
    ) -> Accepted:
        """One stage into the line, or its tracks out of the library.

        Raises the errors of ``resolve`` and ``prepare``, QUOTA_EXCEEDED, BACKEND_NOT_INSTALLED, BACKEND_NOT_READY and
        QUEUE_FULL.
        """
        stages = await self._prepared(Pipeline(stages=(request,)), job_id, (), named=False)
        return await self._accept(stages, priority, job_id, auto_play, (), ())

    async def run(
        self,
        pipeline: Pipeline,
        priority: Priority,
        job_id: str | None,
        auto_play: bool,
        earlier: tuple[Earlier, ...] = (),
    ) -> Accepted:
        """Its stages into the line, but for the first ones that ``earlier`` tells of.

        Raises as ``generate`` does, before anything is queued; the field is "stages[1].scheduler".
        """
        stages = await self._prepared(pipeline, job_id, earlier, named=True)
        results = tuple(stage.result for stage in earlier)
        return await self._accept(stages, priority, job_id, auto_play, results, merged(pipeline))

    async def check(
        self, pipeline: Pipeline, stage_index: int, earlier: Sequence[Prepared | None], library: Finds
    ) -> Prepared | None:
        """What ``run`` would make of one stage; None where it works from one before that is None. Raises as it does."""
        with in_stage(stage_index):
            resolved = self._resolve(pipeline, stage_index)
            self._require_ready(resolved.params.backend)
            source = weighed(resolved.params).src_stage
            if source is not None and earlier[source] is None:
                return None
            known = [stage or _UNKNOWN for stage in earlier]
            asked = self._duration_asked(pipeline, stage_index)
            return await prepare(resolved, asked, known, self._settings, library)

    def _resolve(self, pipeline: Pipeline, index: int) -> Resolved:
        return resolve(pipeline.stages[index], self._settings, draw_seed, pipeline.shared, index)

    def _duration_asked(self, pipeline: Pipeline, index: int) -> bool:
        return pipeline.stages[index].duration_sec is not None or pipeline.shared.duration_sec is not None

    async def _prepared(
        self, pipeline: Pipeline, job_id: str | None, earlier: tuple[Earlier, ...], *, named: bool
    ) -> list[Prepared]:
        """All stages, every one checked."""
        numbers = range(len(earlier), len(pipeline.stages))
        resolved: dict[int, Resolved] = {}
        for index in numbers:
            with in_stage(index, named=named):
                resolved[index] = self._resolve(pipeline, index)
        limits.ask(self._limit_hook, tuple(stage.params for stage in resolved.values()))
        for index in numbers:
            with in_stage(index, named=named):
                self._require_ready(resolved[index].params.backend)
        if job_id is not None:
            self._jobs.require_free_id(job_id)
        stages = [stage.prepared for stage in earlier]
        for index in numbers:
            with in_stage(index, named=named):
                asked = self._duration_asked(pipeline, index)
                stages.append(await prepare(resolved[index], asked, stages, self._settings, self._library))
        shared = pipeline.shared.backend
        for index in numbers:
            if pipeline.stages[index].backend is None and shared is None:
                self._tell_default(stages[index].params.backend)
            for message in stages[index].notices:
                self._notice("warn", message)
        return stages

    async def _accept(
        self,
        stages: list[Prepared],
        priority: Priority,
        job_id: str | None,
        auto_play: bool,
        results: tuple[StageResult, ...],
        asked: tuple[dict[str, object], ...],
    ) -> Accepted:
        params = tuple(stage.params for stage in stages)
        job = Job(
            id=job_id or uuid.uuid4().hex,
            stages=params,
            track_ids=tuple(stage.track_ids for stage in stages),
            equipment=tuple(stage.equipment for stage in stages),
            priority=priority,
            auto_play=auto_play,
            latents=tuple({file.record.id: file for stage in stages for file in stage.latents}.values()),
            sources={name: path for stage in stages for name, path in stage.sources.items()},
            asked=asked,
            heard_stages=heard_stages(params),
            first=len(results),
            results=results,
        )
        if joined := self._joined(job):
            return self._accepted(joined)
        if there := await self._in_library(job):
            self._jobs.complete_from_library(job, there)
            return Accepted(job, "cached", 0)
        if joined := self._joined(job):  # another client was quicker
            return self._accepted(joined)
        self._jobs.submit(job)
        return self._accepted(job)

    def _joined(self, job: Job) -> Job | None:
        if len(job.stages) > 1:
            return None
        joined = self._jobs.join(job.track_ids[0], job.priority, job.auto_play)
        if joined and len(joined.stages) == 1:
            joined.asked = joined.asked or job.asked
        return joined

    async def _in_library(self, job: Job) -> tuple[StageResult, ...]:
        """What is to be heard of ``job``, if all of it is there."""
        heard, results = {*job.heard_stages, len(job.stages) - 1}, []
        for index, params in enumerate(job.stages[job.first :], job.first):
            if index not in heard:
                if params.checkpoint_step is not None:
                    return ()
                continue
            tracks = await self._library.find_all(job.track_ids[index])
            if not tracks or not _has_checkpoint(params, tracks):
                return ()
            used = msgspec.structs.replace(tracks[0].params, batch_size=params.batch_size)
            results.append(StageResult(index, used, 0.0, tracks))
        return tuple(results)

    async def unload(self, backend: str | None) -> tuple[str, ...]:
        """Free models from memory; their names. Raises BACKEND_NOT_READY while one of them is generating."""
        current = self._jobs.current
        if current and (backend is None or backend in {stage.backend for stage in current.stages}):
            raise LofiError(
                "BACKEND_NOT_READY",
                f"{backend or current.params.backend} is generating; cancel that job or wait, then unload.",
                field="backend", job_id=current.id,
            )  # fmt: skip
        unloaded = await self._engine.unload(backend)
        self._memory.drop(unloaded)
        return unloaded

    def loaded(self) -> list[str]:
        """Backends that are in memory."""
        return self._memory.backends()

    def _accepted(self, job: Job) -> Accepted:
        position = self._jobs.position(job)
        return Accepted(job, "queued" if position else "generating", position)

    def _require_ready(self, backend: str) -> None:
        available = BACKENDS[backend].availability(self._settings)
        if available.status != "ready":
            name = "BACKEND_NOT_INSTALLED" if available.status == "not_installed" else "BACKEND_NOT_READY"
            raise LofiError(name, available.message, field="backend", status=available.status)

    def _tell_default(self, backend: str) -> None:
        """Once, and when it changes: which backend "auto" came to mean."""
        if self._settings.default_backend != "auto" or backend == self._told_default:
            return
        self._told_default = backend
        if backend == "synth":
            self._notice("info", "No neural backend is installed: the built-in composer (synth) makes the music.")
        else:
            self._notice(
                "info",
                f"{BACKENDS[backend].name} makes the music, as its model is installed; with backend=synth the "
                "built-in composer does, at once.",
            )
