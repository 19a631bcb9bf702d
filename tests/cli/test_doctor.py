"""`lofi doctor`: what it prints and how it ends, also when the daemon does not start. tests/health has the findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lofi_daemon import config
from lofi_daemon.client import DaemonClient
from lofi_daemon.health import answers, neovim
from lofi_daemon.health.commands import Installation

LOFI = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))
pytestmark = pytest.mark.usefixtures("light_torch")


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
    (found,) = neovim.look(nvim(tmp_path, line), {"XDG_STATE_HOME": str(tmp_path)})
    assert found.level == level
    assert bool(found.advice) == (level != "ok")


def test_no_neovim_is_a_warning_because_the_command_line_needs_none():
    (found,) = neovim.look(None)
    assert found.level == "warn"


def test_the_log_of_the_plugin_is_named_where_there_is_one(tmp_path):
    (tmp_path / "nvim").mkdir()
    (tmp_path / "nvim" / "lofi.log").touch()
    *_, found = neovim.look(nvim(tmp_path / "nvim", "NVIM v0.11.4"), {"XDG_STATE_HOME": str(tmp_path)})
    assert found.text == f"The plugin's log: {tmp_path}/nvim/lofi.log"


def answer(tmp_path: Path, body: str) -> list:
    """What is found of a daemon that is this Python code."""
    log = tmp_path / "daemon.log"
    client = DaemonClient(command=(sys.executable, "-c", body), log=log)
    return list(answers.look(client, log, Installation(None, Path("/env"), Path("/env/bin/python")), {"Known."}, 20))


REPLIES = """
import json, sys
for line in sys.stdin:
    for notice in NOTICES:
        params = {'level': 'warn', 'message': notice}
        print(json.dumps({'jsonrpc': '2.0', 'method': 'engine_notice', 'params': params}))
    result = {'version': '9', 'protocol': PROTOCOL, 'pid': 7}
    print(json.dumps({'jsonrpc': '2.0', 'id': json.loads(line)['id'], 'result': result}), flush=True)
"""


def replies(protocol: int, *notices: str) -> str:
    return f"PROTOCOL, NOTICES = {protocol}, {notices!r}\n" + REPLIES


def test_another_protocol_is_an_error(tmp_path):
    (found,) = answer(tmp_path, replies(9))
    assert found.level == "error" and "protocol 9" in found.text and "lofi restart" in found.advice[-1]


def test_what_the_daemon_says_on_joining_is_told_unless_it_is_known(tmp_path):
    found = answer(tmp_path, replies(1, "Known.", "The running daemon is older."))
    assert {one.text for one in found[1:]} == {"The running daemon is older."}


def test_a_daemon_that_dies_is_told_in_its_last_words(tmp_path):
    (found,) = answer(tmp_path, "import sys; sys.exit('lofi-daemon: There is no room on the moon.')")
    assert found.level == "error"
    assert found.text.endswith(": There is no room on the moon.")
    assert found.advice[0].endswith("daemon.log")


def doctor(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*LOFI, "doctor", *words]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False, timeout=100)


def test_all_is_well_here_and_every_setting_says_where_it_came_from():
    folder = config.config_file()
    folder.parent.mkdir(parents=True)
    folder.write_text("[cache]\nmax_mb = 100\n")
    done = doctor("--json", "--set", "player.volume=0.5", LOFI_THREADS="2")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True)
    sections = list(dict.fromkeys(finding["section"] for finding in report["findings"]))
    assert sections == [
        "Neovim", "Daemon", "Python", "Settings", "Library", "Shared daemon", "Sound", "Backends", "GPU",
    ]  # fmt: skip
    settings = report["settings"]
    assert settings["player.volume"] == {"value": 0.5, "source": "setup"}
    assert settings["threads"] == {"value": 2, "source": "environment LOFI_THREADS"}
    assert settings["cache.max_mb"] == {"value": 100, "source": str(folder)}
    assert settings["device"]["source"] == "default"


def test_a_broken_cache_is_told_as_a_person_reads_it(tmp_path):
    (tmp_path / "file").write_text("")
    done = doctor(LOFI_CACHE_PATH=str(tmp_path / "file"))
    assert done.returncode == 1
    told = done.stdout.partition("\nLibrary\n")[2]
    assert told.startswith("  ERROR  Could not write")
    assert "         - Another folder: " in told
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
    assert "\nDaemon\n  ERROR  The daemon could not be started" in done.stdout
    assert "\nGPU\n" in done.stdout and "player.volume" in done.stdout


def test_the_doctor_works_without_the_library_that_everything_needs(tmp_path):
    (tmp_path / "msgspec.py").write_text("raise ImportError('libfoo.so.6: cannot open shared object file')")
    done = doctor(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "ERROR  Libraries that are needed to compose do not load: msgspec: ImportError: libfoo.so.6" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("seconds", ["0", "nan", "soon"])
def test_a_time_that_is_none_is_a_wrong_command(seconds):
    assert doctor("--within", seconds).returncode == 2
