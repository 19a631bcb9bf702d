"""`lofi-daemon --stdio` where the daemon is shared: find or start the server, then copy bytes both ways.

Every editor pays for this process, so it loads no event loop and none of the daemon's rooms.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence

from .. import PROTOCOL_VERSION, __version__
from ..errors import LofiError
from .hello import MAX_HELLO, Hello, Welcome, decode_welcome, encode
from .place import Place

START_WITHIN_SEC = 20.0
LEAVE_WITHIN_SEC = 0.8
"""After the end of stdin; the contract says one second."""
POLL_SEC = 0.002
CHUNK = 1 << 16
MAX_LAST_WORDS = 65_536


def run(place: Place, hello: Hello, server: Sequence[str], source: int = 0, sink: int = 1) -> int:
    """Serve the client on fds ``source`` and ``sink`` until it or the server ends; the exit status.

    ``server`` is the command that starts one. Raises INTERNAL_ERROR if none comes up.
    """
    # Ctrl-C in a terminal reaches us together with the client, which may still have something to say.
    # A handler, since what is ignored would stay ignored in the server.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    link = connect(place, hello, server)
    at = _inode(place)
    gone = threading.Event()
    threading.Thread(target=_from_client, args=(link, source, gone), daemon=True).start()
    _to_client(link, sink)
    # A server that leaves of its own will removes its socket first; one that was killed could not.
    return 0 if gone.is_set() or _inode(place) != at else 1


def connect(place: Place, hello: Hello, server: Sequence[str]) -> socket.socket:
    """A link to the one server, started if there is none, replaced if it is older and idle."""
    deadline = time.monotonic() + START_WITHIN_SEC
    child: _Child | None = None
    while time.monotonic() < deadline:
        link = _try(place)
        if link is not None:
            welcome = _greet(link, hello, place)
            if welcome is not None and welcome.serving:
                if welcome.protocol != hello.protocol:
                    raise _mismatch(welcome)
                return link
            link.close()  # it is leaving, or died under our hands; nothing was asked yet
        if child is None:
            if link is None:
                child = _Child(server)
        elif child.has_left():
            child = None  # it lost a race, which is harmless, to one that may be gone by now
        time.sleep(POLL_SEC)
    raise LofiError("INTERNAL_ERROR", f"The daemon did not start within {START_WITHIN_SEC:g} s; see `lofi doctor`.")


def _try(place: Place) -> socket.socket | None:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(place.socket)
    except OSError:  # no server, or a socket that a killed one left
        link.close()
        return None
    return link


def _greet(link: socket.socket, hello: Hello, place: Place) -> Welcome | None:
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
    except TimeoutError:
        text = f"The running daemon (pid {place.holder()}) does not answer; end it with `kill -9`, then try again."
        raise LofiError("INTERNAL_ERROR", text) from None
    except OSError:
        return None
    return decode_welcome(line)


def _mismatch(welcome: Welcome) -> LofiError:
    return LofiError(
        "INTERNAL_ERROR",
        f"The running daemon (version {welcome.version}, pid {welcome.pid}) speaks protocol {welcome.protocol}, "
        f"this one ({__version__}) {PROTOCOL_VERSION}; close the editors that use it or run `kill {welcome.pid}`.",
    )


class _Child:
    """A server that we started. What it says before it has a log is kept for the case that it fails."""

    def __init__(self, command: Sequence[str]) -> None:
        self._words, inlet = os.pipe()
        os.set_blocking(self._words, False)
        # Every other descriptor of Python's is closed on exec. subprocess would take 4 ms to load.
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, inlet, 1),
            (os.POSIX_SPAWN_DUP2, inlet, 2),
        ]
        try:
            self._pid = os.posix_spawn(command[0], list(command), os.environ, file_actions=streams)
        except OSError as error:
            raise LofiError("INTERNAL_ERROR", f"The daemon could not be started ({error}).") from None
        finally:
            os.close(inlet)

    def has_left(self) -> bool:
        """Raises INTERNAL_ERROR with its last words if it failed."""
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if not ended:
            return False
        code = os.waitstatus_to_exitcode(status)
        try:
            words = os.read(self._words, MAX_LAST_WORDS).decode(errors="replace").strip()
        except BlockingIOError:
            words = ""
        os.close(self._words)
        if code:
            last = words.rpartition("\n")[2].removeprefix("lofi-daemon: ")
            raise LofiError("INTERNAL_ERROR", last or f"The daemon ended at once (exit code {code}); its log says why.")
        return True


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


def _inode(place: Place) -> int | None:
    try:
        return os.stat(place.socket).st_ino
    except OSError:
        return None


def command(setup: Sequence[str]) -> tuple[str, ...]:
    """The command that starts the server with these --set texts."""
    sets = (word for text in setup for word in ("--set", text))
    return (sys.executable, "-P", "-m", "lofi_daemon", "--serve", *sets)
