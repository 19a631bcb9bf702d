"""`make demo`, without make: the real composer, from a real Neovim."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support.neovim import ROOT, find_nvim
from support.sound_card import SoundCard, environment

PROGRAM = f"""#!/bin/sh
exec {sys.executable} -m lofi_daemon "$@"
"""


@pytest.fixture
def demo(tmp_path):
    """Runs the demo with a lofi-daemon that is found on PATH; the plugin's folder is a link beside nothing else."""
    root = tmp_path / "plugin"
    for name in ("plugin", "lua", "scripts"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    program = tmp_path / "bin" / "lofi-daemon"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)

    def run(stdout=subprocess.PIPE, **env):
        env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "LOFI_DEMO_SECONDS": "0.3", **env}
        return subprocess.run(
            [find_nvim(), "--headless", "--clean", "--cmd", f"let &runtimepath = '{root},' .. &runtimepath",
             "-S", root / "scripts/demo.lua"],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT if stdout == subprocess.PIPE else None,
            env={**os.environ, **env}, text=True, timeout=250, check=False,
        )  # fmt: skip

    run.program = program
    return run


def silent_machine(tmp_path):
    """No sound device: ALSA's configuration has none and the sound servers are hidden."""
    config = tmp_path / "silent.conf"
    config.write_text("")
    return environment(config)


def test_without_a_sound_device_it_says_so_and_prints_the_path(demo, tmp_path):
    result = demo(**silent_machine(tmp_path))
    assert result.returncode == 0, result.stdout
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0] == ":LofiGenerate rainy night, mellow rhodes, 75 bpm"
    percents = [int(line[:-1]) for line in lines if line.endswith("%")]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert any("not played" in line for line in lines)
    path = Path(lines[-1].removeprefix("The track: "))
    assert path.suffix == ".flac"
    assert path.stat().st_size > 100_000


def test_with_a_sound_device_it_plays(demo, tmp_path):
    card = SoundCard(tmp_path)
    try:
        result = demo(LOFI_DEMO_SECONDS="0.2", **card.env)
    finally:
        card.close()
    assert result.returncode == 0, result.stdout
    assert "Playing 0.2 seconds of it." in result.stdout


def test_on_a_terminal_progress_is_one_line(demo, tmp_path):
    master, slave = pty.openpty()
    try:
        result = demo(stdout=slave, **silent_machine(tmp_path))
    finally:
        os.close(slave)
    shown = b""
    try:
        while data := os.read(master, 4096):
            shown += data
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(master)
    text = shown.decode()
    assert result.returncode == 0, text
    assert "\r  100% " + "█" * 30 in text
    assert text.count("%") > 3


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("#!/bin/sh\necho 'no such luck' >&2\nexit 1\n", "no such luck"),
        (None, "lofi-daemon is not installed; run `make -C"),
    ],
)
def test_a_failure_is_one_sentence_and_exit_1(demo, program, said):
    path = "/usr/bin:/bin"
    if program:
        demo.program.write_text(program)
        path = f"{demo.program.parent}:{path}"
    result = demo(PATH=path)
    assert result.returncode == 1
    assert said in result.stdout
    assert "traceback" not in result.stdout.lower()
