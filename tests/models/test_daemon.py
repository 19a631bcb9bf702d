"""Downloads as a client sees them, with a real daemon and a real child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.fake_hub import musicgen_files
from support.raw_daemon import RawDaemon
from support.shared_daemon import shared_runtime

from lofi_daemon.models.catalogue import find
from lofi_daemon.models.link import Patience, encode, order_for
from lofi_daemon.models.manager import FETCH

BIG = "model.safetensors"
FILES = musicgen_files()
MUSICGEN = {"backend": "musicgen"}


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def daemon(hub, cache):
    with RawDaemon(cache) as daemon:
        yield daemon


def folder(cache: Path) -> Path:
    return cache / "models" / "facebook--musicgen-small"


def kept(cache: Path) -> int:
    part = folder(cache) / ".partial" / f"{BIG}.part"
    return part.stat().st_size if part.exists() else 0


def ended(daemon: RawDaemon, count: int = 1) -> dict:
    """The ``count``-th backend_status that ends a download."""

    def is_nth(message: dict) -> bool:
        if message.get("method") != "backend_status" or message["params"]["status"] == "downloading":
            return False
        all_of_them = [m for m in daemon.notifications("backend_status") if m["params"]["status"] != "downloading"]
        return message is all_of_them[count - 1] if len(all_of_them) >= count else False

    return daemon.wait(is_nth)["params"]


def weights(daemon: RawDaemon, model: str = "small") -> dict:
    backend = next(b for b in daemon.result("get_backends")["backends"] if b["type"] == "musicgen")
    return next(one for one in backend["weights"] if one["model"] == model)


def until(condition) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def processes() -> dict[int, tuple[int, str, str]]:
    """pid → (parent, state, command)."""
    done = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in done.stdout.splitlines()]
    return {int(row[0]): (int(row[1]), row[2], row[3]) for row in rows if len(row) == 4}


def child_of(pid: int) -> int:
    """The pid of the child that fetches."""
    found = processes().items()
    return next(child for child, (parent, _, args) in found if parent == pid and "lofi_daemon.models.fetch" in args)


def lives(pid: int) -> bool:
    return not processes().get(pid, (0, "Z", ""))[1].startswith("Z")


def stall(hub, size: int = 100_000) -> None:
    """The next request for the large file gets ``size`` bytes and then nothing."""
    hub.tricks[BIG] = [f"slow {size}", "ok"]


def test_a_download_is_told_from_its_licence_to_its_end(daemon, cache):
    before = weights(daemon)
    assert (before["status"], before["bytes_here"], before["path"]) == ("absent", 0, None)
    assert before["license"] == "CC-BY-NC-4.0"
    answer = daemon.result("download_backend", MUSICGEN)
    assert (answer["started"], answer["already_installed"], answer["model"]) == (True, False, "small")
    end = ended(daemon)
    assert (end["backend"], end["model"], end["weights"]) == ("musicgen", "small", "ready")
    assert end["status"] != "error"
    notices = [m["params"]["message"] for m in daemon.notifications("engine_notice")]
    assert any("not for commercial use" in notice for notice in notices)
    progress = [m["params"] for m in daemon.notifications("download_progress")]
    percents = [one["overall_percent"] for one in progress]
    assert percents == sorted(percents) and percents[-1] == 100
    assert progress[-1]["bytes_downloaded"] == progress[-1]["bytes_total"]
    after = weights(daemon)
    assert (after["status"], after["path"]) == ("ready", str(folder(cache)))
    assert after["bytes"] == after["bytes_here"] == progress[-1]["bytes_total"]
    assert daemon.result("download_backend", MUSICGEN)["already_installed"]


def test_the_reply_comes_before_the_first_notification(daemon):
    ident = daemon.send("download_backend", MUSICGEN)
    ended(daemon)
    first = next(m for m in daemon.heard if m.get("method") == "backend_status")
    reply = next(m for m in daemon.heard if m.get("id") == ident)
    assert daemon.heard.index(reply) < daemon.heard.index(first)


def test_a_cancelled_download_keeps_what_it_has_and_goes_on_from_there(daemon, hub, cache):
    stall(hub)
    daemon.result("download_backend", MUSICGEN)
    until(lambda: kept(cache) == 100_000)
    assert weights(daemon)["status"] == "downloading"
    assert daemon.result("cancel_download", MUSICGEN) == {"cancelled": True}
    end = ended(daemon)
    assert (end["status"], end["weights"]) == ("not_installed", "partial")
    assert "Cancelled" in end["message"]
    assert weights(daemon)["bytes_here"] >= 100_000
    assert daemon.result("cancel_download", MUSICGEN) == {"cancelled": False}
    daemon.result("download_backend", MUSICGEN)
    assert ended(daemon, 2)["weights"] == "ready"
    assert hub.ranges(BIG) == [None, "bytes=100000-"]


def test_one_download_at_a_time_and_the_same_one_is_joined(daemon, hub):
    stall(hub)
    daemon.result("download_backend", MUSICGEN)
    joined = daemon.result("download_backend", {"backend": "musicgen", "model": "small"})
    assert (joined["started"], joined["already_installed"]) == (False, False)
    error = daemon.error("download_backend", {"backend": "musicgen", "model": "medium"})
    assert error["data"]["code"] == "MODEL_DOWNLOAD_FAILED"
    assert "MusicGen small is being downloaded" in error["message"]
    assert len(hub.ranges(BIG)) <= 1


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"backend": "nope"}, "INVALID_BACKEND", "backend"),
        ({"backend": "synth"}, "UNSUPPORTED", "backend"),
        ({"backend": "musicgen", "model": "../x"}, "MODEL_NOT_FOUND", "model"),
        ({}, "INVALID_PARAMS", "backend"),
        ({"backend": "musicgen", "repo": "evil/repo"}, "INVALID_PARAMS", "repo"),
    ],
)
@pytest.mark.parametrize("method", ["download_backend", "cancel_download"])
def test_bad_params_have_named_errors(daemon, method, params, code, field):
    data = daemon.error(method, params)["data"]
    assert (data["code"], data["field"]) == (code, field)


def test_a_failure_is_told_and_shown_until_the_next_try(daemon, hub):
    hub.resolve_status = 403
    daemon.result("download_backend", MUSICGEN)
    end = ended(daemon)
    assert end["status"] == end["weights"] == "error"
    assert "accept its terms" in end["message"]
    shown = weights(daemon)
    assert (shown["status"], shown["message"]) == ("error", end["message"])
    hub.resolve_status = 302
    daemon.result("download_backend", MUSICGEN)
    assert ended(daemon, 2)["weights"] == "ready"


def test_a_child_that_is_killed_is_told_and_the_next_one_goes_on(daemon, hub, cache):
    stall(hub)
    daemon.result("download_backend", MUSICGEN)
    until(lambda: kept(cache) == 100_000)
    os.kill(child_of(daemon.process.pid), signal.SIGKILL)
    end = ended(daemon)
    assert end["status"] == "error"
    assert "ended unexpectedly (signal 9)" in end["message"]
    daemon.result("download_backend", MUSICGEN)
    assert ended(daemon, 2)["weights"] == "ready"
    assert hub.ranges(BIG)[-1] == "bytes=100000-"


@pytest.mark.parametrize("how", ["kill -9", "end of stdin"])
def test_a_daemon_that_ends_takes_its_child_along_and_the_next_one_goes_on(hub, cache, how):
    stall(hub)
    with RawDaemon(cache) as first:
        first.result("download_backend", MUSICGEN)
        until(lambda: kept(cache) == 100_000)
        child = child_of(first.process.pid)
        if how == "kill -9":
            first.process.kill()
        else:
            first.process.stdin.close()
        first.process.wait(30)
        until(lambda: not lives(child))
    with RawDaemon(cache) as second:
        assert weights(second)["status"] == "partial"
        second.result("download_backend", MUSICGEN)
        assert ended(second)["weights"] == "ready"
    assert hub.ranges(BIG) == [None, "bytes=100000-"]
    assert (folder(cache) / BIG).read_bytes() == FILES[BIG]


def test_a_full_disk_is_a_sentence_and_the_download_goes_on_once_there_is_room(hub, cache):
    """A file-size limit stands in for the full disk: the child inherits it."""
    limited = (
        sys.executable, "-c",
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "sys.argv = ['lofi-daemon', '--stdio', '--set', 'player.output=none', *sys.argv[1:]];"
        "runpy.run_module('lofi_daemon', run_name='__main__')",
    )  # fmt: skip
    with RawDaemon(cache, limited) as daemon:
        daemon.result("download_backend", MUSICGEN)
        end = ended(daemon)
        assert end["status"] == "error"
        assert "ulimit" in end["message"] and "set model_path" in end["message"]
        assert daemon.result("ping")["status"] == "ok"
    with RawDaemon(cache) as daemon:
        daemon.result("download_backend", MUSICGEN)
        assert ended(daemon)["weights"] == "ready"


def test_the_token_is_in_no_message_and_in_no_log(hub, cache):
    hub.token = "hf_verysecret"
    with RawDaemon(cache, env={"HF_TOKEN": "hf_verysecret"}) as daemon:
        hub.resolve_status = 403
        daemon.result("download_backend", MUSICGEN)
        assert ended(daemon)["status"] == "error"
        assert "verysecret" not in str(daemon.heard) + daemon.log.decode()


def test_a_download_goes_on_to_its_end_in_a_shared_daemon_that_nobody_else_needs(hub, cache, monkeypatch):
    hub.tricks[BIG] = ["slow 100000"]
    with shared_runtime(cache, monkeypatch) as runtime:
        with runtime.bridge("idle_timeout_sec=0.1") as first:
            first.result("download_backend", MUSICGEN)
            until(lambda: kept(cache) == 100_000)
        (server,) = runtime.servers()
        time.sleep(1.5)  # more than it waits with nothing to do
        hub.go_on.set()
        until((folder(cache) / "lofi.lock.json").exists)
        runtime.wait_until_gone(server)


def test_the_child_leaves_in_peace_while_the_front_still_listens(hub, tmp_path):
    order = order_for(find("musicgen", "small"), tmp_path / "models", Patience())
    process = subprocess.Popen(FETCH, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(encode(order))
    process.stdin.flush()
    said = process.stdout.read()
    assert (process.wait(60), process.stderr.read()) == (0, b"")
    assert b'"finished"' in said.splitlines()[-1]


def test_the_front_loads_nothing_of_the_web():
    code = (
        "import sys; import lofi_daemon.app; "
        "print([m for m in ('urllib.request', 'ssl', 'torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.strip()
    assert "urllib.request" not in loaded and "torch" not in loaded and "transformers" not in loaded
