"""Owns the worker process: starts it when there is work, feeds it, kills it, starts it again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from ..config import Settings
from ..errors import LofiError
from .link import FromWorker, Started, ToWorker, Unload, Unloaded, decode_from_worker, encode
from .manners import LOG_VARIABLE, NICE_VARIABLE

log = logging.getLogger(__name__)

# -P: the folder an editor happens to be in must not be where imports are found.
WORKER = (sys.executable, "-P", "-m", "lofi_daemon.engine.worker")
MAX_LINE = 8 * 1024 * 1024
UNLOAD_TIMEOUT_SEC = 30.0


def worker_environment(
    settings: Settings, environ: Mapping[str, str] = os.environ, log_file: Path | None = None
) -> dict[str, str]:
    """The worker's environment: how far it stands back, its limit of threads, and whether it may see a GPU.

    These must be true before its libraries are loaded, so they are said here.
    """
    env = dict(environ)
    if settings.execution_mode == "cpu_only" or settings.device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = ""
        env["HIP_VISIBLE_DEVICES"] = ""
    env[NICE_VARIABLE] = str(settings.worker_nice)
    env[LOG_VARIABLE] = str(log_file or "")
    # torch's threads would spin after each small operation, on the cores that MusicGen's step needs: a fifth slower
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if settings.threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
            env[name] = str(settings.threads)
    return env


class EngineHost:
    """One worker at most. ``on_message`` gets everything it says; ``on_exit`` a sentence when it dies unasked."""

    def __init__(
        self,
        on_message: Callable[[FromWorker], None],
        on_exit: Callable[[str], None],
        environment: Mapping[str, str],
        command: tuple[str, ...] = WORKER,
        idle_unload_sec: float = 0.0,
    ) -> None:
        self._on_message = on_message
        self._on_exit = on_exit
        self._environment = dict(environment)
        self._command = command
        self._idle_unload_sec = idle_unload_sec
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._unloaded: asyncio.Future[tuple[str, ...]] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.device: str | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def send(self, message: ToWorker) -> None:
        """Hand ``message`` to the worker, starting one if none runs. Raises INTERNAL_ERROR if it cannot start."""
        self._stop_idle_timer()
        process = await self._ensure_started()
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # its death reaches us through _read
            process.stdin.write(encode(message))
            await process.stdin.drain()

    def tell(self, message: ToWorker) -> None:
        """Hand ``message`` to the worker if one runs, without waiting."""
        if self._process and self._process.stdin:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(encode(message))

    def kill(self) -> None:
        """End the worker at once; ``on_exit`` follows."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def unload(self, backend: str | None) -> tuple[str, ...]:
        """Free the models in memory; the names of those freed. Call only while no job runs."""
        if self._process is None:
            return ()
        self._unloaded = asyncio.get_running_loop().create_future()
        self.tell(Unload(backend))
        try:
            return await asyncio.wait_for(self._unloaded, UNLOAD_TIMEOUT_SEC)
        except TimeoutError:
            self.kill()
            return ()
        finally:
            self._unloaded = None

    def idle(self) -> None:
        """No job is left: after ``idle_unload_sec`` the worker goes, and all its memory with it."""
        self._stop_idle_timer()
        if self._idle_unload_sec > 0 and self._process:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._idle_unload_sec, self._retire)

    async def close(self) -> None:
        """End the worker and wait for it; says nothing through ``on_exit``."""
        self._closed = True
        self._on_exit = lambda reason: None
        self._stop_idle_timer()
        self.kill()
        if self._reader:
            await asyncio.wait([self._reader], timeout=2)

    async def _ensure_started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._closed:
                raise LofiError("GENERATION_CANCELLED", "The daemon is shutting down.")
            if self._process is None:
                try:
                    self._process = await asyncio.create_subprocess_exec(
                        *self._command,
                        stdin=asyncio.subprocess.PIPE,
                        stdout=asyncio.subprocess.PIPE,
                        env=self._environment,
                        limit=MAX_LINE,
                    )
                except OSError as error:
                    raise LofiError("INTERNAL_ERROR", f"The worker could not be started ({error}).") from error
                self._reader = asyncio.create_task(self._read(self._process))
            return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                try:
                    message = decode_from_worker(line)
                except msgspec.DecodeError:
                    log.warning("the worker said something that is no message: %.200r", line)
                    continue
                self._hear(message)
        except (ValueError, OSError):
            log.exception("the link to the worker broke")
            self.kill()
        code = await process.wait()
        self._process = None
        self.device = None
        if self._unloaded and not self._unloaded.done():
            self._unloaded.set_result(())
        self._on_exit(_how_it_ended(code))

    def _hear(self, message: FromWorker) -> None:
        if isinstance(message, Started):
            self.device = message.device
        if isinstance(message, Unloaded):
            if self._unloaded and not self._unloaded.done():
                self._unloaded.set_result(message.backends)
            return
        try:
            self._on_message(message)
        except Exception:  # a listener's slip must not deafen us to the worker
            log.exception("handling %r failed", message)

    def _retire(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def _stop_idle_timer(self) -> None:
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer = None


def _how_it_ended(code: int) -> str:
    if code == -9:
        return "it was killed (out of memory?)"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
