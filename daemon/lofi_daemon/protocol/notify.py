"""What happens in the rooms, as notifications to every client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..jobs.job import (
    Job,
    JobCancelled,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobProgressed,
    JobStarted,
    QueueChanged,
    StageCompleted,
    StageResult,
)
from ..jobs.results import record_of
from ..model import NoticeLevel, Track
from ..player.events import (
    DevicesChanged,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackSeeked,
    PlaybackStarted,
    PlaylistChanged,
    VolumeChanged,
)
from .wire import notification

PlaybackEvent = (
    PlaybackStarted
    | PlaybackPaused
    | PlaybackResumed
    | PlaybackEnded
    | PlaybackSeeked
    | VolumeChanged
    | PlaylistChanged
    | DevicesChanged
)

_PLAYBACK = {
    PlaybackStarted: "playback_started",
    PlaybackPaused: "playback_paused",
    PlaybackResumed: "playback_resumed",
    PlaybackEnded: "playback_ended",
    PlaybackSeeked: "playback_seeked",
    VolumeChanged: "volume_changed",
    PlaylistChanged: "playlist_changed",
    DevicesChanged: "devices_changed",
}

Send = Callable[[bytes], None]


class Notifier:
    """Fans notifications out to the clients that are connected now."""

    def __init__(self) -> None:
        self._clients: list[Send] = []
        self._unheard: list[bytes] = []

    def connect(self, send: Send) -> None:
        """From now on ``send`` hears everything; the first client also what was said before it came."""
        self._clients.append(send)
        unheard, self._unheard = self._unheard, []
        for line in unheard:
            send(line)

    def disconnect(self, send: Send) -> None:
        self._clients.remove(send)

    def emit(self, method: str, params: object) -> None:
        line = notification(method, params)
        for send in self._clients:
            send(line)

    def notice(self, level: NoticeLevel, message: str) -> None:
        """An engine_notice. One said before any client is there waits for the first."""
        line = notification("engine_notice", {"level": level, "message": message})
        if not self._clients:
            self._unheard.append(line)
        for send in self._clients:
            send(line)

    def player(self, event: PlaybackEvent) -> None:
        self.emit(_PLAYBACK[type(event)], event)

    def job(self, event: JobEvent) -> None:
        if isinstance(event, QueueChanged):
            self.emit("queue_changed", {"pending": event.pending})
            return
        job = event.job
        ids = {"job_id": job.id, "track_id": job.track_id}
        if isinstance(event, JobStarted):
            self.emit(
                "generation_started",
                ids
                | {
                    "prompt": job.params.title,
                    "duration_sec": job.params.duration_sec,
                    "seed": job.params.seed,
                    "backend": job.params.backend,
                    "device": event.device,
                },
            )
        elif isinstance(event, JobProgressed):
            self.emit(
                "generation_progress",
                ids
                | {
                    "percent": event.percent,
                    "current_step": job.step,
                    "total_steps": job.total_steps,
                    "eta_sec": event.eta_sec,
                    "stage_index": job.stage_index,
                    "stages": len(job.stages),
                },
            )
        elif isinstance(event, StageCompleted):
            self.emit("stage_complete", stage_done(job, event.result))
        elif isinstance(event, JobCompleted):
            self.emit("generation_complete", completion(job.id, event.tracks, event.cached))
        elif isinstance(event, JobFailed):
            self.emit("generation_error", ids | {"code": event.name, "message": event.message} | _left(job))
        elif isinstance(event, JobCancelled):
            at = {"at_step": job.step, "total_steps": job.total_steps}
            self.emit("generation_cancelled", ids | at | _left(job))


_OF_THE_FIRST = (
    "path", "duration_sec", "sample_rate", "generation_time_sec", "backend", "model_version", "prompt", "seed",
    "latent_id", "latent_checkpoint_id", "checkpoint_step", "lm_metadata",
)  # fmt: skip


def _left(job: Job) -> dict[str, Any]:
    """Where a pipeline ended, and from which stage it can be run again."""
    if not job.asked:
        return {}
    return {
        "pipeline_id": job.id,
        "stage_index": job.stage_index,
        "stages": len(job.stages),
        "from_stage": len(job.results),
    }


def stage_done(job: Job, result: StageResult) -> dict[str, Any]:
    """What a stage of a pipeline has left."""
    left = record_of(result)
    return {
        "job_id": job.id,
        "pipeline_id": job.id,
        "stage_index": result.stage_index,
        "stages": len(job.stages),
        "tracks": result.tracks,
        "latent_ids": left.latents,
        "checkpoint_ids": left.checkpoints,
        "params": result.params,
        "seconds": result.seconds,
        "preview": job.stages[result.stage_index].preview,
    }


def completion(job_id: str, tracks: tuple[Track, ...], cached: bool) -> dict[str, Any]:
    """All tracks, and the first one's fields flat for clients that know one track a job."""
    first = tracks[0]
    flat = {name: value for name in _OF_THE_FIRST if (value := getattr(first, name)) is not msgspec.UNSET}
    return {"job_id": job_id, "track_id": first.id, "tracks": tracks, "cached": cached} | flat
