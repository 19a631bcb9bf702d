"""`:LofiInstall` in a real Neovim, on a plugin folder whose Makefile does what the test says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.editor import assert_calm
from support.neovim import Neovim

MAKEFILE = """
install:
	@echo "$(MAKECMDGOALS) EXTRAS=$(EXTRAS) VENV=$(VENV)" >> asked
	@sh ./does
upgrade uninstall:
	@echo "$(MAKECMDGOALS)" >> asked
	@sh ./does
"""


class Folder:
    """A plugin's folder for ``locate.root``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        (path / "Makefile").write_text(MAKEFILE)
        self.does("true")

    def does(self, *lines: str) -> None:
        (self.path / "does").write_text("\n".join(lines) + "\n")

    def asked(self) -> list[str]:
        return (self.path / "asked").read_text().splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "plugin")


@pytest.fixture
def editor(open_editor, folder) -> Neovim:
    editor = open_editor(None, environment={"MAKEFLAGS": "n", "MAKELEVEL": "2"})  # started by somebody's `make -n`
    editor.lua("require('lofi.locate').root = ...", str(folder.path))
    return editor


def installed(editor: Neovim, what: str) -> dict[str, object]:
    """What the callback of ``lofi.install`` got: code and message, or what and venv."""
    editor.lua("_G.done = nil; require('lofi').install(..., function(err, result) _G.done = err or result end)", what)
    return editor.wait("_G.done")


def test_the_log_follows_what_make_says_and_its_end(editor, folder):
    folder.does('echo "Making .venv"', 'echo "  torch 2.13.0 (191.8 MB)"', "while [ ! -e go ]; do sleep 0.02; done")
    editor.command("LofiInstall musicgen")
    editor.wait_for_text("  torch 2.13.0 (191.8 MB)")
    assert "make install EXTRAS=musicgen" in editor.text()
    assert "fetching torch 2.13.0" in editor.last_line()
    assert editor.lua("return vim.api.nvim_buf_get_name(0)") == "lofi://install"
    (folder.path / "go").touch()
    editor.wait_for_text("musicgen is installed.")
    assert folder.asked() == ["install EXTRAS=musicgen VENV="]
    log = editor.lua("return vim.fn.readfile(vim.fn.stdpath('log') .. '/lofi-install.log')")
    assert log[1:] == ["Making .venv", "  torch 2.13.0 (191.8 MB)", "musicgen is installed."]
    assert_calm(editor)


def test_how_much_of_a_package_is_here_is_told_and_not_logged(editor, folder):
    folder.does(
        '[ "$LOFI_PROGRESS" = 1 ] || exit 1', 'echo "  torch 2.13.0 (191.8 MB)"', "echo Progress 45000000 of 191800000",
        "while [ ! -e go ]; do sleep 0.02; done",
    )  # fmt: skip
    editor.command("LofiInstall musicgen")
    editor.wait(lambda: "fetching torch 2.13.0, 45 of 191 MB" in editor.last_line())
    (folder.path / "go").touch()
    editor.wait_for_text("musicgen is installed.")
    assert "Progress" not in editor.text()


def test_a_long_log_stays_at_its_end_unless_one_reads_further_up(editor, folder):
    folder.does("for i in $(seq 40); do echo line $i; done", "while [ ! -e go ]; do sleep 0.02; done", "echo last")
    editor.command("LofiInstall synth")
    editor.wait_for_text("line 40")
    editor.type("gg")
    editor.wait_for_text("make install EXTRAS=synth")
    (folder.path / "go").touch()
    editor.wait(lambda: "last" in editor.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)"))
    assert editor.lua("return vim.fn.line('.')") == 1
    editor.type("q")
    editor.wait("vim.fn.bufexists('lofi://install') == 0")


def test_a_failure_is_a_sentence_of_those_who_know_and_the_log_has_the_rest(editor, folder):
    folder.does("echo working", 'echo "The disk is full; make room and run it again." >&2', "exit 1")
    err = installed(editor, "musicgen")
    assert err["code"] == "INSTALL_FAILED"
    assert err["message"] == (
        "musicgen failed: The disk is full; make room and run it again. :LofiInstall log shows all of it."
    )
    editor.wait_for_text("musicgen failed: The disk is full")
    editor.command("LofiInstall log")
    editor.wait_for_text("working")
    assert_calm(editor)


def test_cancelling_ends_all_that_was_started(editor, folder):
    folder.does("sh -c 'echo $$ > pid; exec sleep 600' &", "wait")
    editor.command("LofiInstall musicgen")
    pid = int(editor.wait(lambda: (folder.path / "pid").exists() and (folder.path / "pid").read_text()))
    editor.type("x")
    editor.wait_for_text("cancelled; the next :LofiInstall goes on")
    editor.wait(lambda: not alive(pid))
    assert_calm(editor)


