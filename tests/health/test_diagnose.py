"""`diagnose` on the wire, and that it says what `lofi doctor` says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.raw_daemon import PUPPET, RawDaemon

LOFI = (sys.executable, str(Path(__file__).parents[1] / "cli" / "puppet_lofi.py"))
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
        capture_output=True, text=True, check=False, timeout=60,
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


def test_the_front_stays_light_however_often_it_is_asked(tmp_path):
    """What is heavy is tried in children; a front that loaded it would keep it."""
    code = """
import sys
from lofi_daemon import config
from lofi_daemon.health.examine import Circumstances, examine
loaded = config.load(("player.output=none",), backends=("synth",))
assert list(examine(Circumstances(loaded, 60)))
heavy = ("torch", "transformers", "diffusers", "scipy", "numpy", "soundfile", "sounddevice")
print([m for m in heavy if m in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
