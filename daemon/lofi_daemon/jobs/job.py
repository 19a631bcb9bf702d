"""A job and what is told about it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from ..backends.base import Equipment
from ..engine.link import Made
from ..model import LatentFile, Priority, StageParams, Track
from .eta import Pace

State = Literal["queued", "generating", "committing", "completed", "failed", "cancelled"]


class StageResult(Struct, frozen=True):
    """What a stage has left in the library; ``params`` as it was run, with what it started from in place of
    ``src_stage``. No tracks: it stayed a latent."""

    stage_index: int
    params: StageParams
    seconds: float
    tracks: tuple[Track, ...]
    latents: tuple[LatentFile, ...] = ()

    def made(self) -> Made:
        """For the stages after it."""
        final = next((file for file in self.latents if not file.record.is_checkpoint), None)
        return Made(tuple((track.id, track.path) for track in self.tracks), final)


class Job(Struct, eq=False):
    """One accepted request. Only ``Jobs`` changes it. ``sources`` and ``heard_stages``: see ``engine.link.Run``.

    ``asked`` is what a pipeline's stages were asked for, before defaults: each stage's end is told. ``results`` are
    of the stages that have ended; those that a job begins with were run by another, ``first`` is the one after them.
    """

    id: str
    stages: tuple[StageParams, ...]
    track_ids: tuple[tuple[str, ...], ...]
    equipment: tuple[Equipment, ...]
    priority: Priority
    auto_play: bool
    sources: dict[str, str] = {}
    latents: tuple[LatentFile, ...] = ()
    """What its stages start from."""
    asked: tuple[dict[str, object], ...] = ()
    heard_stages: tuple[int, ...] = ()
    first: int = 0
    results: tuple[StageResult, ...] = ()
    state: State = "queued"
    pace: Pace = msgspec.field(default_factory=Pace)
    stage_index: int = 0
    step: int = 0
    total_steps: int = 0
    staging: str = ""
    started: bool = False
    cancelling: bool = False
    heard: bool = False
    left_off: str = ""
    """The newest automatic checkpoint, in ``staging``."""
    again: bool = False
    """Its worker died, and another one goes on: once, so that a job that is too large for the memory cannot loop."""

    @property
    def params(self) -> StageParams:
        """The last stage: what the job's tracks are made by."""
        return self.stages[-1]

    @property
    def track_id(self) -> str:
        return self.track_ids[-1][0]


# What happens to a job, told to the listener in this order: Started?, Progressed, Streaming, Resumed and
# StageCompleted*, then exactly one of the last three.


class JobStarted(Struct, frozen=True):
    job: Job
    device: str


class JobProgressed(Struct, frozen=True):
    job: Job
    percent: int
    eta_sec: float | None


class JobStreaming(Struct, frozen=True):
    """``frames`` of interleaved float32 of the job's first track lie ready in the growing file ``path``."""

    job: Job
    path: str
    frames: int
    sample_rate: int
    channels: int


class JobResumed(Struct, frozen=True):
    """Its worker died for ``reason``; another one goes on where it left off."""

    job: Job
    reason: str


class LatentUnkept(Struct, frozen=True):
    """The job's tracks are kept without a latent; ``message`` says why."""

    job: Job
    message: str


class StageCompleted(Struct, frozen=True):
    job: Job
    result: StageResult


class JobCompleted(Struct, frozen=True):
    job: Job
    tracks: tuple[Track, ...]
    cached: bool


class JobFailed(Struct, frozen=True):
    job: Job
    name: str
    message: str


class JobCancelled(Struct, frozen=True):
    job: Job


class QueueChanged(Struct, frozen=True):
    pending: int


JobEvent = (
    JobStarted | JobProgressed | JobStreaming | JobResumed | LatentUnkept
    | StageCompleted | JobCompleted | JobFailed | JobCancelled | QueueChanged
)  # fmt: skip


class JobView(Struct, frozen=True):
    """A job on the wire. ``position`` is 0 for the running one."""

    job_id: str
    track_id: str
    prompt: str
    duration_sec: float
    backend: str
    priority: Priority
    status: State
    position: int
    percent: int
    eta_sec: float | None
    current_step: int
    total_steps: int
    stage_index: int
    stages: int


def view(job: Job, position: int) -> JobView:
    return JobView(
        job_id=job.id,
        track_id=job.track_id,
        prompt=job.params.title,
        duration_sec=job.params.duration_sec,
        backend=job.params.backend,
        priority=job.priority,
        status=job.state,
        position=position,
        percent=job.pace.percent,
        eta_sec=job.pace.eta_sec,
        current_step=job.step,
        total_steps=job.total_steps,
        stage_index=job.stage_index,
        stages=len(job.stages),
    )
