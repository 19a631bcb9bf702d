"""`lofi doctor`: each check alone, and all of them when the daemon does not start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lofi_daemon import config
from lofi_daemon.cli import checks
from lofi_daemon.client import DaemonClient

LOFI = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))


def nvim(folder: Path, first_line: str) -> str:
    path = folder / "nvim"
    path.write_text(f"#!/bin/sh\necho '{first_line}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("line", "level"),
    [("NVIM v0.11.4", "ok"), ("NVIM v0.12.0-dev", "ok"), ("NVIM v1.0.0", "ok"), ("NVIM v0.10.4", "warn"), ("", "warn")],
)
def test_an_old_neovim_is_told_with_what_mends_it(tmp_path, line, level):
    check = checks.neovim(nvim(tmp_path, line))
    assert check.level == level
    assert bool(check.fix) == (level != "ok")


def test_no_neovim_is_a_warning_because_the_command_line_needs_none():
    assert checks.neovim(None).level == "warn"


def test_a_cache_that_cannot_be_written_fails_and_one_that_can_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("")
    check = checks.cache(tmp_path / "file" / "cache")
    assert check.level == "fail" and "LOFI_CACHE_PATH" in check.fix
    assert checks.cache(tmp_path / "cache").level == "ok"
    assert list((tmp_path / "cache").iterdir()) == []


def test_little_space_is_a_warning(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: usage._replace(free=10_000_000))
    check = checks.cache(tmp_path)
    assert check.level == "warn" and "10.0 MB" in check.found


def test_missing_portaudio_names_the_command_of_this_system(monkeypatch):
    monkeypatch.setattr(checks.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(checks.shutil, "which", lambda tool: "/bin/dnf" if tool == "dnf" else None)
    check = checks.portaudio()
    assert (check.level, check.fix) == ("warn", "sudo dnf install portaudio")


def test_sound_switched_off_is_no_problem():
    (check,) = checks.sound("none")
    assert check.level == "ok"


def test_no_sound_device_is_a_warning_with_the_reasons(monkeypatch, tmp_path):
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "none.conf"))
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    (check,) = checks.sound("auto")
    assert check.level == "warn"
    assert check.found.startswith("no device") and check.fix


def test_a_setting_that_does_not_fit_is_a_warning(tmp_path):
    loaded = config.load(("player.volume=11",), environ={}, file=tmp_path / "config.toml")
    levels = {check.level: check.found for check in checks.settings(loaded, tmp_path / "config.toml")}
    assert "player.volume" in levels["warn"]


def test_another_protocol_is_a_failure():
    body = (
        "import json, sys; i = json.loads(sys.stdin.readline())['id'];"
        "print(json.dumps({'id': i, 'result': {'version': '9', 'protocol': 9}}), flush=True)"
    )
    client = DaemonClient(command=(sys.executable, "-c", body))
    check = checks.daemon(client)
    client.close()
    assert check.level == "fail" and "protocol 9" in check.found


def doctor(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*LOFI, "doctor", *words]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False, timeout=60)


def test_all_is_well_here_and_every_setting_says_where_it_came_from():
    folder = config.config_file()
    folder.parent.mkdir(parents=True)
    folder.write_text("[cache]\nmax_mb = 100\n")
    done = doctor("--json", "--set", "player.volume=0.5", LOFI_THREADS="2")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True)
    names = {check["name"] for check in report["checks"]}
    assert names >= {
        "Python",
        "libraries",
        "daemon",
        "cache",
        "library",
        "PortAudio",
        "sound",
        "Neovim",
        "backend synth",
    }
    settings = report["settings"]
    assert settings["player.volume"] == {"value": 0.5, "source": "setup"}
    assert settings["threads"] == {"value": 2, "source": "environment LOFI_THREADS"}
    assert settings["cache.max_mb"] == {"value": 100, "source": str(folder)}
    assert settings["device"]["source"] == "default"


def test_a_broken_cache_is_told_as_a_person_reads_it(tmp_path):
    (tmp_path / "file").write_text("")
    done = doctor(LOFI_CACHE_PATH=str(tmp_path / "file"))
    assert done.returncode == 1
    assert "FAIL  cache" in done.stdout and "-> " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_doctor_works_when_the_daemon_does_not():
    code = (
        "import sys; from lofi_daemon.cli import entry; from lofi_daemon.cli.terminal import Terminal;"
        "from lofi_daemon.client import DaemonClient;"
        "connect = lambda s: DaemonClient(command=('/nowhere/lofi-daemon',));"
        "sys.exit(entry.run(['doctor'], Terminal.standard(), connect))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAIL  daemon" in done.stdout
    assert "Neovim" in done.stdout and "player.volume" in done.stdout
