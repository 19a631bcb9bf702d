"""Pipelines that have run, remembered so that one can be run again from a later stage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from .backends.base import Equipment
from .errors import LofiError
from .generation import Earlier, in_stage
from .jobs.job import Job, JobCancelled, JobCompleted, JobEvent, JobFailed, StageCompleted, StageResult
from .jobs.results import record_of
from .library.pipelines import PipelineRecord, StageRecord, State
from .library.room import Library
from .model import LatentFile, Track
from .preparing import Prepared
from .stages.request import Pipeline
from .stages.resolve import merged

log = logging.getLogger(__name__)


class Pipelines:
    def __init__(
        self,
        library: Library,
        live: Callable[[], list[Job]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._library = library
        self._live = live
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()

    def on_job(self, event: JobEvent) -> None:
        """Every event of every job: what a stage left is remembered at once, for the daemon may die."""
        if isinstance(event, StageCompleted):
            self._remember(event.job, "running")
        elif isinstance(event, JobFailed):
            self._remember(event.job, "failed", event.message)
        elif isinstance(event, JobCancelled):
            self._remember(event.job, "cancelled")
        elif isinstance(event, JobCompleted):
            self._remember(event.job, "completed")

    async def get(self, pipeline_id: str) -> PipelineRecord:
        """Raises JOB_NOT_FOUND."""
        record = await self._library.pipeline(pipeline_id)
        if record is None:
            raise LofiError(
                "JOB_NOT_FOUND", f"No pipeline “{pipeline_id[:64]}” has left anything; run it from its file or buffer.",
                field="pipeline_id", got=pipeline_id[:64],
            )  # fmt: skip
        if record.state == "running" and all(job.id != pipeline_id for job in self._live()):
            return msgspec.structs.replace(record, state="failed", message="The daemon ended while it ran.")
        return record

    async def again(self, pipeline_id: str, from_stage: int | None) -> tuple[Pipeline, tuple[Earlier, ...]]:
        """The stages of that pipeline as they were resolved, and what those before ``from_stage`` left (default: the
        first that left nothing). Raises JOB_NOT_FOUND, and as ``earlier`` does."""
        record = await self.get(pipeline_id)
        stages = msgspec.convert({"stages": msgspec.to_builtins(record.stages)}, Pipeline)
        done = [result is not None for result in record.results]
        first = (done.index(False) if False in done else 0) if from_stage is None else from_stage
        _require_stage(first, len(record.stages))
        if not all(done[:first]):
            raise _nothing_left(first, f"in the pipeline {pipeline_id} stage {done.index(False)} left nothing")
        return stages, await self._earlier(record, stages, first)

    async def earlier(self, pipeline: Pipeline, from_stage: int) -> tuple[Earlier, ...]:
        """What the stages before ``from_stage`` left when the very same ones were run last.

        Raises INVALID_PARAMS where they have not, and for what is gone since INVALID_TRACK_ID or LATENT_NOT_FOUND.
        """
        _require_stage(from_stage, len(pipeline.stages))
        if from_stage == 0:
            return ()
        asked = merged(pipeline)[:from_stage]
        for record in await self._library.pipelines():
            if record.asked[:from_stage] == asked and None not in record.results[:from_stage]:
                return await self._earlier(record, pipeline, from_stage)
        raise _nothing_left(from_stage, "these stages have not been run before with just these fields")

    async def _earlier(self, record: PipelineRecord, pipeline: Pipeline, first: int) -> tuple[Earlier, ...]:
        used = {asked.get("src_stage") for asked in merged(pipeline)[first:]}
        found = []
        for index in range(first):
            left = record.results[index]
            assert left is not None
            with in_stage(index):
                tracks, latents = await self._left(left, needed=index in used)
            ids, model_version = record.identities[index]
            found.append(
                Earlier(
                    Prepared(record.stages[index], ids, Equipment(model_version)),
                    StageResult(index, left.params, left.seconds, tracks, latents),
                )
            )
        return tuple(found)

    async def _left(self, left: StageRecord, *, needed: bool) -> tuple[tuple[Track, ...], tuple[LatentFile, ...]]:
        """What of it is there; where it is ``needed``, raises for what is not."""
        latents = []
        for latent_id in (*left.latents, *left.checkpoints):
            try:
                latents.append(await self._library.latent(latent_id))
            except LofiError:
                if needed and latent_id in left.latents:
                    raise
        tracks = tuple(await self._library.find_some(left.tracks))
        if needed and not left.latents:
            for track_id in left.tracks:
                await self._library.get(track_id)
        return tracks, tuple(latents)

    def _remember(self, job: Job, state: State, message: str = "") -> None:
        if not job.asked or not job.results:
            return
        results = {result.stage_index: record_of(result) for result in job.results}
        record = PipelineRecord(
            id=job.id,
            created_at=self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            asked=job.asked,
            stages=job.stages,
            identities=tuple(
                (ids, equipment.model_version) for ids, equipment in zip(job.track_ids, job.equipment, strict=True)
            ),
            results=tuple(results.get(index) for index in range(len(job.stages))),
            state=state,
            message=message,
        )
        task = asyncio.get_running_loop().create_task(self._keep(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, record: PipelineRecord) -> None:
        try:
            await self._library.keep_pipeline(record)
        except LofiError as error:  # the music is kept, and that matters more
            log.warning("the pipeline %s cannot be resumed later: %s", record.id, error.message)


def _require_stage(from_stage: int, stages: int) -> None:
    if not 0 <= from_stage < stages:
        raise LofiError(
            "INVALID_PARAMS", f"from_stage must lie between 0 and {stages - 1}, not {from_stage}.",
            field="from_stage", expected=[0, stages - 1], got=from_stage,
        )  # fmt: skip


def _nothing_left(from_stage: int, why: str) -> LofiError:
    return LofiError(
        "INVALID_PARAMS", f"Nothing is left to go on from at stage {from_stage}: {why}; run the pipeline from its "
        "start.",
        field="from_stage", got=from_stage,
    )  # fmt: skip
