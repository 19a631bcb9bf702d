"""The place where clients find the shared daemon, who sits there, and the log that it keeps."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .. import PROTOCOL_VERSION, __version__
from ..errors import LofiError
from ..shared.hello import MAX_HELLO, Hello, Welcome, decode_welcome, encode
from ..shared.place import Place
from .commands import shown
from .finding import Finding

ANSWER_WITHIN_SEC = 2.0

_find = partial(Finding, "Shared daemon")


def look(place: Place | LofiError, log: Path, own_pid: int | None = None) -> Iterator[Finding]:
    """``place`` is what ``shared.place.find`` gave or raised. ``own_pid``: of a daemon that is known already."""
    if isinstance(place, LofiError):
        yield _find("error", place.message, ("Or give each editor a daemon of its own: daemon.shared = false",))
    else:
        folder = Path(place.socket).parent
        yield _find("ok", f"Clients meet it in {shown(folder)}, which is yours alone")
        for lock in sorted(folder.glob("*.lock")):
            yield from _server(Place(str(folder), lock.stem), own_pid, is_ours=str(lock) == place.lock)
    yield _log(log)


def _server(place: Place, own_pid: int | None, *, is_ours: bool) -> Iterator[Finding]:
    """A server that holds its lock: does it answer, and is it of this version?"""
    pid = place.holder()
    if (pid is not None and pid == own_pid) or not _is_held(place):
        return
    welcome = _greet(place)
    about = "" if is_ours else ", for another folder of tracks,"
    if welcome is None:
        yield _find(
            "error" if is_ours else "warn",
            f"A daemon (pid {pid}){about} runs and does not answer within {ANSWER_WITHIN_SEC:.0f} s",
            (f"End it: kill {pid}, and if it stays: kill -9 {pid}",),
        )
    elif welcome.protocol != PROTOCOL_VERSION:
        yield _find(
            "error" if is_ours else "warn",
            f"A daemon (pid {pid}){about} runs with protocol {welcome.protocol} (version {welcome.version}); here it "
            f"is {PROTOCOL_VERSION}",
            (f"Close the editors that use it, or end it: kill {pid}",),
        )
    elif welcome.version != __version__:
        yield _find(
            "warn",
            f"A daemon (pid {pid}){about} runs with version {welcome.version}; installed is {__version__}",
            ("Replace it: :Lofi restart in Neovim, or lofi restart" if is_ours else f"End it: kill {pid}",),
        )
    elif not is_ours:
        yield _find("info", f"Another daemon (pid {pid}) serves another folder of tracks")


def _is_held(place: Place) -> bool:
    try:
        lock = os.open(place.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _greet(place: Place) -> Welcome | None:
    """Ask as a client of version 0 would: a server gives way to a newer one, and looking must change nothing."""
    line = b""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ANSWER_WITHIN_SEC)
        try:
            link.connect(place.socket)
            link.sendall(encode(Hello("0")))
            while not line.endswith(b"\n") and len(line) < MAX_HELLO:
                data = link.recv(MAX_HELLO)
                if not data:
                    return None
                line += data.partition(b"\n")[0] + (b"\n" if b"\n" in data else b"")
        except OSError:
            return None
    return decode_welcome(line)


def _log(path: Path) -> Finding:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    except OSError as error:
        folder = shown(path.parent)
        step = f"See to {folder}: it has to be a folder that can be written"
        if isinstance(error, PermissionError):
            step = f"Make it yours: sudo chown -R $USER {folder}"
        text = f"Its log {shown(path)} cannot be written ({error.strerror}); errors lose their details"
        return _find("warn", text, (step,))
    return _find("ok", f"Its log: {shown(path)}")
