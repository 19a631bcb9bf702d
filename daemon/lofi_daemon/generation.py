"""From a checked request to a job: the walk from the wire to the waiting line."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, Struct

from . import limits
from .backends.base import Equipment
from .backends.registry import BACKENDS
from .config import Settings
from .errors import LofiError
from .jobs.job import Job
from .jobs.lifecycle import Jobs
from .jobs.memory import Memory
from .library.identity import track_id
from .limits import LimitHook
from .model import LatentFile, NoticeLevel, Priority, StageParams, Track
from .stages.items import item_params
from .stages.request import StageRequest
from .stages.resolve import resolve
from .stages.resuming import resume
from .stages.sources import SOURCE_FIELDS


def draw_seed() -> int:
    """A fresh seed that every JSON reader holds exactly."""
    return secrets.randbelow(2**53)


class Finds(Protocol):
    """What a request asks of the library."""

    async def to_play(self, prefix: str | None) -> Track:
        """The track meant, which counts as used now. Raises INVALID_TRACK_ID."""

    async def find_all(self, track_ids: tuple[str, ...]) -> tuple[Track, ...] | None:
        """These tracks if every one is there, else None."""

    async def latent(self, prefix: str) -> LatentFile:
        """The latent meant, found whole. Raises LATENT_NOT_FOUND."""


class Unloads(Protocol):
    async def unload(self, backend: str | None) -> tuple[str, ...]: ...


def _has_checkpoint(params: StageParams, tracks: tuple[Track, ...]) -> bool:
    """Whether a checkpoint that was asked for is still there: they go before their tracks do."""
    return params.checkpoint_step is None or all(track.latent_checkpoint_id is not UNSET for track in tracks)


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
        library: Finds,
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

        Raises the errors of ``resolve``, QUOTA_EXCEEDED, BACKEND_NOT_INSTALLED, BACKEND_NOT_READY, QUEUE_FULL,
        INVALID_TRACK_ID, and LATENT_NOT_FOUND and LATENT_MISMATCH for a latent that the stage starts from.
        """
        resolved = resolve(request, self._settings, draw_seed)
        params = resolved.params
        limits.ask(self._limit_hook, (params,))
        self._require_ready(params.backend)
        if job_id is not None:
            self._jobs.require_free_id(job_id)
        params, sources = await self._find_sources(params)
        params, latents = await self._named_latents(params)
        resumed = resume(params, {latent.record.id: latent for latent in latents}, request.duration_sec is not None)
        params = resumed.params
        equipment = await self._equipment(params)
        if request.backend is None:
            self._tell_default(params.backend)
        for message in (*resolved.notices, *resumed.notices):
            self._notice("warn", message)
        ids = tuple(track_id(item_params(params, i), equipment.model_version) for i in range(params.batch_size))
        if joined := self._jobs.join(ids, priority, auto_play):
            return self._accepted(joined)
        job = Job(
            id=job_id or uuid.uuid4().hex,
            stages=(params,),
            track_ids=(ids,),
            equipment=(equipment,),
            priority=priority,
            auto_play=auto_play,
            latents=latents,
            sources=sources,
        )
        if (tracks := await self._library.find_all(ids)) and _has_checkpoint(params, tracks):
            self._jobs.complete_from_library(job, tracks)
            return Accepted(job, "cached", 0)
        if joined := self._jobs.join(ids, priority, auto_play):  # another client was quicker
            return self._accepted(joined)
        self._jobs.submit(job)
        return self._accepted(job)

    async def unload(self, backend: str | None) -> tuple[str, ...]:
        """Free models from memory; their names. Raises BACKEND_NOT_READY while one of them is generating."""
        current = self._jobs.current
        if current and backend in (None, current.params.backend):
            raise LofiError(
                "BACKEND_NOT_READY",
                f"{current.params.backend} is generating; cancel that job or wait, then unload.",
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

    async def _find_sources(self, params: StageParams) -> tuple[StageParams, dict[str, str]]:
        """The tracks to work from, named by their whole ids (they are part of the new track's id), and their paths."""
        found: dict[str, str] = {}
        for field in SOURCE_FIELDS:
            prefix = getattr(params, field)
            if prefix is None:
                continue
            try:
                track = await self._library.to_play(prefix)
            except LofiError as error:
                raise LofiError(error.name, error.message, field=field, **error.details) from error
            found[track.id] = track.path
            params = msgspec.structs.replace(params, **{field: track.id})
        return params, found

    async def _equipment(self, params: StageParams) -> Equipment:
        info = BACKENDS[params.backend]
        if info.equip is None:
            return info.equipment(self._settings, params)
        return await asyncio.to_thread(info.equipment, self._settings, params)

    async def _named_latents(self, params: StageParams) -> tuple[StageParams, tuple[LatentFile, ...]]:
        """``params`` with the whole ids of the latents that they name, which are here and unharmed."""
        found: dict[str, LatentFile] = {}
        for field in ("init_latent_id", "src_latent_id"):
            if (name := getattr(params, field)) is not None:
                try:
                    latent = await self._library.latent(name)
                except LofiError as error:
                    error.field = field
                    raise
                found[latent.record.id] = latent
                params = msgspec.structs.replace(params, **{field: latent.record.id})
        return params, tuple(found.values())

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