def test_leaving_the_editor_ends_it_too(editor, folder):
    folder.does("sh -c 'echo $$ > pid; exec sleep 600' &", "wait")
    editor.command("LofiInstall musicgen")
    pid = int(editor.wait(lambda: (folder.path / "pid").exists() and (folder.path / "pid").read_text()))
    editor.leave()
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").exists() else True


def test_one_at_a_time(editor, folder):
    folder.does("while [ ! -e go ]; do sleep 0.02; done")
    editor.command("LofiInstall musicgen")
    editor.wait_for_text("make install EXTRAS=musicgen")
    assert installed(editor, "acestep") == {
        "code": "INSTALL_RUNNING", "message": "musicgen is at work already; :LofiInstall log shows it.",
    }  # fmt: skip
    (folder.path / "go").touch()
    editor.wait_for_text("musicgen is installed.")
    assert folder.asked() == ["install EXTRAS=musicgen VENV="]


def test_without_an_argument_it_asks_and_says_what_each_costs(editor, folder):
    editor.lua("""
      vim.ui.select = function(items, opts, choose)
        _G.shown = vim.tbl_map(opts.format_item, items)
        choose(items[3], 3)
      end
    """)
    (folder.path / ".venv").mkdir()
    (folder.path / ".venv" / ".installed").touch()
    (folder.path / ".venv" / ".extras").write_text("musicgen\n")
    editor.command("LofiInstall")
    editor.wait_for_text("acestep is installed.")
    assert [line.split()[0] for line in editor.lua("return _G.shown")] == [
        "synth", "musicgen", "acestep", "all", "upgrade", "uninstall",
    ]  # fmt: skip
    assert "60 MB" in editor.lua("return _G.shown[1]")
    assert [line.endswith("(installed)") for line in editor.lua("return _G.shown")] == [True, True] + 4 * [False]


def test_uninstalling_is_asked_for_first_and_ends_the_daemon(editor, folder, fake):
    daemon = fake()
    editor.lua("require('lofi').setup({ daemon = { cmd = ... } })", daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.asked = true end)")
    editor.wait("_G.asked")
    folder.does('echo "Kept: /somewhere"')
    editor.lua("vim.ui.select = function(_, opts, choose) _G.prompt = opts.prompt; choose(nil) end")
    editor.command("LofiInstall uninstall")
    assert "Remove" in editor.lua("return _G.prompt")
    assert not (folder.path / "asked").exists()
    editor.lua("vim.ui.select = function(items, _, choose) choose(items[1], 1) end")
    editor.command("LofiInstall uninstall")
    editor.wait_for_text("the daemon is uninstalled.")
    assert "Kept: /somewhere" in editor.text()
    assert folder.asked() == ["uninstall"]
    assert editor.lua("return require('lofi.client').running()") is False
    assert len(daemon.heard("shutdown")) == 1
    assert_calm(editor)


IDLE = {"playback": {"state": "stopped", "volume": 1}, "queue": {"pending": []}}
BUSY = {**IDLE, "playback": {"state": "paused", "volume": 1, "track_id": "a" * 64}}


@pytest.mark.parametrize(("status", "restarts"), [(IDLE, True), (BUSY, False)])
def test_a_daemon_that_does_nothing_is_restarted_and_a_busy_one_is_not(editor, folder, fake, status, restarts):
    daemon = fake(status=[{"reply": status}])
    editor.lua("require('lofi').setup({ daemon = { cmd = ... } })", daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.asked = true end)")
    editor.wait("_G.asked")
    editor.command("LofiInstall upgrade")
    editor.wait_for_text("upgraded." + ("" if restarts else " The daemon that runs takes it with :Lofi restart."))
    assert editor.lua("return require('lofi.client').running()") is not restarts
    assert folder.asked() == ["upgrade"]


def test_what_keeps_it_from_installing_is_said_with_what_to_do(editor, folder):
    assert installed(editor, "musigen")["message"].startswith("there is no “musigen” to install; there are synth")
    editor.lua("vim.env.PATH = '/nowhere'")
    assert installed(editor, "synth")["message"].startswith("make is missing. Install it with: ")
    (folder.path / "Makefile").unlink()
    assert "has no Makefile" in installed(editor, "synth")["message"]
    editor.command("LofiInstall cancel")
    editor.wait_for_text("no installation is at work.")


def test_a_folder_that_cannot_be_written_gets_its_environment_elsewhere(editor, folder):
    editor.lua("vim.uv.fs_access = function(_, mode) return mode ~= 'W' end")  # root may write everywhere
    venv = editor.lua("return vim.fn.stdpath('data') .. '/lofi.nvim/venv'")
    assert installed(editor, "synth") == {"what": "synth", "venv": venv}
    assert folder.asked() == [f"install EXTRAS=synth VENV={venv}"]
    assert editor.lua("return require('lofi.locate').install_command()").endswith(f" install VENV={venv}")


def test_subcommands_complete(editor):
    assert editor.lua("return vim.fn.getcompletion('LofiInstall u', 'cmdline')") == ["uninstall", "upgrade"]
