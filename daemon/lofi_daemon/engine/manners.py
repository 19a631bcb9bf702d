"""The worker gives way to everything else: the editor, the compiler, and the music that plays meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

NICE_VARIABLE = "LOFI_WORKER_NICE"
"""How the front tells the worker, in its environment."""

LOG_VARIABLE = "LOFI_WORKER_LOG"
"""And where the log is that both write, if it is a file of the daemon's own; else the client keeps it."""

_AUTOGROUP = Path("/proc/self/autogroup")
_AUTOGROUP_PAUSE_SEC = 0.11  # the kernel takes one change each tenth of a second from those who are not root


def give_way(nice: int) -> str | None:
    """Lower this process's priority to ``nice`` (0–19); None, or a sentence that says what did not work.

    Where Linux schedules by session (autogroup), niceness counts only among the processes of one session, so the
    process takes a session of its own and lowers that as well. Nothing is lowered for whoever started it.
    """
    if nice <= 0 or not hasattr(os, "nice"):
        return None
    try:
        os.nice(max(0, nice - os.nice(0)))
    except OSError as error:
        return f"The worker runs at normal priority: the system refused to lower it ({error.strerror})."
    if sys.platform != "linux" or not _AUTOGROUP.exists():
        return None
    with contextlib.suppress(PermissionError):  # the leader of a process group cannot, and may be a leader already
        os.setsid()
    if os.getsid(0) != os.getpid():
        return "The worker's priority counts only within its session: it could not leave the one it was started in."
    return _lower_session(nice)


def _lower_session(nice: int) -> str | None:
    problem = ""
    for pause in (0.0, _AUTOGROUP_PAUSE_SEC, _AUTOGROUP_PAUSE_SEC):
        time.sleep(pause)
        try:
            _AUTOGROUP.write_text(str(nice), "ascii")
            return None
        except BlockingIOError as error:
            problem = str(error.strerror)
        except OSError as error:
            problem = str(error.strerror)
            break
    return f"The worker's priority counts only within its session: /proc/self/autogroup was not taken ({problem})."
