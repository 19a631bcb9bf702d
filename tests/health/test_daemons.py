"""The place of the shared daemon and who is found there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from lofi_daemon import PROTOCOL_VERSION, __version__
from lofi_daemon.errors import LofiError
from lofi_daemon.health import daemons
from lofi_daemon.shared import seat
from lofi_daemon.shared.place import find


@pytest.fixture
def place():
    """Its path is short, as that of a socket has to be."""
    folder = tempfile.mkdtemp(prefix="lofi-")
    yield find("library", {"XDG_RUNTIME_DIR": folder})
    shutil.rmtree(folder)


def look(place, tmp_path, own_pid=None):
    return list(daemons.look(place, tmp_path / "log" / "daemon.log", own_pid))


class Server:
    """Holds a seat and greets with ``version`` and ``protocol``; with version None it hangs."""

    def __init__(self, place, version, protocol=PROTOCOL_VERSION):
        self.heard = []
        self._seat = seat.take(place)
        self._greeting = {"version": version, "protocol": protocol, "pid": os.getpid(), "serving": True}
        if version is not None:
            threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            link, _ = self._seat.listener.accept()
        except OSError:
            return
        with link:
            self.heard.append(json.loads(link.makefile("rb").readline()))
            link.sendall(json.dumps(self._greeting).encode() + b"\n")

    def close(self):
        self._seat.listener.shutdown(socket.SHUT_RDWR)  # else a thread would wait in accept
        self._seat.listener.close()
        self._seat.give_back()


@pytest.fixture
def serve():
    servers = []

    def start(*arguments):
        servers.append(Server(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_a_place_without_a_server_is_fine_and_the_log_can_be_written(place, tmp_path):
    assert [finding.level for finding in look(place, tmp_path)] == ["ok", "ok"]


def test_the_daemon_that_asks_is_not_told_of_itself(place, tmp_path, serve):
    serve(place, None)
    assert [finding.level for finding in look(place, tmp_path, own_pid=os.getpid())] == ["ok", "ok"]


def test_a_server_of_this_version_is_fine_and_is_asked_as_no_newer_client(place, tmp_path, serve):
    server = serve(place, __version__)
    assert [finding.level for finding in look(place, tmp_path)] == ["ok", "ok"]
    assert server.heard[0]["version"] == "0"


def test_a_server_of_another_version_is_to_be_restarted(place, tmp_path, serve):
    serve(place, "0.0.9")
    told = look(place, tmp_path)[1]
    assert told.level == "warn"
    assert told.text == f"A daemon (pid {os.getpid()}) runs with version 0.0.9; installed is {__version__}"
    assert "lofi restart" in told.advice[0]


def test_a_server_of_another_protocol_keeps_music_from_being_made(place, tmp_path, serve):
    serve(place, "9.0", 9)
    told = look(place, tmp_path)[1]
    assert told.level == "error" and f"kill {os.getpid()}" in told.advice[0]


def test_a_server_that_hangs_is_named_with_its_pid(place, tmp_path, serve, monkeypatch):
    monkeypatch.setattr(daemons, "ANSWER_WITHIN_SEC", 0.1)
    serve(place, None)
    told = look(place, tmp_path)[1]
    assert told.level == "error" and f"kill -9 {os.getpid()}" in told.advice[0]


def test_a_server_of_another_library_is_told_of(place, tmp_path, serve):
    other = type(place)(str(Path(place.socket).parent), "0123456789ab")
    serve(other, __version__)
    told = look(place, tmp_path)[1]
    assert (told.level, told.text) == ("info", f"Another daemon (pid {os.getpid()}) serves another folder of tracks")


def test_no_private_place_is_an_error_with_the_way_around_it(tmp_path):
    told = look(LofiError("INTERNAL_ERROR", "There is no private folder for the daemon's socket."), tmp_path)[0]
    assert told.level == "error" and "daemon.shared = false" in told.advice[0]


def test_a_log_that_cannot_be_written_is_told(place, tmp_path):
    (tmp_path / "log").write_text("")
    told = look(place, tmp_path)[-1]
    assert told.level == "warn" and "has to be a folder" in told.advice[0]
