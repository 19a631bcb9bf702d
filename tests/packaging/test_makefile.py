"""What the Makefile and pyproject.toml promise."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

from lofi_daemon import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[ ;]", requirement)[0].lower() for requirement in requirements}


def test_no_install_of_today_brings_torch():
    everything = names(PROJECT["dependencies"]).union(*map(names, PROJECT["optional-dependencies"].values()))
    assert not everything & {"torch", "transformers", "diffusers"}


def test_the_neural_libraries_are_pinned_for_the_day_they_come():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert {"torch==2.13.0", "transformers==5.23.0", "diffusers==0.42.1"} <= set(pins)
    assert "--constraint constraints.txt" in (ROOT / "Makefile").read_text()


def test_the_package_says_the_version_the_daemon_says():
    assert PROJECT["version"] == __version__


def test_help_names_every_target_a_person_may_call():
    listed = subprocess.check_output(["make", "-s", "-C", ROOT, "help"], text=True)
    for target in ("demo", "test", "lint", "install", "gallery", "bench", "clean", "help"):
        assert re.search(rf"^  {target} ", listed, re.MULTILINE), target


def test_an_installation_is_done_again_only_when_its_description_changes(tmp_path):
    """With a Python that only takes notes."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "make_venv.sh").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "make_venv.sh").chmod(0o755)
    log = tmp_path / "log"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    python.chmod(0o755)

    def installs() -> int:
        log.write_text("")
        subprocess.run(["make", "-s", "-C", tmp_path, "install"], check=True, stdout=subprocess.DEVNULL)
        return sum(" install " in line for line in log.read_text().splitlines())

    assert installs() == 1
    assert installs() == 0
    stamp = (tmp_path / ".venv" / ".installed").stat().st_mtime
    os.utime(tmp_path / "pyproject.toml", (stamp + 5, stamp + 5))
    assert installs() == 1
