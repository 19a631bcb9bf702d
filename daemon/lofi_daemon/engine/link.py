"""What the front and the worker say to each other: one msgspec struct a line, NDJSON on the worker's own pipe."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..backends.base import Equipment
from ..model import AudioFormat, LatentFile, NoticeLevel, StageParams, Track

# front → worker


class Made(Struct, frozen=True):
    """What a stage has left: id and file of each of its tracks, in the batch's order, and its final latent."""

    tracks: tuple[tuple[str, str], ...] = ()
    latent: LatentFile | None = None


class Run(Struct, frozen=True, tag="run"):
    """Render ``stages`` in order. Files go to the existing folder ``staging`` and nowhere else.

    The stages ``earlier`` tells of, the first ones, are not run again. ``heard_stages`` are those before the last that
    are to become audio even where a latent would do.

    ``track_ids[i]`` are the ids of stage i's batch items; their seeds are seed, seed + 1, …  ``sources`` are the paths
    of the tracks that stages work from, by id, ``latents`` the latents that they name. ``left_off`` is a file in
    ``staging``: the automatic checkpoint of a worker that died of this job.
    """

    job_id: str
    stages: tuple[StageParams, ...]
    track_ids: tuple[tuple[str, ...], ...]
    equipment: tuple[Equipment, ...]
    staging: str
    audio_format: AudioFormat = "flac"
    sources: dict[str, str] = {}
    latents: tuple[LatentFile, ...] = ()
    left_off: str = ""
    heard_stages: tuple[int, ...] = ()
    earlier: tuple[Made, ...] = ()


class Cancel(Struct, frozen=True, tag="cancel"):
    job_id: str


class Unload(Struct, frozen=True, tag="unload"):
    """Drop one backend's model from memory; ``None`` drops all."""

    backend: str | None = None


ToWorker = Run | Cancel | Unload

# worker → front


class Ready(Struct, frozen=True, tag="ready"):
    pid: int


class Started(Struct, frozen=True, tag="started"):
    """Stage ``stage_index`` begins, perhaps with loading a model; its first ``Progress`` says that it is loaded."""

    job_id: str
    device: str
    stage_index: int = 0


class Progress(Struct, frozen=True, tag="progress"):
    """``step`` of the ``total_steps`` of stage ``stage_index`` are done."""

    job_id: str
    step: int
    total_steps: int
    stage_index: int = 0


class AudioGrown(Struct, frozen=True, tag="audio"):
    """``frames`` of interleaved float32 lie ready in the growing raw file ``path`` of the staging folder."""

    job_id: str
    path: str
    frames: int
    sample_rate: int
    channels: int


class LeftOff(Struct, frozen=True, tag="left_off"):
    """Should the worker die, the job can go on from the file ``path`` of the staging folder."""

    job_id: str
    path: str


class Notice(Struct, frozen=True, tag="notice"):
    level: NoticeLevel
    message: str


class StageDone(Struct, frozen=True, tag="stage_done"):
    """A stage before the last is finished, as ``Done`` tells of the last. No tracks: it stayed a latent."""

    job_id: str
    stage_index: int
    params: StageParams
    seconds: float
    tracks: tuple[Track, ...]
    latents: tuple[LatentFile, ...] = ()


class Done(Struct, frozen=True, tag="done"):
    """The last stage is finished. The ``path`` of each track and latent is a name inside the staging folder; ``params``
    are those of the stage as it was run."""

    job_id: str
    tracks: tuple[Track, ...]
    latents: tuple[LatentFile, ...] = ()
    params: StageParams | None = None
    seconds: float = 0.0


class Failed(Struct, frozen=True, tag="failed"):
    """``name`` is from the table in errors.py; the traceback went to the worker's stderr."""

    job_id: str
    name: str
    message: str


class Cancelled(Struct, frozen=True, tag="cancelled"):
    job_id: str
    step: int
    total_steps: int


class Unloaded(Struct, frozen=True, tag="unloaded"):
    backends: tuple[str, ...]


FromWorker = (
    Ready | Started | Progress | AudioGrown | LeftOff | Notice | StageDone | Done | Failed | Cancelled | Unloaded
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_to_worker: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
_from_worker: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)


def encode(message: ToWorker | FromWorker) -> bytes:
    """One line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_to_worker(line: bytes) -> ToWorker:
    return _to_worker.decode(line)


def decode_from_worker(line: bytes) -> FromWorker:
    return _from_worker.decode(line)
