"""A blocking client of the daemon over stdin and stdout, for the CLI, benches and tests.

Imports neither msgspec nor asyncio, so that `lofi --help` stays quick.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .errors import CODES, LofiError

MAX_LOG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification of doc/PROTOCOL.md."""

    method: str
    params: dict[str, Any]


class DaemonGoneError(LofiError):
    """The daemon could not be started, ended, or does not answer."""

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__("INTERNAL_ERROR", message)
        if exit_code is not None:
            self.details["exit_code"] = exit_code


class DaemonClient:
    """A daemon of one's own for the length of a ``with`` block.

    ``settings`` are "key=value" texts for its ``--set``; ``command`` replaces the whole command line
    (``settings`` is then not used). What the daemon prints on stderr is added to the file ``log``; None
    throws it away. ``on_notification``, if given, is called on the reader's thread with every
    notification; without it they wait in a queue for ``next_notification``.

    Safe to use from several threads.
    """

    def __init__(
        self,
        settings: Sequence[str] = (),
        *,
        command: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        log: Path | None = None,
        on_notification: Callable[[Notification], None] | None = None,
    ) -> None:
        self._command = tuple(command) if command else daemon_command(settings)
        self._environ = environ
        self._log = log
        self._on_notification = on_notification
        self._notifications: queue.SimpleQueue[Notification | None] = queue.SimpleQueue()
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._gone = False
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that was started."""
        return self._process.pid if self._process else None

    def __enter__(self) -> DaemonClient:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the daemon; it answers as soon as it can. Raises ``DaemonGoneError``."""
        with contextlib.ExitStack() as files:
            stderr: IO[bytes] | int = subprocess.DEVNULL
            if self._log is not None:
                try:
                    stderr = files.enter_context(open_log(self._log))
                except OSError:  # a home that cannot be written must not keep the music from playing
                    self._log = None
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=None if self._environ is None else dict(self._environ),
                    # Ctrl-C is for the one at the keyboard, who then decides what the daemon hears.
                    start_new_session=True,
                )
            except OSError as error:
                raise DaemonGoneError(f"The daemon could not be started: {error}.") from None
        self._reader = threading.Thread(target=self._read, name="lofi-daemon reader", daemon=True)
        self._reader.start()

    def request(self, method: str, params: Mapping[str, object] | None = None, timeout: float = 30.0) -> Any:
        """The result of ``method``, within ``timeout`` seconds.

        Raises the ``LofiError`` the daemon answered with, or ``DaemonGoneError``.
        """
        answer: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        ident = next(self._ids)
        with self._lock:
            if self._gone or self._process is None:
                raise self._farewell()
            self._waiting[ident] = answer
        message = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params or {}}
        try:
            self._send(message)
            reply = answer.get(timeout=timeout)
        except queue.Empty:
            late = f"The daemon gave no answer to {method} within {timeout:g} s{self._log_hint()}."
            raise DaemonGoneError(late) from None
        except OSError:
            reply = None
        finally:
            with self._lock:
                self._waiting.pop(ident, None)
        if reply is None:
            raise self._farewell()
        if "error" in reply:
            raise wire_error(reply["error"])
        return reply.get("result")

    def next_notification(self, timeout: float | None = None) -> Notification | None:
        """The oldest notification not yet taken; None if none comes within ``timeout`` seconds.

        Raises ``DaemonGoneError`` once the daemon has ended and all it said has been taken.
        """
        try:
            notification = self._notifications.get(timeout=timeout)
        except queue.Empty:
            return None
        if notification is None:
            self._notifications.put(None)  # for whoever asks next
            raise self._farewell()
        return notification

    def close(self, timeout: float = 3.0) -> None:
        """End the daemon by closing its stdin; after ``timeout`` seconds, by force. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin and process.stdout
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader:
            # A grandchild may hold the pipe open; closing our end is then all that can be done.
            self._reader.join(timeout)
        with contextlib.suppress(OSError):
            process.stdout.close()

    def _send(self, message: Mapping[str, object]) -> None:
        line = json.dumps(message, ensure_ascii=False, allow_nan=False).encode(errors="surrogateescape") + b"\n"
        process = self._process
        if process is None or process.stdin is None:
            raise BrokenPipeError
        with self._writing:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except ValueError as error:  # closed by another thread
                raise BrokenPipeError from error

    def _read(self) -> None:
        assert self._process and self._process.stdout
        try:
            for line in self._process.stdout:
                self._take(line)
        except (OSError, ValueError):  # closed under us
            pass
        with self._lock:
            self._gone = True
            waiting = list(self._waiting.values())
        for answer in waiting:
            answer.put(None)
        self._notifications.put(None)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if "method" in message:
            notification = Notification(message["method"], message.get("params") or {})
            if self._on_notification:
                self._on_notification(notification)
            else:
                self._notifications.put(notification)
            return
        ident = message.get("id")
        with self._lock:
            answer = self._waiting.get(ident) if isinstance(ident, int) else None
        if answer:
            answer.put(message)

    def _farewell(self) -> DaemonGoneError:
        process = self._process
        if process is None:
            return DaemonGoneError("The daemon is not running.")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)  # stdout closes a moment before the process is gone
        return DaemonGoneError(f"The daemon ended unexpectedly{self._log_hint()}.", exit_code=process.returncode)

    def _log_hint(self) -> str:
        return f"; its log is {self._log}" if self._log else ""


def daemon_command(settings: Sequence[str] = ()) -> tuple[str, ...]:
    """How to start the daemon that belongs to this Python."""
    sets = itertools.chain.from_iterable(("--set", text) for text in settings)
    return (sys.executable, "-P", "-m", "lofi_daemon", "--stdio", *sets)


def default_log() -> Path:
    """Where the CLI keeps the daemon's log."""
    import platformdirs

    return platformdirs.user_log_path("lofi.nvim", appauthor=False) / "daemon.log"


def open_log(path: Path) -> IO[bytes]:
    """``path`` for appending, begun anew once it has grown large. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    large = path.exists() and path.stat().st_size > MAX_LOG_BYTES
    anew = os.O_TRUNC if large else 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | anew, 0o600)
    return os.fdopen(descriptor, "wb")


def wire_error(error: Mapping[str, Any]) -> LofiError:
    """The ``error`` member of a reply as the exception it was in the daemon."""
    data = error.get("data") or {}
    name = str(data.get("code", "INTERNAL_ERROR"))
    details = dict(data.get("details") or {})
    if name not in CODES:  # a newer daemon than this client
        details, name = {"error": name} | details, "INTERNAL_ERROR"
    rebuilt = LofiError(name, str(error.get("message", name)), field=data.get("field"))
    rebuilt.details = details
    return rebuilt
