"""The one server of a user: holds the lock for life, listens on the socket, leaves when nobody needs it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import struct
import sys

from .. import __version__, config
from ..app import App
from ..engine.host import WORKER
from ..protocol.session import Session
from ..protocol.wire import Splitter, notification
from .hello import MAX_HELLO, Welcome, decode_hello, encode, version_key
from .place import Place

log = logging.getLogger(__name__)

MAX_UNREAD_BYTES = 32 * 1024 * 1024
"""A client that leaves this much unread is cut off: its messages would otherwise fill our memory."""
HELLO_WITHIN_SEC = 10.0
IDLE_CHECK_SEC = 0.5


class Server:
    """Serves every bridge that connects, with the rooms of one ``App``."""

    def __init__(self, place: Place, loaded: config.Loaded, worker: tuple[str, ...] = WORKER) -> None:
        self._place = place
        self._loaded = loaded
        self._worker = worker
        self._clients: set[asyncio.StreamWriter] = set()
        self._left = asyncio.Event()

    async def run(self) -> None:
        """Until it is asked to leave or nobody needs it. Returns at once if another server holds the lock."""
        lock = _take_lock(self._place)
        if lock is None:
            return
        listener = _listen(self._place)
        self._app = App(self._loaded, self._worker)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._app.leaving.set)
        server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_HELLO)
        waits = [
            asyncio.create_task(self._app.leaving.wait()),
            asyncio.create_task(self._left.wait()),
            asyncio.create_task(self._leave_when_idle()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        self._place.socket.unlink(missing_ok=True)  # from now on bridges start another
        server.close()
        await self._app.close()
        for writer in list(self._clients):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(0.3):
                    await writer.drain()
            writer.close()
        os.close(lock)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _peer_uid(writer.get_extra_info("socket")) != os.getuid():
                return
            async with asyncio.timeout(HELLO_WITHIN_SEC):
                hello = decode_hello(await reader.readline())
            if hello is None:
                return
            newer = version_key(hello.version) > version_key(__version__)
            if newer and not self._clients and self._is_idle():
                writer.write(encode(Welcome(__version__, os.getpid(), serving=False)))
                await writer.drain()
                self._left.set()
                return
            writer.write(encode(Welcome(__version__, os.getpid(), serving=True)))
            self._clients.add(writer)
            notices = _differences(self._loaded.settings, hello.settings)
            if newer:
                notices.append(
                    f"The running daemon is version {__version__}, older than {hello.version}, and busy; "
                    "it is replaced once nothing plays or waits and an editor starts."
                )
            await self._talk(reader, writer, notices)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # a client that went away; the others do not care
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, notices: list[str]) -> None:
        def write(line: bytes) -> None:
            if writer.transport.is_closing():
                return
            writer.write(line)
            if writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                log.warning("cut off a client that stopped reading")
                writer.transport.abort()

        session = Session(self._app.dispatcher, write)
        notify = session.notify
        self._app.notifier.connect(notify)
        for message in notices:
            notify(notification("engine_notice", {"level": "warn", "message": message}))
        splitter = Splitter()
        try:
            while data := await reader.read(1 << 16):
                session.receive(splitter.feed(data))
            session.receive(splitter.rest())
            await session.drain()
            await writer.drain()
        finally:
            self._app.notifier.disconnect(notify)
            session.close()

    def _is_idle(self) -> bool:
        return not self._app.jobs.live() and self._app.player.state().state != "playing"

    async def _leave_when_idle(self) -> None:
        loop = asyncio.get_running_loop()
        needed_at = loop.time()
        while True:
            await asyncio.sleep(IDLE_CHECK_SEC)
            if self._clients or not self._is_idle():
                needed_at = loop.time()
            elif loop.time() - needed_at >= self._loaded.settings.idle_timeout_sec:
                log.info("nobody needs this daemon; it leaves")
                return


def _take_lock(place: Place) -> int | None:
    """The lock's fd, or None if another server lives. The kernel gives it back however we die."""
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _listen(place: Place) -> socket.socket:
    place.socket.unlink(missing_ok=True)  # a killed server left it; ours to remove, because we hold the lock
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(place.socket))
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


def _peer_uid(link: socket.socket) -> int:
    if sys.platform == "darwin":
        sol_local, local_peercred = 0, 1
        _version, uid = struct.unpack_from("II", link.getsockopt(sol_local, local_peercred, 76))
        return int(uid)
    _pid, uid, _gid = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _differences(ours: config.Settings, theirs: dict[str, object]) -> list[str]:
    """What a client would have set otherwise, as one sentence or none."""
    mine = config.flat(ours)
    other = {key: value for key, value in theirs.items() if key in mine and mine[key] != value}
    if not other:
        return []
    wanted = ", ".join(f"{key} = {value!r} (it has {mine[key]!r})" for key, value in other.items())
    return [f"This editor asks for {wanted}; the running daemon keeps its own. :Lofi restart applies it."]
