"""The one server of a user: serves every bridge with the rooms of one App, and leaves when nobody needs it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import struct
import sys
from pathlib import Path

from .. import PROTOCOL_VERSION, __version__, config
from ..app import App
from ..backends.registry import BACKENDS
from ..engine.host import WORKER
from ..model import NoticeLevel
from ..protocol.session import Session
from ..protocol.wire import Splitter, notification
from .hello import MAX_HELLO, Hello, Welcome, decode_hello, encode, version_key
from .seat import Seat

log = logging.getLogger(__name__)

MAX_UNREAD_BYTES = 32 * 1024 * 1024
"""A client that leaves this much unread is cut off: its messages would otherwise fill our memory."""
MAX_WAITING_REQUESTS = 256
"""Of one client; no more is read from it until they are answered."""
READ_SIZE = 1 << 16
HELLO_WITHIN_SEC = 10.0
ANSWER_WITHIN_SEC = 0.5
CLOSE_WITHIN_SEC = 3.0
IDLE_CHECK_SEC = 0.5
FIRST_CLIENT_WITHIN_SEC = 10.0
"""However short idle_timeout_sec is, the bridge that started this server is waited for."""
TOUCH_EVERY_SEC = 3600.0
GOODBYE = "The shared daemon was asked to stop or restart; the next command here starts it again."


class Client:
    """One bridge, from its welcome to its end."""

    def __init__(self, app: App, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.session = Session(app.dispatcher, self._write)

    def notice(self, level: NoticeLevel, message: str) -> None:
        self.session.notify(notification("engine_notice", {"level": level, "message": message}))

    def _write(self, line: bytes) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        self._writer.write(line)
        if transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            log.warning("cut off a client that stopped reading")
            transport.abort()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Until it has sent its last request and was answered."""
        splitter = Splitter()
        while data := await reader.read(READ_SIZE):
            self.session.receive(splitter.feed(data))
            await self._writer.drain()  # who does not read is not read from
            if self.session.waiting > MAX_WAITING_REQUESTS:
                await self.session.drain()
        self.session.receive(splitter.rest())
        await self.session.drain()
        await self._writer.drain()

    async def finish(self) -> None:
        """Send what is left, if the client takes it soon, and end."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SEC):
                await self._writer.drain()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        self._writer.close()


class Server:
    """Holds ``seat`` from its making to the end of ``run``."""

    def __init__(self, seat: Seat, loaded: config.Loaded, log_file: Path, worker: tuple[str, ...] = WORKER) -> None:
        self._seat = seat
        self._settings = loaded.settings
        self._app = App(loaded, worker, log_file)
        self._clients: set[Client] = set()
        self._alone = asyncio.Event()
        self._alone.set()
        self._patience = max(self._settings.idle_timeout_sec, FIRST_CLIENT_WITHIN_SEC)
        self._needed_at = 0.0
        self._replaced = asyncio.Event()
        self._leaving = False

    async def run(self) -> None:
        """Until it is asked to leave or nobody needs it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._app.leaving.set)
        server = await asyncio.start_unix_server(self._meet, sock=self._seat.listener, limit=MAX_HELLO)
        asked = asyncio.create_task(self._app.leaving.wait())
        waits = [
            asked,
            asyncio.create_task(self._replaced.wait()),
            asyncio.create_task(self._until_idle()),
            asyncio.create_task(self._stay_fresh()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        self._leaving = True
        self._seat.leave_socket()
        server.close()
        try:
            async with asyncio.timeout(CLOSE_WITHIN_SEC):
                await self._say_goodbye()
                await self._app.close()
                await asyncio.gather(*(client.finish() for client in list(self._clients)))
        except TimeoutError:
            log.warning("left without waiting for everything to close")
        finally:
            self._app.engine.kill()
            self._app.downloads.kill()
            self._seat.give_back()

    async def _say_goodbye(self) -> None:
        """Requests that have arrived are answered first."""
        answering = [asyncio.create_task(client.session.drain()) for client in self._clients]
        if answering:
            await asyncio.wait(answering, timeout=ANSWER_WITHIN_SEC)
        for client in self._clients:
            client.notice("info", GOODBYE)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _peer_uid(writer.get_extra_info("socket")) != os.getuid():
                return
            async with asyncio.timeout(HELLO_WITHIN_SEC):
                hello = decode_hello(await reader.readline())
            if hello is not None:
                await self._admit(hello, reader, writer)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # a client that went away; the others do not care
        finally:
            writer.close()

    async def _admit(self, hello: Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        newer = version_key(hello.version) > version_key(__version__)
        serving = not (self._leaving or self._app.leaving.is_set() or (newer and self._is_idle()))
        writer.write(encode(Welcome(__version__, os.getpid(), serving)))
        if not serving:
            await writer.drain()
            self._leaving = True
            self._replaced.set()
            return
        if hello.protocol != PROTOCOL_VERSION:
            return  # the bridge says so
        client = Client(self._app, writer)
        self._clients.add(client)
        self._alone.clear()
        self._patience = self._settings.idle_timeout_sec
        self._app.notifier.connect(client.session.notify)
        try:
            for message in self._notices(hello):
                client.notice("warn", message)
            await client.serve(reader)
        finally:
            self._app.notifier.disconnect(client.session.notify)
            client.session.close()
            self._clients.discard(client)
            self._needed_at = asyncio.get_running_loop().time()
            if not self._clients:
                self._alone.set()

    def _notices(self, hello: Hello) -> list[str]:
        """What one client should know: of its version and its settings."""
        notices = []
        ours, theirs = version_key(__version__), version_key(hello.version)
        if theirs > ours:
            notices.append(
                f"The running daemon is version {__version__}, older than {hello.version}, and busy; "
                ":Lofi restart (or `lofi restart`) replaces it, or the next start when nothing plays or waits."
            )
        elif theirs < ours:
            notices.append(
                f"The running daemon is version {__version__}; this client belongs to the older {hello.version}."
            )
        wanted = config.load(hello.setup, hello.environ, backends=tuple(BACKENDS))
        return [*notices, *wanted.problems, *_differences(self._settings, wanted)]

    def _is_idle(self) -> bool:
        return not self._clients and not self._app.is_needed()

    async def _until_idle(self) -> None:
        """Until there was no client, job or music for ``idle_timeout_sec``."""
        loop = asyncio.get_running_loop()
        self._needed_at = loop.time()
        while True:
            await self._alone.wait()
            if not self._is_idle():
                self._needed_at = loop.time()
            elif loop.time() - self._needed_at >= self._patience:
                self._leaving = True
                log.info("nobody needs this daemon; it leaves")
                return
            await asyncio.sleep(IDLE_CHECK_SEC)

    async def _stay_fresh(self) -> None:
        while True:
            self._seat.touch()
            await asyncio.sleep(TOUCH_EVERY_SEC)


def _peer_uid(link: socket.socket) -> int:
    if sys.platform == "darwin":
        sol_local, local_peercred = 0, 1
        _version, uid = struct.unpack_from("II", link.getsockopt(sol_local, local_peercred, 76))
        return int(uid)
    _pid, uid, _gid = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _differences(ours: config.Settings, wanted: config.Loaded) -> list[str]:
    """What a client asks for and does not get, as one sentence or none. Defaults are no wish."""
    mine, theirs = config.flat(ours), config.flat(wanted.settings)
    differing = [
        f"{key} = {theirs[key]!r} (not {value!r})"
        for key, value in mine.items()
        if theirs[key] != value and wanted.sources[key] != "default"
    ]
    if not differing:
        return []
    return [
        f"The running daemon keeps its settings; {', '.join(differing)} begins to count "
        "after :Lofi restart or `lofi restart`."
    ]
