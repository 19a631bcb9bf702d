"""Finding and starting the server, where something is wrong with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.shared import bridge, hello, seat
from lofi_daemon.shared.place import Place


@pytest.fixture
def place(short_folder):
    return Place(str(short_folder), "x")


def connect(place, server):
    return bridge.connect(place, hello.own((), {}), (sys.executable, "-c", server))


def test_a_server_that_fails_is_told_with_its_last_words(place):
    server = "import sys; print('Traceback …', flush=True); sys.exit('ModuleNotFoundError: No module named msgspec')"
    with pytest.raises(LofiError, match=r"^ModuleNotFoundError: No module named msgspec$"):
        connect(place, server)


def test_a_server_that_fails_silently_is_told_too(place):
    with pytest.raises(LofiError, match=r"exit code -9\)"):
        connect(place, "import os; os.kill(os.getpid(), 9)")


def test_a_command_that_cannot_be_run_is_told(place):
    with pytest.raises(LofiError, match="could not be started"):
        bridge.connect(place, hello.own((), {}), ("/nowhere/python",))


def test_a_server_that_hangs_is_named(place, monkeypatch):
    monkeypatch.setattr(bridge, "START_WITHIN_SEC", 0.2)
    taken = seat.take(place)
    with pytest.raises(LofiError, match=rf"running daemon \(pid {os.getpid()}\) does not answer"):
        connect(place, "raise SystemExit(1)")
    taken.give_back()


def test_a_lock_whose_holder_does_not_listen_is_named(place):
    taken = seat.take(place)
    taken.leave_socket()
    with pytest.raises(LofiError, match=rf"\(pid {os.getpid()}\) hangs"):
        seat.take(place, within_sec=0.1)
    taken.give_back()


def test_a_seat_is_taken_once_and_again_when_it_was_given_back(place):
    first = seat.take(place)
    assert seat.take(place) is None
    first.listener.close()
    first.leave_socket()
    first.give_back()
    second = seat.take(place)
    assert second is not None
    second.give_back()


def test_a_stale_socket_is_no_server(place):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(place.socket)  # as kill -9 leaves it
    with pytest.raises(LofiError, match="started"):
        connect(place, "raise SystemExit('started')")
    assert seat.take(place) is not None


def test_what_every_editor_waits_for_loads_little():
    code = """
import sys, lofi_daemon.__main__
from lofi_daemon.shared import bridge, early, hello, place
heavy = ("msgspec", "asyncio", "pathlib", "typing", "dataclasses", "subprocess", "argparse", "logging", "platformdirs")
print([name for name in heavy if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
