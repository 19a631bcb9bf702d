"""Runs the stages of one job in the worker: engine by engine, files into the staging folder."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..audio.files import write_track
from ..audio.loudness import integrated_lufs
from ..backends.base import Engine, Equipment, Latent, LatentMade, Rendering
from ..backends.registry import ENGINE_MODULES
from ..engine.link import Done, Notice, Progress, Run, StageDone, Started
from ..errors import LofiError
from ..model import LatentFile, NoticeLevel, StageParams, Track
from .items import item_params
from .latents import Latents, StageLatents
from .sources import source_ids
from .stream import Stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Emit = Callable[[object], None]


class Engines:
    """The engines of this worker, each made when first used and kept until unloaded."""

    def __init__(self) -> None:
        self._made: dict[str, Engine] = {}

    def get(self, backend: str) -> Engine:
        if backend not in self._made:
            if backend not in ENGINE_MODULES:
                raise LofiError("BACKEND_NOT_INSTALLED", f"This version has no engine for {backend}.")
            module = importlib.import_module(ENGINE_MODULES[backend])
            self._made[backend] = module.make_engine()
        return self._made[backend]

    def unload(self, backend: str | None) -> tuple[str, ...]:
        """Drop one engine or all; the names of those dropped."""
        names = [name for name in self._made if backend in (None, name)]
        return tuple(name for name in names if self._made.pop(name).unload())


class StageContext:
    """A ``RenderContext`` that reports through the link. ``check_cancelled`` raises GenerationCancelled."""

    def __init__(
        self,
        job_id: str,
        stage_index: int,
        emit: Emit,
        check_cancelled: Callable[[int, int], None],
        equipment: Equipment,
        sources: Mapping[str, str],
        latents: Latents,
        own: StageLatents,
        left_off: Latent | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.stream = stream
        self.left_off = left_off
        self._sources = sources
        self._latents = latents
        self._own = own
        self.equipment = equipment
        self.heard = False
        self._job_id = job_id
        self._stage_index = stage_index
        self._emit = emit
        self._check_cancelled = check_cancelled
        self._last_percent = -1

    def step(self, done: int, total: int) -> None:
        self._check_cancelled(done, total)
        percent = 100 * done // max(total, 1)
        if percent != self._last_percent:  # the front needs no more than each percent once
            self._last_percent = percent
            self._emit(Progress(self._job_id, done, total, self._stage_index))

    def source(self, track_id: str) -> Path:
        return Path(self._sources[track_id])

    def notice(self, level: NoticeLevel, message: str) -> None:
        self._emit(Notice(level, message))

    def audio(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        if self.stream:
            self.heard = True
            self.stream.append(samples, sample_rate)

    def latent(self, latent_id: str) -> Latent:
        return self._latents.latent(latent_id)

    def keep(self, made: LatentMade) -> None:
        self._own.keep(made)

    def checkpoint(self, make: Callable[[], LatentMade]) -> None:
        self._own.checkpoint(make)


def run_job(
    job: Run,
    engines: Engines,
    emit: Emit,
    check_cancelled: Callable[[int, int], None],
    latents: Latents | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Render every stage of ``job`` and emit what happens, ending in ``Done``.

    ``latents`` are what the worker remembers of the jobs before.

    Raises ``LofiError`` and ``GenerationCancelled``; the caller turns them into ``Failed`` and ``Cancelled``.
    """
    staging = Path(job.staging)
    latents = latents or Latents()
    latents.begin(job.latents)
    tracks: tuple[Track, ...] = ()
    made: list[tuple[LatentFile, bytes]] = []
    for index, params in enumerate(job.stages):
        emit(Started(job.job_id, job.equipment[index].device, index))  # before: torch takes seconds to import
        engine = engines.get(params.backend)
        started = time.monotonic()
        is_last = index == len(job.stages) - 1
        stream = Stream(job.job_id, staging, job.track_ids[index][0], emit) if is_last else None
        own = StageLatents(job, index, emit, now)
        left_off = own.left_off(job.left_off) if job.left_off else None
        context = StageContext(
            job.job_id, index, emit, check_cancelled, job.equipment[index], job.sources, latents, own, left_off, stream
        )
        try:
            renderings = engine.render(params, context)
            if stream:
                stream.end(renderings[0].audio)
        finally:
            if stream:
                stream.close()
        seconds = round(time.monotonic() - started, 3)
        tracks = tuple(
            _keep(
                rendering, item_params(params, item), job.track_ids[index][item], job.equipment[index].model_version,
                seconds, now(), staging, job, own, item,
            )
            for item, rendering in enumerate(renderings)
        )  # fmt: skip
        emit(StageDone(job.job_id, index, tracks, own.files()))
        made += own.made
    latents.remember(made)
    emit(Done(job.job_id, tracks, tuple(file for file, _ in made)))


def _keep(
    rendering: Rendering,
    params: StageParams,
    track_id: str,
    model_version: str,
    seconds: float,
    created: datetime,
    staging: Path,
    job: Run,
    latents: StageLatents,
    item: int,
) -> Track:
    """Write one rendering into the staging folder as a whole, self-describing file."""
    frames, channels = rendering.audio.shape
    lufs = rendering.lufs
    if lufs is None:
        lufs = integrated_lufs(rendering.audio, rendering.sample_rate)
    track = Track(
        id=track_id,
        path="",
        prompt=params.prompt,
        duration_sec=frames / rendering.sample_rate,
        sample_rate=rendering.sample_rate,
        channels=channels,
        seed=params.seed,
        backend=params.backend,
        model_version=model_version,
        generation_time_sec=seconds,
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        params=params,
        parent_ids=source_ids(params),
        lm_metadata=dict(rendering.metadata) if rendering.metadata else msgspec.UNSET,
        lufs=None if lufs is None else round(lufs, 2),
    )
    track = latents.on_track(track, item)
    name = f"{track_id}.{job.audio_format}"
    try:
        write_track(staging / name, rendering.audio, rendering.sample_rate, track, job.audio_format)
    except OSError as error:
        raise LofiError(
            "CACHE_WRITE_ERROR",
            f"The track could not be written to {staging} ({error.strerror or error}); "
            "free some space or set another cache.dir.",
        ) from error
    return msgspec.structs.replace(track, path=name)
