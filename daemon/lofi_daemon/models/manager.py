"""The front's side of weights: starts the child that fetches, tells what it says, ends it; what state they are in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from ..backends.base import Availability
from ..backends.ready import has_packages
from ..backends.registry import BACKENDS
from ..config import Settings
from ..engine.manners import NICE_VARIABLE
from ..errors import LofiError
from ..library.offloop import OffLoop
from ..model import NoticeLevel
from .catalogue import CATALOGUE, Weights, find
from .link import Failed, Finished, Patience, Progress, decode_from_child, encode, order_for
from .pace import LONGEST_SEC, Pace
from .store import look, root_of

log = logging.getLogger(__name__)

FETCH = (sys.executable, "-P", "-m", "lofi_daemon.models.fetch")
MAX_LINE = 1 << 20

WeightsStatus = Literal["absent", "partial", "downloading", "ready", "error"]


class WeightsView(Struct, frozen=True):
    """One model as ``get_backends`` shows it. ``bytes`` is rounded until the hub was asked, null if not known."""

    model: str
    repo: str
    license: str
    license_url: str
    bytes: int | None
    status: WeightsStatus
    bytes_here: int
    path: str | None
    commit: str | None
    default: bool
    message: str | None = None


class Seen(Struct, frozen=True):
    """A backend: whether it can make music now, its Python packages are there, and its weights."""

    available: Availability
    packages: bool
    weights: list[WeightsView]


class Started(Struct, frozen=True):
    """The answer to ``download_backend``; neither ``started`` nor ``already_installed``: it runs already."""

    started: bool
    already_installed: bool
    backend: str
    model: str
    bytes_total: int | None


class BackendStatus(Struct, frozen=True, omit_defaults=True):
    """The notification ``backend_status``; ``weights`` is the model's own state."""

    backend: str
    status: str
    model: str
    weights: WeightsStatus
    message: str | None = None


class _Running:
    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.pace = Pace(weights.backend, weights.model)
        self.process: asyncio.subprocess.Process | None = None
        self.cancelled = False
        self.over = False
        self.end: Finished | Failed | None = None
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """What is on the disk stays as it is: the child may be killed at any byte."""
        self.cancelled = True
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


