"""The shell scripts behind the Makefile, run with a PATH of fake programs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
TOOLS = ("sh", "env", "uname", "dirname", "sed", "id", "rm", "true", "false", "cat")


class Machine:
    """A PATH on which only the shell's own tools and what ``put`` put there exist."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            self.link(tool, shutil.which(tool) or pytest.fail(f"this machine has no {tool}"))

    def link(self, name: str, target: str) -> None:
        (self.bin / name).symlink_to(target)

    def put(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def run(self, script: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "sh"), str(SCRIPTS / script), *words],
            env={"PATH": str(self.bin)} | env,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_python_that_only_looks_like_one_is_passed_over(machine):
    machine.put("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    machine.put("python3.12", f'exec {sys.executable} "$@"')
    assert machine.run("find_python.sh").stdout.strip() == str(machine.bin / "python3.12")


def test_a_python_that_is_too_old_is_not_taken(machine):
    machine.put("python3", "exit 1")
    done = machine.run("find_python.sh")
    assert done.returncode == 1
    assert "needs Python 3.11 or later" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_a_python_that_can_make_environments_by_itself_comes_first(machine):
    without = f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
    machine.put("python3.12", without)
    assert machine.run("find_python.sh").stdout.strip() == str(machine.bin / "python3.12")
    machine.put("python3.11", f'exec {sys.executable} "$@"')
    assert machine.run("find_python.sh").stdout.strip() == str(machine.bin / "python3.11")


def test_the_python_the_user_names_is_the_one(machine, tmp_path):
    machine.put("python3", f'exec {sys.executable} "$@"')
    mine = machine.put("mine", f'exec {sys.executable} "$@"')
    assert machine.run("find_python.sh", PYTHON=str(mine)).stdout.strip() == str(mine)


@pytest.mark.parametrize(
    ("version", "taken"),
    [("v0.9.5", False), ("v0.10.4", False), ("v0.11.0", True), ("v0.12.0-dev-1234+g0abc", True), ("v1.0.0", True)],
)
def test_neovim_is_taken_from_0_11_on(machine, tmp_path, version, taken):
    scripts = tmp_path / "elsewhere" / "scripts"  # where no .venv has a Neovim of its own
    shutil.copytree(SCRIPTS, scripts)
    nvim = machine.put("nvim", f'echo "NVIM {version}"; echo "Build type: Release"')
    done = machine.run(str(scripts / "find_nvim.sh"))
    assert done.stdout.strip() == (str(nvim) if taken else "")
    assert done.returncode == (0 if taken else 1)


def test_the_neovim_of_the_environment_is_the_second_choice(machine, tmp_path):
    scripts = tmp_path / "elsewhere" / "scripts"
    shutil.copytree(SCRIPTS, scripts)
    machine.put("nvim", "echo 'NVIM v0.9.5'")
    inside = tmp_path / "elsewhere" / ".venv" / "bin"
    inside.mkdir(parents=True)
    (inside / "nvim").write_text("#!/bin/sh\necho 'NVIM v0.11.4'\n")
    (inside / "nvim").chmod(0o755)
    done = machine.run(str(scripts / "find_nvim.sh"))
    assert Path(done.stdout.strip()).resolve() == (inside / "nvim").resolve()


def as_user(machine: Machine, sudo: str) -> None:
    machine.put("id", "echo 1000")
    if sudo:
        machine.put("sudo", sudo)


def test_root_on_debian_installs_without_a_question(machine, tmp_path):
    log = tmp_path / "log"
    machine.put("uname", "echo Linux")
    machine.put("id", "echo 0")
    machine.put("apt-get", f'echo "$DEBIAN_FRONTEND $@" >> {log}')
    assert machine.run("system_package.sh", "portaudio").returncode == 0
    assert log.read_text() == "noninteractive install -y -qq --no-install-recommends libportaudio2\n"


def test_empty_package_lists_are_fetched_once(machine, tmp_path):
    log = tmp_path / "log"
    machine.put("uname", "echo Linux")
    machine.put("id", "echo 0")
    updated = tmp_path / "updated"
    machine.put(
        "apt-get",
        f'echo "$1" >> {log}; if [ "$1" = update ]; then : > {updated}; else [ -e {updated} ]; fi',
    )
    assert machine.run("system_package.sh", "luacheck").returncode == 0
    assert log.read_text().split() == ["install", "update", "install"]


def test_a_sudo_that_asks_is_not_used_and_the_command_is_said(machine, tmp_path):
    log = tmp_path / "log"
    machine.put("uname", "echo Linux")
    as_user(machine, "exit 1")  # what sudo -n does where a password is needed
    machine.put("apt-get", f"echo called >> {log}")
    done = machine.run("system_package.sh", "portaudio")
    assert done.returncode == 1
    assert "sudo apt-get install libportaudio2" in done.stderr
    assert not log.exists()


def test_a_sudo_that_does_not_ask_is_used(machine, tmp_path):
    log = tmp_path / "log"
    machine.put("uname", "echo Linux")
    as_user(machine, f'[ "$1" = -n ] || exit 1; shift; echo "sudo $@" >> {log}; exec "$@"')
    machine.put("apt-get", "exit 0")
    assert machine.run("system_package.sh", "portaudio").returncode == 0
    assert "apt-get install" in log.read_text()


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("dnf", "sudo dnf install portaudio"),
        ("pacman", "sudo pacman -S portaudio"),
        ("zypper", "sudo zypper install libportaudio2"),
        ("", "package manager"),
    ],
)
def test_other_systems_are_told_their_command(machine, manager, command):
    machine.put("uname", "echo Linux")
    if manager:
        machine.put(manager, "exit 0")
    done = machine.run("system_package.sh", "portaudio")
    assert done.returncode == 1
    assert command in done.stderr


