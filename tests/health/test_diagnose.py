"""`diagnose` on the wire, and that it says what `lofi doctor` says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.raw_daemon import PUPPET, RawDaemon

from lofi_daemon import config
from lofi_daemon.health import apart
from lofi_daemon.health.apart import examine_apart
from lofi_daemon.health.circumstances import Circumstances

LOFI = (sys.executable, str(Path(__file__).parents[1] / "cli" / "puppet_lofi.py"))
pytestmark = pytest.mark.usefixtures("light_torch")
FREE = re.compile(r"[\d.]+ [kMGT]B free")  # changes while we look


def texts(findings, leave_out=()):
    return [
        (finding["section"], finding["level"], FREE.sub("room", finding["text"]), finding["advice"])
        for finding in findings
        if finding["section"] not in leave_out
    ]


def test_the_daemon_finds_what_the_doctor_finds_in_the_same_words(tmp_path):
    settings = ("player.output=none", "cache.max_mb=7", "player.volume=11")
    with RawDaemon(tmp_path / "cache", PUPPET, *settings) as daemon:
        told = daemon.result("diagnose")["findings"]
    words = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [*LOFI, "doctor", "--json", *words], env=os.environ | {"LOFI_CACHE_PATH": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    of_the_shell = {"Neovim", "Daemon"}
    assert texts(told) == texts(json.loads(done.stdout)["findings"], of_the_shell)
    assert [text for section, level, text, _ in texts(told) if section == "Settings" and level == "warn"]


def test_other_requests_are_answered_while_the_daemon_examines_itself(tmp_path):
    with RawDaemon(tmp_path / "cache") as daemon:
        slow = daemon.send("diagnose")
        quick = daemon.send("ping")
        daemon.wait(lambda message: message.get("id") == slow)
        answered = [message["id"] for message in daemon.heard if "id" in message]
    assert answered == [quick, slow]


@pytest.mark.parametrize("params", [{"within_sec": 0}, {"within_sec": 61}, {"within_sec": "x"}, {"deep": True}])
def test_parameters_that_do_not_fit_are_refused(tmp_path, params):
    with RawDaemon(tmp_path / "cache") as daemon:
        assert daemon.error("diagnose", params)["data"]["code"] == "INVALID_PARAMS"


def test_what_libraries_print_is_no_finding(tmp_path, monkeypatch):
    (tmp_path / "chatty.py").write_text("print('Hello!')\ndef hook(stages): pass\n")
    (tmp_path / "config.toml").write_text('limit_hook = "chatty:hook"\nplayer = { output = "none" }\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = asyncio.run(examine_apart(Circumstances(config.load(file=tmp_path / "config.toml"), 60)))
    assert [finding["level"] for finding in told if finding["level"] == "error"] == []


def test_an_examination_that_breaks_off_is_told(tmp_path, monkeypatch):
    (tmp_path / "sqlite3.py").write_text("raise ImportError('libsqlite3.so.0: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    loaded = config.load(("player.output=none",), environ={}, file=tmp_path / "config.toml")
    (told,) = asyncio.run(examine_apart(Circumstances(loaded, 60)))
    assert told["level"] == "error" and "broke off" in told["text"]
    assert told["advice"] == ["In a shell: lofi doctor"]


def test_an_examination_that_hangs_is_ended(tmp_path, monkeypatch):
    (tmp_path / "sqlite3.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(apart, "LATE_SEC", 0.2)
    loaded = config.load(("player.output=none",), environ={}, file=tmp_path / "config.toml")
    (told,) = asyncio.run(examine_apart(Circumstances(loaded, 1)))
    assert "broke off" in told["text"]
