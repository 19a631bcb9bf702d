"""The methods: parse the parameters, call a room, shape the reply. Nothing is decided here that a room could decide."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from .. import PROTOCOL_VERSION, __version__
from ..backends.registry import BACKENDS, default_backend
from ..config import Settings
from ..errors import LofiError
from ..generation import Generation
from ..jobs.job import Job
from ..jobs.lifecycle import Jobs
from ..library.room import Library
from ..model import AudioFormat, Priority
from ..player.player import Player
from ..stages.request import GenerateRequest, convert_error
from .wire import Method

P = TypeVar("P", bound=Struct)
MAX_PAGE = 200
_JOB_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class EngineState(Protocol):
    device: str | None

    async def unload(self, backend: str | None) -> tuple[str, ...]: ...


class NoParams(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class TrackParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str


class PlayParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None


class CancelParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None
    job_id: str | None = None


class UnloadParams(Struct, frozen=True, forbid_unknown_fields=True):
    backend: str | None = None


class ListParams(Struct, frozen=True, forbid_unknown_fields=True):
    query: str | None = None
    sort: str = "newest"
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50
    offset: Annotated[int, Meta(ge=0)] = 0


class ClearParams(Struct, frozen=True, forbid_unknown_fields=True):
    keep_favorites: bool = True


class FavoriteParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str
    favorite: bool = True


class ExportParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str
    path: str
    format: AudioFormat | None = None


class VolumeParams(Struct, frozen=True, forbid_unknown_fields=True):
    level: float


def build(
    settings: Settings,
    generation: Generation,
    jobs: Jobs,
    library: Library,
    player: Player,
    engine: EngineState,
    shutdown: Callable[[], None],
) -> dict[str, Method]:
    """Every method by name, bound to the rooms it calls."""
    methods: dict[str, Method] = {}

    def method(kind: type[P]) -> Callable[[Callable[[P], Awaitable[object]]], None]:
        names = tuple(field.encode_name for field in msgspec.structs.fields(kind))

        def register(handle: Callable[[P], Awaitable[object]]) -> None:
            async def call(params: dict[str, Any]) -> object:
                try:
                    # null means "left open" everywhere
                    parsed = msgspec.convert({k: v for k, v in params.items() if v is not None}, kind)
                except msgspec.ValidationError as error:
                    raise convert_error(error, names) from None
                return await handle(parsed)

            methods[handle.__name__] = call

        return register

    # ── the daemon ──

    @method(NoParams)
    async def ping(_: NoParams) -> object:
        return {"status": "ok", "version": __version__, "protocol": PROTOCOL_VERSION, "pid": os.getpid()}

    @method(NoParams)
    async def status(_: NoParams) -> object:
        current, pending = jobs.views()
        return {
            "playback": player.state(),
            "generation": current,
            "queue": {"pending": pending},
            "cache": await cache_summary(),
            "engine": engine_state(),
            "radio": None,
        }

    async def cache_summary() -> object:
        try:
            return await library.stats()
        except LofiError as error:  # an unwritable cache must not hide the rest
            return {"error": error.message}

    def engine_state() -> dict[str, object]:
        return {
            "device": engine.device or settings.device,
            "execution_mode": settings.execution_mode,
            "loaded": list(generation.loaded),
        }

    @method(NoParams)
    async def shutdown_(_: NoParams) -> object:
        shutdown()
        return {"status": "shutting_down"}

    methods["shutdown"] = methods.pop("shutdown_")

    # ── generation ──

    @method(GenerateRequest)
    async def generate(request: GenerateRequest) -> object:
        priority = _priority(request.priority)
        if request.job_id is not None and not _JOB_ID.fullmatch(request.job_id):
            raise LofiError(
                "INVALID_PARAMS", "A job_id has 1 to 64 letters, digits, or any of _ . : -", field="job_id",
                got=request.job_id[:80],
            )  # fmt: skip
        accepted = await generation.generate(request, priority, request.job_id, bool(request.auto_play))
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

    @method(CancelParams)
    async def cancel(params: CancelParams) -> object:
        result = jobs.cancel(_find_job(jobs, params))
        return {"cancelled": result.cancelled, "was_generating": result.was_generating}

    @method(NoParams)
    async def queue_status(_: NoParams) -> object:
        current, pending = jobs.views()
        return {"current": current, "pending": pending}

    @method(NoParams)
    async def queue_clear(_: NoParams) -> object:
        return {"cleared": jobs.clear()}

    @method(NoParams)
    async def get_backends(_: NoParams) -> object:
        return {
            "backends": [_backend_view(name, settings, engine.device) for name in BACKENDS],
            "default_backend": default_backend(settings),
        }

    @method(UnloadParams)
    async def unload_backend(params: UnloadParams) -> object:
        if params.backend is not None and params.backend not in BACKENDS:
            raise LofiError(
                "INVALID_BACKEND", f"There is no backend “{params.backend}”; choose one of {', '.join(BACKENDS)}.",
                field="backend", expected=list(BACKENDS), got=params.backend,
            )  # fmt: skip
        return {"unloaded": list(await generation.unload(params.backend))}

    # ── the library ──

    @method(ListParams)
    async def cache_list(params: ListParams) -> object:
        tracks, total = await library.page(params.query, params.sort, params.limit, params.offset)
        return {"tracks": tracks, "total": total}

    @method(TrackParams)
    async def cache_get(params: TrackParams) -> object:
        return await library.get(params.track_id)

    @method(TrackParams)
    async def cache_delete(params: TrackParams) -> object:
        return {"deleted": await library.delete(params.track_id)}

    @method(ClearParams)
    async def cache_clear(params: ClearParams) -> object:
        deleted, size = await library.clear(params.keep_favorites)
        return {"deleted": deleted, "bytes": size}

    @method(NoParams)
    async def cache_stats(_: NoParams) -> object:
        return await library.stats()

    @method(FavoriteParams)
    async def track_favorite(params: FavoriteParams) -> object:
        return await library.set_favorite(params.track_id, params.favorite)

    @method(ExportParams)
    async def track_export(params: ExportParams) -> object:
        return {"path": str(await library.export(params.track_id, params.path, params.format))}

    # ── playback ──

    @method(PlayParams)
    async def play(params: PlayParams) -> object:
        if params.track_id is None and player.state().state in ("playing", "paused"):
            return await player.resume()
        track = await library.to_play(params.track_id)
        return await player.play(track.id, track.path, track.duration_sec)

    @method(NoParams)
    async def pause(_: NoParams) -> object:
        return await player.pause()

    @method(NoParams)
    async def resume(_: NoParams) -> object:
        return await player.resume()

    @method(PlayParams)
    async def toggle(params: PlayParams) -> object:
        if player.state().state in ("playing", "paused") and params.track_id is None:
            return await player.toggle()
        track = await library.to_play(params.track_id)
        return await player.play(track.id, track.path, track.duration_sec)

    @method(NoParams)
    async def stop(_: NoParams) -> object:
        return await player.stop()

    @method(NoParams)
    async def volume_get(_: NoParams) -> object:
        return {"level": player.volume}

    @method(VolumeParams)
    async def volume_set(params: VolumeParams) -> object:
        await player.set_volume(params.level)
        return {"level": player.volume}

    return methods


def _priority(name: str | None) -> Priority:
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
        raise LofiError("JOB_NOT_FOUND", f"“{name}” is {problem}; queue_status lists them.", got=name)
    return found[0]


def _names_track(prefix: str, job: Job) -> bool:
    return len(prefix) >= 6 and any(track_id.startswith(prefix.lower()) for track_id in job.track_ids[-1])


def _backend_view(name: str, settings: Settings, device: str | None) -> dict[str, object]:
    info = BACKENDS[name]
    available = info.availability(settings)
    view: dict[str, object] = {
        "type": info.type,
        "name": info.name,
        "status": available.status,
        "min_duration_sec": info.min_duration_sec,
        "max_duration_sec": info.max_duration_sec,
        "sample_rate": info.sample_rate,
        "model_version": info.model_version,
        "stage_types": list(info.stage_types),
        "models": list(info.models),
    }
    if available.message:
        view["message"] = available.message
    if available.status == "ready":
        view["device"] = "cpu" if name == "synth" else (device or settings.device)
    return view
