"""The worker's main: takes jobs from the front, renders them, tells what happens. `python -m lofi_daemon.engine.worker`

One thread reads commands, so that a cancel is seen while the main thread renders. The link owns the
original fd 1; whatever a library prints goes to stderr.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends.base import GenerationCancelled
from ..errors import LofiError
from .link import (
    Cancel,
    Cancelled,
    Failed,
    Notice,
    Ready,
    Run,
    Unload,
    Unloaded,
    decode_to_worker,
    encode,
)
from .manners import LOG_VARIABLE, NICE_VARIABLE, give_way

if TYPE_CHECKING:
    from ..stages.executor import Engines
    from ..stages.latents import Latents

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Runs until the front closes our stdin or dies."""
    link = os.dup(1)
    os.dup2(2, 1)
    commands = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the front to handle
    _die_with_parent()
    problem = give_way(int(os.environ.get(NICE_VARIABLE, "0")))
    Worker(commands, link).run(problem)


class Worker:
    """``commands`` and ``link`` are file descriptors of the NDJSON pipes from and to the front."""

    def __init__(self, commands: int, link: int) -> None:
        self._commands = commands
        self._link = link
        self._write_lock = threading.Lock()
        self._todo: queue.SimpleQueue[Run | Unload] = queue.SimpleQueue()
        self._cancelled: set[str] = set()

    def run(self, problem: str | None = None) -> None:
        """``problem`` is told once it can be: something that does not keep it from working."""
        threading.Thread(target=self._read, name="commands", daemon=True).start()
        self._emit(Ready(os.getpid()))
        if problem:
            self._emit(Notice("warn", problem))
        from ..stages.executor import Engines  # numpy and soundfile: after Ready, so that the front sees us come up
        from ..stages.latents import Latents

        engines, latents = Engines(), Latents()
        while True:
            command = self._todo.get()
            if isinstance(command, Unload):
                self._emit(Unloaded(engines.unload(command.backend)))
            else:
                self._run_job(command, engines, latents)

    def _run_job(self, job: Run, engines: Engines, latents: Latents) -> None:
        from ..stages.executor import run_job

        reached = (0, 0)

        def check_cancelled(step: int, total: int) -> None:
            nonlocal reached
            reached = (step, total)
            if job.job_id in self._cancelled:
                raise GenerationCancelled

        try:
            check_cancelled(0, 0)
            run_job(job, engines, self._emit, check_cancelled, latents)
        except GenerationCancelled:
            self._emit(Cancelled(job.job_id, *reached))
        except LofiError as error:
            self._emit(Failed(job.job_id, error.name, error.message))
        except MemoryError:
            traceback.print_exc()
            self._emit(Failed(job.job_id, "MODEL_INFERENCE_FAILED", "Out of memory; ask for a shorter track."))
        except Exception as error:
            traceback.print_exc()
            self._emit(Failed(job.job_id, "MODEL_INFERENCE_FAILED", _unforeseen(error)))
        finally:
            self._cancelled.discard(job.job_id)

    def _read(self) -> None:
        with os.fdopen(self._commands, "rb", buffering=1 << 16) as lines:
            for line in lines:
                command = decode_to_worker(line)
                if isinstance(command, Cancel):
                    self._cancelled.add(command.job_id)
                else:
                    self._todo.put(command)
        os._exit(0)  # the front is gone; nothing of ours is worth keeping

    def _emit(self, message: object) -> None:
        data = encode(message)  # type: ignore[arg-type]
        try:
            with self._write_lock:
                while data:
                    data = data[os.write(self._link, data) :]
        except OSError:
            os._exit(0)


def _unforeseen(error: Exception) -> str:
    first = str(error).strip().splitlines()[:1]
    reason = f"{type(error).__name__}{': ' + first[0][:200] if first else ''}"
    where = os.environ.get(LOG_VARIABLE)
    return f"The backend failed ({reason}); the log has the details{': ' + where if where else ''}."


def _die_with_parent() -> None:
    """Ask the kernel to kill us when the front dies: closing our stdin goes unseen while C code holds the GIL."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or not Path(f"/proc/{parent}").exists():
        os._exit(0)  # it died before we asked


if __name__ == "__main__":
    main()
