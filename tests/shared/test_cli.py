"""`lofi` where the daemon is shared."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LOFI = (sys.executable, str(Path(__file__).parents[1] / "cli" / "puppet_lofi.py"))


def lofi(*words):
    return subprocess.run([*LOFI, *words], capture_output=True, text=True, timeout=100, check=False)


def test_a_call_uses_the_daemon_that_is_there_and_leaves_it(runtime):
    with runtime.bridge() as editor:
        server = editor.result("ping")["pid"]
        track = json.loads(lofi("generate", "steps 1", "--json").stdout.splitlines()[-1])["track_id"]
        assert editor.wait(lambda m: m.get("method") == "generation_complete")["params"]["track_id"] == track
        assert runtime.servers() == [server]


def test_restart_brings_another_daemon_with_the_settings_of_now(runtime):
    with runtime.bridge() as editor:
        server = editor.result("ping")["pid"]
        done = lofi("restart", "--json", "--set", "cache.max_mb=7")
        assert done.returncode == 0
        new = json.loads(done.stdout)["pid"]
        assert editor.process.wait(30) == 0
    assert new != server
    assert runtime.servers() == [new]
    with runtime.bridge() as editor:
        assert editor.result("cache_stats")["max_bytes"] == 7_000_000


def test_restart_says_that_there_is_nothing_to_restart_where_each_client_has_its_own(runtime, monkeypatch):
    monkeypatch.setenv("LOFI_DAEMON_SHARED", "false")
    done = lofi("restart")
    assert done.returncode == 0
    assert "no shared daemon" in done.stderr


def test_doctor_says_where_the_shared_daemon_and_its_log_are(runtime):
    done = lofi("doctor")
    (server,) = runtime.servers()
    assert f"pid {server}, shared by all editors" in done.stdout
    assert "Its log: " in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ending_play_stops_the_music_it_started(runtime, card, number):
    with runtime.bridge("player.output=sounddevice") as editor:
        job = editor.result("generate", {"prompt": "long night"})["job_id"]
        editor.end_of(job)
        with subprocess.Popen([*LOFI, "play"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as player:
            editor.wait(lambda m: m.get("method") == "playback_started")
            player.stderr.readline()
            player.send_signal(number)
        ended = editor.wait(lambda m: m.get("method") == "playback_ended")["params"]
        assert ended["reason"] == "stopped"
        assert editor.result("ping")["status"] == "ok"
