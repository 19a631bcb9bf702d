"""`lofi-daemon --stdio` where the daemon is shared: find or start the server, then copy bytes both ways.

Every editor pays for this process, so it loads no event loop and none of the daemon's rooms.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import LofiError
from .hello import MAX_HELLO, Hello, Welcome, decode_welcome, encode
from .place import Place

START_WITHIN_SEC = 15.0
RESTART_AFTER_SEC = 1.0
LEAVE_WITHIN_SEC = 0.8
"""After the end of stdin; the contract says one second."""
MAX_LOG_BYTES = 1_000_000
CHUNK = 1 << 16


def run(place: Place, hello: Hello, server: Sequence[str], log: Path, source: int = 0, sink: int = 1) -> int:
    """Serve the client on fds ``source`` and ``sink`` until it or the server ends; the exit status.

    ``server`` is the command that starts one. Raises INTERNAL_ERROR if none comes up.
    """
    link = connect(place, hello, server, log)
    gone = threading.Event()
    threading.Thread(target=_from_client, args=(link, source, gone), daemon=True).start()
    _to_client(link, sink)
    # The server closes after the last reply to a client that has ended; unasked, it has died.
    return 0 if gone.is_set() else 1


def connect(place: Place, hello: Hello, server: Sequence[str], log: Path) -> socket.socket:
    """A link to the one server, started if there is none, replaced if it is older and idle."""
    deadline = time.monotonic() + START_WITHIN_SEC
    child: subprocess.Popen[bytes] | None = None
    started_at = 0.0
    delay = 0.004
    while time.monotonic() < deadline:
        link = _try(place)
        if link is not None:
            welcome = _greet(link, hello)
            if welcome is not None and welcome.serving:
                return link
            link.close()  # it is leaving, or died under our hands; nothing was asked yet
        # Losing the race for the lock is harmless: the loser's server leaves by itself.
        lost = child is not None and child.poll() is not None and time.monotonic() - started_at > RESTART_AFTER_SEC
        if link is None and (child is None or lost):
            child, started_at = _start(server, log), time.monotonic()
        time.sleep(delay)
        delay = min(delay * 1.4, 0.1)
    raise LofiError("INTERNAL_ERROR", f"The daemon did not start within {START_WITHIN_SEC:g} s; see {log}.")


def _try(place: Place) -> socket.socket | None:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(str(place.socket))
    except OSError:  # no server, or a socket that a killed one left
        link.close()
        return None
    return link


def _greet(link: socket.socket, hello: Hello) -> Welcome | None:
    line = b""
    try:
        link.settimeout(START_WITHIN_SEC)
        link.sendall(encode(hello))
        while not line.endswith(b"\n"):
            byte = link.recv(1)  # not one byte of what follows may be taken
            if not byte or len(line) > MAX_HELLO:
                return None
            line += byte
        link.settimeout(None)
    except OSError:
        return None
    return decode_welcome(line)


def _start(server: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        try:
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
                log.replace(log.with_suffix(".old"))
            output = stack.enter_context(log.open("ab")).fileno()
        except OSError:
            output = subprocess.DEVNULL
        try:
            return subprocess.Popen(
                server, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise LofiError("INTERNAL_ERROR", f"The daemon could not be started ({error}).") from None


def _from_client(link: socket.socket, source: int, gone: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(source, CHUNK):
            link.sendall(data)
    gone.set()
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_WR)
    time.sleep(LEAVE_WITHIN_SEC)
    os._exit(0)


def _to_client(link: socket.socket, sink: int) -> None:
    with contextlib.suppress(OSError):
        while data := link.recv(CHUNK):
            while data:
                data = data[os.write(sink, data) :]


def command(setup: Sequence[str]) -> tuple[str, ...]:
    """The command that starts the server with these --set texts."""
    return (sys.executable, "-m", "lofi_daemon", "--serve", *(word for text in setup for word in ("--set", text)))
