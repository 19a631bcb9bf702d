"""`lofi run`, `lofi stage` and `lofi import`, on real stages of a puppet engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOFI = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))
NIGHT = """[shared]
backend = "ace_step_15"
duration_sec = 6

[[stages]]
prompt = "one"
preview = true

[[stages]]
stage_type = "refine"
src_stage = 0
prompt = "two"
"""


@pytest.fixture
def lofi(tmp_path):
    env = {"PUPPET_DAEMON": "puppet_stages.py", "LOFI_PUPPET_LOG": str(tmp_path / "log")}

    def lofi(*words, **more):
        return subprocess.run(
            [*LOFI, *words],
            env=os.environ | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **more,
        )

    return lofi


def test_a_file_is_run_whole_or_from_a_stage_on(lofi, tmp_path):
    (tmp_path / "night.lofi.toml").write_text(NIGHT)
    whole = lofi("run", "night.lofi.toml")
    assert whole.returncode == 0, whole.stderr
    preview, last = whole.stdout.splitlines()
    assert Path(preview).is_file() and Path(last).is_file()
    (tmp_path / "night.lofi.toml").write_text(NIGHT.replace('"two"', '"three"'))
    later = lofi("run", "--from-stage", "1", "-", input=NIGHT.replace('"two"', '"three"'))
    assert len(later.stdout.splitlines()) == 1 and later.stdout.strip() != last
    did = [json.loads(line)["stage"] for line in (tmp_path / "log").read_text().splitlines()]
    assert did == ["one", "two", "three"]


def test_what_is_wrong_in_a_file_is_told_with_its_place(lofi, tmp_path):
    (tmp_path / "night.lofi.toml").write_text(NIGHT.replace("duration_sec = 6", 'bpm = "6"').replace('"two"', "3"))
    checked = lofi("run", "--check", "night.lofi.toml")
    assert checked.returncode == 2
    places = [line.split(": ")[:2] for line in checked.stdout.splitlines()]
    assert places == [["night.lofi.toml:3:1", "shared.bpm"], ["night.lofi.toml:12:1", "stages[1].prompt"]]
    refused = lofi("run", "night.lofi.toml")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("lofi: night.lofi.toml: Line 3: ")
    assert lofi("run", "nowhere.toml").stderr == "lofi: nowhere.toml cannot be read: No such file or directory.\n"


def test_a_stage_goes_out_and_comes_in_as_a_file_that_runs(lofi, tmp_path):
    made = lofi("run", "-", "--json", input=NIGHT)
    track = json.loads(made.stdout.splitlines()[-1])["tracks"][0]
    packed = lofi("stage", "export", track["id"][:12], "night")
    assert packed.stdout == f"{tmp_path / 'night.lofi.zip'}\n"
    brought = lofi("stage", "import", "night.lofi.zip")
    again = lofi("run", "-", input=brought.stdout)
    assert track["id"] in again.stdout, "it makes the same track"
    imported = lofi("import", track["path"])
    assert (imported.returncode, len(imported.stdout.strip())) == (2, 0), "the puppet's are a tenth of a second"
