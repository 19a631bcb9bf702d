"""generate, cancel, the queue."""

from __future__ import annotations

import re
from typing import get_args

from msgspec import Struct

from ...backends.registry import BACKENDS
from ...errors import LofiError
from ...generation import Generation
from ...jobs.job import Job
from ...jobs.lifecycle import Jobs
from ...model import Priority
from ...stages.request import GenerateRequest
from .table import NoParams, Table

_JOB_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class CancelParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None
    job_id: str | None = None


class MoveParams(Struct, frozen=True, forbid_unknown_fields=True):
    job_id: str
    position: int


class UnloadParams(Struct, frozen=True, forbid_unknown_fields=True):
    backend: str | None = None


def add(table: Table, generation: Generation, jobs: Jobs) -> None:
    @table.method("generate", GenerateRequest)
    async def generate(request: GenerateRequest) -> object:
        priority, job_id = as_priority(request.priority), as_job_id(request.job_id)
        accepted = await generation.generate(request, priority, job_id, bool(request.auto_play))
        job = accepted.job
        return {
            "job_id": job.id,
            "track_id": job.track_id,
            "track_ids": list(job.track_ids[-1]),
            "status": accepted.status,
            "position": accepted.position,
            "seed": job.params.seed,
            "backend": job.params.backend,
        }

    @table.method("cancel", CancelParams)
    async def cancel(params: CancelParams) -> object:
        result = jobs.cancel(_find_job(jobs, params))
        return {"cancelled": result.cancelled, "was_generating": result.was_generating}

    @table.method("queue_status", NoParams)
    async def queue_status(_: NoParams) -> object:
        return _queue(jobs)

    @table.method("queue_move", MoveParams)
    async def queue_move(params: MoveParams) -> object:
        jobs.move(params.job_id, params.position)
        return _queue(jobs)

    @table.method("queue_clear", NoParams)
    async def queue_clear(_: NoParams) -> object:
        return {"cleared": jobs.clear()}

    @table.method("unload_backend", UnloadParams)
    async def unload_backend(params: UnloadParams) -> object:
        if params.backend is not None and params.backend not in BACKENDS:
            raise LofiError(
                "INVALID_BACKEND", f"There is no backend “{params.backend}”; choose one of {', '.join(BACKENDS)}.",
                field="backend", expected=list(BACKENDS), got=params.backend,
            )  # fmt: skip
        return {"unloaded": list(await generation.unload(params.backend))}


def _queue(jobs: Jobs) -> dict[str, object]:
    current, pending = jobs.views()
    return {"current": current, "pending": pending}


def as_job_id(job_id: str | None) -> str | None:
    """Raises INVALID_PARAMS."""
    if job_id is not None and not _JOB_ID.fullmatch(job_id):
        raise LofiError(
            "INVALID_PARAMS", "A job_id has 1 to 64 letters, digits, or any of _ . : -", field="job_id",
            got=job_id[:80],
        )  # fmt: skip
    return job_id


def as_priority(name: str | None) -> Priority:
    """Raises INVALID_PARAMS."""
    levels = get_args(Priority)
    if name is None:
        return "normal"
    if name not in levels:
        raise LofiError(
            "INVALID_PARAMS", f"There is no priority “{name}”; choose one of {', '.join(levels)}.",
            field="priority", expected=list(levels), got=name,
        )  # fmt: skip
    return name  # type: ignore[return-value]


def _find_job(jobs: Jobs, params: CancelParams) -> Job:
    """The live job meant by a job id, or by a track id or a unique beginning of one (6 characters or more)."""
    if params.job_id is None and params.track_id is None:
        raise LofiError("INVALID_PARAMS", "Name what to cancel: job_id or track_id.", field="job_id")
    found = [
        job
        for job in jobs.live()
        if (params.job_id is None or job.id == params.job_id)
        and (params.track_id is None or _names_track(params.track_id, job))
    ]
    if len(found) != 1:
        name = params.job_id or params.track_id
        problem = "more than one waiting or running job" if found else "no waiting or running job"
        raise LofiError("JOB_NOT_FOUND", f"“{name}” is {problem}; `lofi queue` and :LofiQueue list them.", got=name)
    return found[0]


def _names_track(prefix: str, job: Job) -> bool:
    return len(prefix) >= 6 and any(track_id.startswith(prefix.lower()) for track_id in job.track_ids[-1])
