"""What the Makefile and pyproject.toml promise."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from lofi_daemon import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[ ;]", requirement)[0].lower() for requirement in requirements}


def test_only_the_extras_of_the_neural_backends_bring_torch():
    extras = PROJECT["optional-dependencies"]
    heavy = {"torch", "transformers", "diffusers"}
    neural = {name for name, requirements in extras.items() if names(requirements) & heavy}
    assert neural == {"musicgen", "acestep"}
    assert not names(PROJECT["dependencies"]) & heavy
    assert extras["all"] == ["lofi-daemon[musicgen,acestep,mpris]"]


def test_what_the_neural_backends_are_written_against_lies_in_the_ranges_of_their_extras():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for requirement in (*PROJECT["optional-dependencies"]["musicgen"], *PROJECT["optional-dependencies"]["acestep"]):
        name, least, most = re.fullmatch(r"([a-z]+)>=([\d.]+)(?:,<(\d+))?", requirement).groups()
        if name in pins:
            version = [int(part) for part in pins[name].split(".")]
            assert [int(part) for part in least.split(".")] <= version < [int(most)]
    assert {"torch", "transformers", "diffusers"} <= set(pins)
    assert "--constraint constraints.txt" in (ROOT / "Makefile").read_text()


def test_the_package_says_the_version_the_daemon_says():
    assert PROJECT["version"] == __version__


def test_help_names_every_target_a_person_may_call():
    listed = subprocess.check_output(["make", "-s", "-C", ROOT, "help"], text=True)
    for target in (
        "demo", "test", "lint", "install", "upgrade", "uninstall", "gallery", "bench", "clean", "help",
    ):  # fmt: skip
        assert re.search(rf"^  {target} ", listed, re.MULTILINE), target