def test_homebrew_installs_on_macos(machine, tmp_path):
    log = tmp_path / "log"
    machine.put("uname", "echo Darwin")
    machine.put("brew", f'echo "$@" >> {log}')
    assert machine.run("system_package.sh", "portaudio").returncode == 0
    assert log.read_text() == "install --quiet portaudio\n"


def test_a_working_environment_is_left_alone_and_a_broken_one_made_anew(machine, tmp_path):
    machine.put("python3", f'exec {sys.executable} "$@"')
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text("#!/nowhere/python\n")
    assert machine.run("make_venv.sh", str(venv)).returncode == 0
    made = (venv / "pyvenv.cfg").stat().st_mtime_ns
    assert subprocess.run([venv / "bin" / "python", "-m", "pip", "--version"], check=False).returncode == 0
    assert machine.run("make_venv.sh", str(venv)).stdout == ""
    assert (venv / "pyvenv.cfg").stat().st_mtime_ns == made


def test_the_missing_venv_package_of_debian_is_named(machine, tmp_path):
    version = "{}.{}".format(*sys.version_info)
    machine.put("uname", "echo Linux")
    as_user(machine, "exit 1")
    machine.put("apt-get", "exit 0")
    machine.put("python3", f'case "$2" in *ensurepip*|pip) exit 1;; esac; exec {sys.executable} "$@"')
    done = machine.run("make_venv.sh", str(tmp_path / "venv"))
    assert done.returncode == 1
    assert f"sudo apt-get install python{version}-venv" in done.stderr


@pytest.fixture
def ci(machine, tmp_path):
    """Runs .ci/run with a make that takes notes, fails at the target ``breaks``, and speaks like make."""
    repository = tmp_path / "repository"
    (repository / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", repository / ".ci")
    for tool in ("bash", "grep"):
        machine.link(tool, shutil.which(tool) or pytest.fail(f"this machine has no {tool}"))
    log = tmp_path / "log"
    machine.put(
        "make",
        f"""echo "$CI $2" >> {log}
echo "=== the closing line of $2 ==="
if [ "$2" = "$BREAKS" ]; then echo "make: *** [Makefile:29: $2] Error 1" >&2; exit 2; fi""",
    )

    def run(breaks: str) -> tuple[int, str, list[str]]:
        log.unlink(missing_ok=True)
        done = subprocess.run(
            [repository / ".ci" / "run"],
            env={"PATH": str(machine.bin), "BREAKS": breaks},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, log.read_text(), done.stdout.splitlines()

    return run


def test_ci_runs_demo_lint_and_test_and_the_tests_have_the_last_word(ci):
    code, made, shown = ci("")
    assert (code, made) == (0, "true demo\ntrue lint\ntrue test\n")
    assert shown[-1] == "=== the closing line of test ==="
    code, _, shown = ci("test")
    assert code != 0
    assert shown[-1] == "=== the closing line of test ==="


def test_ci_stops_at_the_first_failure(ci):
    code, made, _ = ci("lint")
    assert code != 0
    assert made == "true demo\ntrue lint\n"