class Downloads:
    """One download at a time. ``emit`` tells every client; ``command`` starts the child."""

    def __init__(
        self,
        settings: Settings,
        emit: Callable[[str, object], None],
        notice: Callable[[NoticeLevel, str], None],
        command: tuple[str, ...] = FETCH,
        environ: Mapping[str, str] = os.environ,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._notice = notice
        self._command = command
        self._environ = {**environ, NICE_VARIABLE: str(settings.worker_nice)}
        self._patience = patience or Patience()
        self._disk = OffLoop("models")
        self._running: _Running | None = None
        self._loading: tuple[str, str] | None = None
        self._failed: dict[tuple[str, str], str] = {}
        self._closed = False

    @property
    def active(self) -> bool:
        return self._running is not None

    async def start(self, backend: str, model: str | None) -> Started:
        """Begin, or go on with, the download of a model (None = the backend's first).

        Raises INVALID_BACKEND, UNSUPPORTED, MODEL_NOT_FOUND, MODEL_DOWNLOAD_FAILED (another one runs).
        """
        weights = find(backend, model)
        found = await self._disk.run(look, weights, root_of(backend, self._settings))
        total = weights.about_bytes if found.size is None else found.size
        if found.status == "ready":
            return Started(False, True, backend, weights.model, total)
        while self._running and self._running.task and (self._running.over or self._running.cancelled):
            await asyncio.wait([self._running.task])
        if self._running:
            self._require_same(self._running.weights, weights)
            return Started(False, False, backend, weights.model, total)
        self._begin(weights)
        return Started(True, False, backend, weights.model, total)

    async def cancel(self, backend: str, model: str | None) -> bool:
        """Whether there was something to cancel. What was fetched is kept. Raises INVALID_BACKEND, MODEL_NOT_FOUND."""
        wanted = find(backend, model)
        running = self._running
        if running is None or running.weights.backend != backend or (model and running.weights != wanted):
            return False
        running.stop()
        if running.task:
            await asyncio.wait([running.task], timeout=2)
        return True

    def loading(self, backend: str, model: str) -> None:
        """The worker begins to load this model."""
        self._loading = (backend, model)
        if self._running is None or self._running.weights.backend != backend:
            self._emit("backend_status", BackendStatus(backend, "loading", model, "ready"))

    async def loaded(self) -> None:
        """It has ended, well or not."""
        if self._loading is None:
            return
        (backend, model), self._loading = self._loading, None
        seen = await self.look(backend)
        if seen.available.status in ("downloading", "loading"):  # told already
            return
        weights = next(view.status for view in seen.weights if view.model == model)
        message = seen.available.message or None
        self._emit("backend_status", BackendStatus(backend, seen.available.status, model, weights, message))

    async def look(self, backend: str) -> Seen:
        """``backend`` as it is on the disk now."""
        return await self._disk.run(self._look, backend)

    def _look(self, backend: str) -> Seen:
        return Seen(self._state(backend), has_packages(BACKENDS[backend]), self._views(backend))

    def _state(self, backend: str) -> Availability:
        if self._running and self._running.weights.backend == backend:
            return Availability("downloading", f"{self._running.weights.title} is being downloaded.")
        if self._loading and self._loading[0] == backend:
            return Availability("loading", f"The model {self._loading[1]} is being loaded.")
        available = BACKENDS[backend].availability(self._settings)
        problem = next((text for (name, _), text in self._failed.items() if name == backend), None)
        if available.status != "ready" and problem:
            return Availability("error", problem)
        return available

    async def close(self) -> None:
        """End a running download, resumable, without a word."""
        self._closed = True
        if self._running:
            self._running.stop()
            if self._running.task:
                await asyncio.wait([self._running.task], timeout=2)
        self._disk.close()

    def kill(self) -> None:
        """As ``close``, where there is no time to wait."""
        if self._running:
            self._running.stop()

    def _views(self, backend: str) -> list[WeightsView]:
        root = root_of(backend, self._settings)
        running = self._running and self._running.weights
        views = []
        for weights in CATALOGUE[backend]:
            found = look(weights, root)
            message = self._failed.get((backend, weights.model))
            status: WeightsStatus = found.status
            if weights == running:
                status = "downloading"
            elif message and found.status != "ready":
                status = "error"
            views.append(
                WeightsView(
                    model=weights.model,
                    repo=weights.repo,
                    license=weights.license.name,
                    license_url=weights.license.url,
                    bytes=weights.about_bytes if found.size is None else found.size,
                    status=status,
                    bytes_here=found.here,
                    path=str(found.folders[0]) if found.folders else None,
                    commit=found.commit,
                    default=weights == CATALOGUE[backend][0],
                    message=message if status == "error" else None,
                )
            )
        return views

    def _require_same(self, running: Weights, wanted: Weights) -> None:
        if running != wanted:
            raise LofiError(
                "MODEL_DOWNLOAD_FAILED",
                f"{running.title} is being downloaded; wait for it, or cancel it, then ask for {wanted.title} again.",
            )

    def _begin(self, weights: Weights) -> None:
        self._failed.pop((weights.backend, weights.model), None)
        self._running = running = _Running(weights)
        if weights.license.terms:
            self._notice("info", f"{weights.title}: {weights.license.terms} See {weights.license.url}")
        self._emit(
            "backend_status",
            BackendStatus(weights.backend, "downloading", weights.model, "downloading"),
        )
        running.task = asyncio.get_running_loop().create_task(self._run(running))

    async def _run(self, running: _Running) -> None:
        try:
            await self._talk(running)
        except OSError as error:
            running.end = Failed("MODEL_DOWNLOAD_FAILED", f"The download could not be started ({error}).")
        except Exception:
            log.exception("following a download failed")
            running.stop()
        try:
            running.over = True
            if not self._closed:
                await self._tell_end(running)
        finally:
            self._running = None

    async def _talk(self, running: _Running) -> None:
        root = root_of(running.weights.backend, self._settings)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environ,
            limit=MAX_LINE,
        )
        running.process = process
        assert process.stdin and process.stdout
        if running.cancelled:
            running.stop()
        with contextlib.suppress(ConnectionError):  # its end tells more
            process.stdin.write(encode(order_for(running.weights, Path(root), self._patience)))
            await process.stdin.drain()
        last: Progress | None = None
        while True:
            try:
                async with asyncio.timeout(LONGEST_SEC):
                    line = await process.stdout.readline()
            except TimeoutError:  # nothing came: that the speed falls is told too
                self._tell(running, last)
                continue
            if not line:
                break
            try:
                message = decode_from_child(line)
            except msgspec.DecodeError:
                log.warning("the download said something that is no message: %.200r", line)
                continue
            if isinstance(message, Progress):
                last = message
                self._tell(running, last)
            else:
                running.end = message
        code = await process.wait()
        if running.end is None and not running.cancelled:
            running.end = Failed(
                "MODEL_DOWNLOAD_FAILED",
                f"The download of {running.weights.title} ended unexpectedly ({_how(code)}); what is here is kept, "
                "ask again to go on. The log may say more.",
            )

    def _tell(self, running: _Running, progress: Progress | None) -> None:
        if progress and (told := running.pace.hear(progress, asyncio.get_running_loop().time())):
            self._emit("download_progress", told)

    async def _tell_end(self, running: _Running) -> None:
        weights, end = running.weights, running.end
        if isinstance(end, Failed):
            self._failed[weights.backend, weights.model] = end.message
        found = await self._disk.run(look, weights, root_of(weights.backend, self._settings))
        available = await self._disk.run(BACKENDS[weights.backend].availability, self._settings)
        status, message = available.status, available.message or None
        state: WeightsStatus = found.status
        if isinstance(end, Failed):
            status, state, message = "error", "error", end.message
            log.error("%s", end.message)
        elif end is None:
            message = f"Cancelled at {running.pace.percent} %; the next download of {weights.title} goes on from there."
        else:
            message = f"{weights.title} is here." + (f" {message}" if message else "")
        self._emit("backend_status", BackendStatus(weights.backend, status, weights.model, state, message))


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
