"""Runs the stages of one job in the worker: engine by engine, files into the staging folder."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..audio.files import write_track
from ..audio.loudness import integrated_lufs
from ..backends.base import Engine, Equipment, Latent, LatentMade, Origin, Rendering
from ..backends.registry import ENGINE_MODULES
from ..engine.link import Done, Made, Notice, Progress, Run, StageDone, Started
from ..errors import LofiError
from ..model import LatentFile, NoticeLevel, StageParams, Track
from .items import item_params
from .latents import Latents, StageLatents
from .sources import origin, parent_ids, settled
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
        params: StageParams,
        left_off: Latent | None = None,
        stream: Stream | None = None,
        *,
        wants_audio: bool = True,
    ) -> None:
        self.stream = stream
        self.left_off = left_off
        self.wants_audio = wants_audio
        self._params = params
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

    def origin(self) -> Origin | None:
        return origin(self._params, self._latents, self._sources)

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
    """Render the stages of ``job`` that are left and emit what happens, ending in ``Done``.

    ``latents`` are what the worker remembers of the jobs before.

    Raises ``LofiError`` and ``GenerationCancelled``; the caller turns them into ``Failed`` and ``Cancelled``.
    """
    latents = latents or Latents()
    made = list(job.earlier)
    latents.begin((*job.latents, *(left.latent for left in made if left.latent)))
    sources = dict(job.sources) | {name: path for left in made for name, path in left.tracks}
    last = len(job.stages) - 1
    for index in range(len(made), last + 1):
        done, kept = _run_stage(job, index, settled(job.stages[index], made), engines, emit, check_cancelled, latents,
                                sources, now)  # fmt: skip
        latents.remember(kept)
        if index == last:
            emit(Done(job.job_id, done.tracks, done.latents, done.params, done.seconds))
            return
        left = _left(job, done)
        sources |= dict(left.tracks)
        made.append(left)
        emit(done)


def _run_stage(
    job: Run,
    index: int,
    params: StageParams,
    engines: Engines,
    emit: Emit,
    check_cancelled: Callable[[int, int], None],
    latents: Latents,
    sources: Mapping[str, str],
    now: Callable[[], datetime],
) -> tuple[StageDone, list[tuple[LatentFile, bytes]]]:
    """One stage, and the latents that it kept."""
    equipment = job.equipment[index]
    emit(Started(job.job_id, equipment.device, index))  # before: torch takes seconds to import
    engine = engines.get(params.backend)
    started = time.monotonic()
    staging, is_last = Path(job.staging), index == len(job.stages) - 1
    heard = is_last or index in job.heard_stages
    stream = Stream(job.job_id, staging, job.track_ids[index][0], emit) if is_last else None
    parents = parent_ids(params, latents.records())
    own = StageLatents(job, index, emit, now, params=params, parent_ids=parents, heard=heard)
    left_off = own.left_off(job.left_off) if job.left_off else None
    context = StageContext(
        job.job_id, index, emit, check_cancelled, equipment, sources, latents, own, params, left_off, stream,
        wants_audio=heard,
    )  # fmt: skip
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
            rendering, item_params(params, item), job.track_ids[index][item], equipment.model_version, seconds, now(),
            staging, job, own, item, parents,
        )
        for item, rendering in enumerate(renderings)
    )  # fmt: skip
    return StageDone(job.job_id, index, params, seconds, tracks, own.files()), own.made


def _left(job: Run, done: StageDone) -> Made:
    """What ``done`` leaves to the stages after it. Its tracks as copies where they may be needed: the front takes the
    files themselves away."""
    latent = next((file for file in done.latents if not file.record.is_checkpoint), None)
    if not any(params.src_stage == done.stage_index for params in job.stages):
        return Made(latent=latent)
    staging, tracks = Path(job.staging), []
    for track in done.tracks:
        copy = staging / f"stage{done.stage_index}-{track.path}"
        try:
            shutil.copyfile(staging / track.path, copy)
        except OSError as error:
            raise _unwritten(staging, error) from error
        tracks.append((track.id, str(copy)))
    return Made(tuple(tracks), latent)


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
    parents: tuple[str, ...],
) -> Track:
    """Write one rendering into the staging folder as a whole, self-describing file."""
    frames, channels = rendering.audio.shape
    lufs = rendering.lufs
    if lufs is None:
        lufs = integrated_lufs(rendering.audio, rendering.sample_rate)
    track = Track(
        id=track_id,
        path="",
        prompt=params.title,
        duration_sec=frames / rendering.sample_rate,
        sample_rate=rendering.sample_rate,
        channels=channels,
        seed=params.seed,
        backend=params.backend,
        model_version=model_version,
        generation_time_sec=seconds,
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        params=params,
        parent_ids=parents,
        lm_metadata=dict(rendering.metadata) if rendering.metadata else msgspec.UNSET,
        lufs=None if lufs is None else round(lufs, 2),
    )
    track = latents.on_track(track, item)
    name = f"{track_id}.{job.audio_format}"
    try:
        write_track(staging / name, rendering.audio, rendering.sample_rate, track, job.audio_format)
    except OSError as error:
        raise _unwritten(staging, error) from error
    return msgspec.structs.replace(track, path=name)


def _unwritten(staging: Path, error: OSError) -> LofiError:
    return LofiError(
        "CACHE_WRITE_ERROR",
        f"The track could not be written to {staging} ({error.strerror or error}); "
        "free some space or set another cache.dir.",
    )
