"""`make install`, `upgrade` and `uninstall`: the real Makefile and scripts with a pip that only takes notes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PYTHON = f"""#!/bin/sh
here=$(dirname "$0")
case "$*" in
    *"-m pip"*)
        echo "$@" >> "$here/notes"
        [ ! -e "$here/../.hold" ] || cp "$here/../.hold" "$here/held"
        cat "$here/says" 2>/dev/null
        [ ! -e "$here/fails" ] ;;
    *find_spec*) [ ! -e "$here/silent" ] ;; # PortAudio
    *pip.__version__*)
        mkdir -p "$here/fake" && cp "$here/version" "$here/fake/pip.py"
        PYTHONPATH="$here/fake" exec {sys.executable} "$@" ;;
    *importlib.metadata*) echo 2.13.0+cpu ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


class Plugin:
    """A folder with the plugin's Makefile and an environment whose Python has no pip but takes notes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / ".venv"
        self.bin = self.venv / "bin"
        (folder / "tools").mkdir(parents=True)
        self.bin.mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        self.program("tools/uname", "echo Linux")
        self.program("scripts/system_package.sh", "exit 1")
        self.program("scripts/choose_torch.sh", "echo cpu")
        python = self.bin / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)

    def program(self, path: str, line: str) -> None:
        (self.folder / path).write_text(f"#!/bin/sh\n{line}\n")
        (self.folder / path).chmod(0o755)

    def make(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        (self.bin / "notes").write_text("")
        # as the plugin managers do: no terminal, and not the make that runs these tests
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "TORCH"))}
        return subprocess.run(
            ["make", "-s", *words], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**kept, "PATH": f"{self.folder}/tools:{os.environ['PATH']}", **env}, check=False,
        )  # fmt: skip

    def pip(self) -> list[str]:
        """The arguments of pip since the last ``make``."""
        return [line.partition("--no-color ")[2] for line in (self.bin / "notes").read_text().splitlines()]

    def changes(self) -> None:
        """As a `git pull` that changes what is needed."""
        stamp = (self.venv / ".installed").stat().st_mtime
        os.utime(self.folder / "pyproject.toml", (stamp + 5, stamp + 5))


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path / "lofi nvim")


INSTALL = "install --progress-bar off"
CPU = f"{INSTALL} --index-url https://download.pytorch.org/whl/cpu torch>=2.13,<3"
HOLD = "--constraint .venv/.hold"


def test_an_installation_is_done_again_only_when_what_it_needs_changes(plugin):
    assert plugin.make("install").returncode == 0
    assert plugin.pip() == [f"{INSTALL} --editable ."]
    plugin.make("install")
    assert plugin.pip() == []
    plugin.changes()
    plugin.make("install")
    assert plugin.pip() == [f"{INSTALL} --editable ."]


def test_what_was_chosen_is_kept_by_later_installs_and_upgrades(plugin):
    plugin.make("install", "EXTRAS=musicgen")
    assert plugin.pip() == [CPU, f"{INSTALL} {HOLD} --editable .[musicgen]"]
    plugin.make("install")
    assert plugin.pip() == []
    plugin.changes()
    plugin.make("install")
    assert plugin.pip()[-1] == f"{INSTALL} {HOLD} --editable .[musicgen]"
    plugin.make("install", "EXTRAS=acestep")
    assert plugin.pip()[-1] == f"{INSTALL} {HOLD} --editable .[musicgen,acestep]"
    plugin.make("upgrade")
    newer = "--upgrade --upgrade-strategy eager"
    assert plugin.pip() == [
        f"{INSTALL} {newer} --index-url https://download.pytorch.org/whl/cpu torch>=2.13,<3",
        f"{INSTALL} {newer} {HOLD} --editable .[musicgen,acestep]",
    ]


def test_torch_is_held_at_the_build_that_was_chosen(plugin):
    plugin.make("install", "EXTRAS=all")
    assert (plugin.bin / "held").read_text() == "torch==2.13.0+cpu\n"


def test_the_build_of_torch_can_be_chosen_by_hand_and_changed(plugin):
    plugin.make("install", "EXTRAS=musicgen", "TORCH=default")
    assert plugin.pip() == [f"{INSTALL} --editable .[musicgen]"]
    plugin.make("upgrade")
    assert not any("--index-url" in call for call in plugin.pip())
    plugin.make("install", "TORCH=rocm6.4")
    assert plugin.pip()[0] == "uninstall --yes torch"
    assert "--index-url https://download.pytorch.org/whl/rocm6.4 torch" in plugin.pip()[1]


def test_how_large_it_is_stands_before_what_is_fetched(plugin):
    (plugin.bin / "says").write_text(
        "Collecting torch\n"
        "  Downloading torch-2.13.0.metadata (30 kB)\n"
        "Downloading https://files.example/torch-2.13.0%2Bcpu-cp311-linux_x86_64.whl (191.8 MB)\n"
        "Using cached regex-2026.1-cp311.whl (806 kB)\n"
        "Installing collected packages: torch, regex\n"
    )
    lines = plugin.make("install", "EXTRAS=musicgen").stdout.splitlines()
    assert "0.3 GB to fetch" in lines[0]
    assert lines[1:4] == ["  torch 2.13.0%2Bcpu (191.8 MB)", "  regex 2026.1 (806 kB)", "  installing 2 packages"]


@pytest.mark.parametrize(("version", "counts"), [("24.0", False), ("24.1.2", True), ("26.3", True)])
def test_bytes_are_counted_for_a_program_that_reads_along(plugin, version, counts):
    (plugin.bin / "version").write_text(f"__version__ = '{version}'\n")
    (plugin.bin / "says").write_text("Progress 1 of 2\n")
    done = plugin.make("install", LOFI_PROGRESS="1")
    assert plugin.pip() == [f"install --progress-bar {'raw' if counts else 'off'} --editable ."]
    assert "Progress 1 of 2" in done.stdout.splitlines()
    assert (plugin.venv / ".pip.log").read_text() == ""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("WARNING: Retrying after 'NewConnectionError(...)'", "The package index cannot be reached"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: No matching distribution found for soxr", "No matching distribution found for soxr"),
    ],
)  # fmt: skip
def test_why_pip_failed_is_said_in_a_sentence(plugin, said, sentence):
    (plugin.bin / "says").write_text(f"Collecting soxr\n{said}\n")
    (plugin.bin / "fails").touch()
    done = plugin.make("install")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith(sentence)
    assert (plugin.venv / ".pip.log").read_text() == f"Collecting soxr\n{said}\n"


def test_an_index_of_torch_that_cannot_be_reached_has_another_way_out(plugin):
    (plugin.bin / "says").write_text("WARNING: Retrying ... Max retries exceeded\n")
    (plugin.bin / "fails").touch()
    done = plugin.make("install", "EXTRAS=musicgen")
    assert "download.pytorch.org/whl/cpu cannot be reached" in done.stderr
    assert "TORCH=default" in done.stderr


@pytest.mark.parametrize("before", [False, True])
def test_what_failed_is_tried_again(plugin, before):
    if before:
        plugin.make("install")
    (plugin.bin / "fails").touch()
    plugin.make("install", "EXTRAS=musicgen")
    (plugin.bin / "fails").unlink()
    assert plugin.make("install").returncode == 0
    assert plugin.pip() == [f"{INSTALL} --editable ."]


def test_two_installations_do_not_work_in_one_environment(plugin):
    (plugin.venv / ".busy").write_text(f"{os.getpid()}\n")
    done = plugin.make("install")
    assert done.returncode != 0
    assert f"Another installation (process {os.getpid()}) is at work" in done.stderr
    assert plugin.pip() == []
    (plugin.venv / ".busy").write_text("999999999\n")  # one that was killed
    assert plugin.make("install").returncode == 0
    assert not (plugin.venv / ".busy").exists()


def test_an_extra_that_is_not_there_is_refused_before_anything_happens(plugin):
    done = plugin.make("install", "EXTRAS=musigen")
    assert done.returncode != 0
    assert "no musigen to install; choose synth, musicgen, acestep or all." in done.stderr
    assert plugin.pip() == []


def test_a_missing_portaudio_fails_the_tests_of_ci_and_nobodys_install(plugin):
    (plugin.bin / "silent").touch()
    done = plugin.make("install", CI="true")
    assert done.returncode == 0
    assert "Sound will go through miniaudio" in done.stdout
    assert plugin.make("test", CI="true").returncode != 0


def test_uninstalling_says_what_stays_and_how_to_remove_it(plugin, isolated):
    plugin.program(".venv/bin/python", f'exec {sys.executable} "$@"')
    tracks = isolated / ".cache" / "lofi.nvim"
    tracks.mkdir(parents=True)
    (tracks / "track.flac").write_bytes(bytes(2_000_000))
    done = plugin.make("uninstall")
    assert not plugin.venv.exists()
    assert f"  rm -r {tracks}  # tracks, models, 2.0 MB" in done.stdout.splitlines()
    assert tracks.exists()


def choose(driver: Path, tools: Path) -> str:
    return subprocess.check_output(
        ["/bin/sh", ROOT / "scripts/choose_torch.sh", driver], env={"PATH": str(tools)}, text=True
    ).strip()


def test_without_an_nvidia_driver_linux_gets_the_small_torch(tmp_path):
    uname, driver = tmp_path / "uname", tmp_path / "version"
    uname.write_text("#!/bin/sh\necho Linux\n")
    uname.chmod(0o755)
    assert choose(driver, tmp_path) == "cpu"
    driver.touch()
    assert choose(driver, tmp_path) == "default"
    driver.unlink()
    shutil.copy(uname, tmp_path / "nvidia-smi")
    assert choose(driver, tmp_path) == "default"
    (tmp_path / "nvidia-smi").unlink()
    uname.write_text("#!/bin/sh\necho Darwin\n")
    assert choose(driver, tmp_path) == "default"
