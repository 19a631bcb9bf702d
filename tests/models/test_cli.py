"""`lofi download` and `lofi backends`, in pipes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_hub import musicgen_files

LOFI = (sys.executable, str(Path(__file__).parents[1] / "cli" / "puppet_lofi.py"))
BIG = "model.safetensors"


def lofi(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*LOFI, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=100
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("LOFI_MODEL_PATH", str(folder))
    return folder


def test_download_prints_the_folder_alone_on_stdout_and_the_licence_before(hub, models):
    done = lofi("download", "musicgen")
    assert (done.returncode, done.stdout) == (0, f"{models / 'facebook--musicgen-small'}\n")
    said = done.stderr.splitlines()
    assert "not for commercial use" in said[0]
    assert any(line.startswith("Fetching 100 % of 300.1 kB") for line in said)
    assert "MusicGen small is here." in said[-1]
    again = lofi("download", "musicgen", "small")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")


def test_ctrl_c_stops_it_and_says_how_to_go_on(hub, models):
    hub.tricks[BIG] = ["slow 100000", "ok"]
    process = subprocess.Popen([*LOFI, "download", "musicgen"], stderr=subprocess.PIPE, text=True)
    assert hub.stalled.wait(60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "`lofi download musicgen small` goes on from there" in said.splitlines()[-1]
    assert lofi("download", "musicgen").returncode == 0
    assert hub.ranges(BIG)[-1] != "bytes=0-"


def test_a_failed_download_says_why_on_one_line(hub, models):
    hub.resolve_status = 403
    done = lofi("download", "musicgen")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("lofi: 127.0.0.1")
    assert "accept its terms" in done.stderr


def test_verify_names_what_is_damaged_and_the_next_download_mends_just_that(hub, models):
    assert "lofi download musicgen small" in lofi("download", "--verify", "musicgen").stderr
    lofi("download", "musicgen")
    whole = lofi("download", "--verify", "musicgen")
    assert whole.returncode == 0 and "are as the hub has them" in whole.stderr
    path = models / "facebook--musicgen-small" / BIG
    path.write_bytes(b"\0" * path.stat().st_size)
    done = lofi("download", "--verify", "musicgen")
    assert (done.returncode, done.stdout) == (1, f"{path}\n")
    hub.asked.clear()
    assert lofi("download", "musicgen").returncode == 0
    assert path.read_bytes() == musicgen_files()[BIG]


def test_backends_shows_status_size_licence_and_place(hub, models):
    row = next(line.split("\t") for line in lofi("backends").stdout.splitlines() if line.startswith("musicgen\t"))
    assert row[:5] == ["musicgen", "not_installed", "5-120", "small absent, 2.4 GB", "CC-BY-NC-4.0"]
    lofi("download", "musicgen")
    rows = [line.split("\t") for line in lofi("backends", "musicgen").stdout.splitlines()]
    assert rows[0] == ["small", "ready", "300.1 kB", "CC-BY-NC-4.0", str(models / "facebook--musicgen-small")]
    assert rows[1] == ["medium", "absent", "8.0 GB", "CC-BY-NC-4.0", "facebook/musicgen-medium"]
    assert lofi("backends", "nope").returncode == 2
