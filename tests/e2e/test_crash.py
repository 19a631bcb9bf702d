"""A daemon that dies, does not start, or is not there; and an editor that leaves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.editor import PUPPET, assert_calm, heard, wait_for_event

PID = "require('lofi').status().daemon and require('lofi').status().daemon.pid"


def gone(pid):
    """Ended; its new parent may be slow to take note of it (state Z)."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:1] in ("", "Z")


def daemon_pid(editor):
    return editor.wait(f"({PID}) or nil")


def test_a_killed_daemon_is_one_line_and_the_next_command_works(editor):
    editor.lua("""
      _G.ends = {}
      for _, prompt in ipairs({ 'steps 3000', 'steps 2' }) do
        require('lofi').generate(prompt, function(err) table.insert(_G.ends, err.code) end)
      end
    """)
    wait_for_event(editor, "LofiProgress")
    os.kill(daemon_pid(editor), signal.SIGKILL)
    editor.wait("#_G.ends == 2")
    assert editor.lua("return _G.ends") == ["DAEMON_EXITED", "DAEMON_EXITED"]
    editor.wait_for_text("lofi: the daemon stopped (signal 9)")
    assert len([line for line in editor.messages() if "stopped" in line]) == 1
    assert heard(editor, "LofiExit")[0]["signal"] == 9
    assert editor.lua("return require('lofi').status().jobs") == []
    assert editor.lua("return require('lofi').statusline()") == "✗ lofi-daemon"
    assert_calm(editor)

    editor.command("LofiGenerate steps 3")
    wait_for_event(editor, "LofiDone")
    assert_calm(editor)


def test_a_killed_daemon_answers_whoever_asked_it(open_editor, fake):
    daemon = fake(queue_status=[{"exit": 3}])
    editor = open_editor(daemon.command)
    editor.lua("""
      _G.ends = {}
      require('lofi').request('queue_status', nil, function(err) table.insert(_G.ends, err.code) end)
      require('lofi').pause(function(err) table.insert(_G.ends, err.code) end)
    """)
    editor.wait("#_G.ends == 2")
    assert editor.lua("return _G.ends") == ["DAEMON_EXITED", "DAEMON_EXITED"]
    editor.wait_for_text("the daemon stopped (exit code 3)")
    assert len(editor.messages()) == 1


def test_a_child_that_outlives_the_daemon_hides_no_exit_status(open_editor, fake):
    # It holds stderr open, as a worker deep in a computation does.
    daemon = fake(queue_status=[{"exit": 3}])
    editor = open_editor(["sh", "-c", 'sleep 5 >/dev/null & exec "$@"', "sh", *daemon.command])
    editor.lua("require('lofi').request('queue_status', nil, function() end)")
    editor.wait_for_text("the daemon stopped (exit code 3)")
    assert heard(editor, "LofiExit")[0]["code"] == 3


def test_a_callback_may_ask_again_at_once(open_editor, fake):
    daemon = fake(queue_status=[{"exit": 3}])
    editor = open_editor(daemon.command)
    editor.lua("""
      require('lofi').request('queue_status', nil, function()
        require('lofi').volume(nil, function(err, result) _G.again = result and result.level or err.code end)
      end)
    """)
    editor.wait("_G.again")
    editor.lua("require('lofi').volume(nil, function(err, result) _G.level = result.level end)")
    assert editor.wait("_G.level") == 0.5


def test_a_daemon_that_dies_at_once_is_told_with_its_last_words(open_editor, fake):
    daemon = fake(start=[{"stderr": "Traceback\nModuleNotFoundError: No module named 'msgspec'\n"}, {"exit": 1}])
    editor = open_editor(daemon.command)
    editor.command("LofiPause")
    editor.wait_for_text("lofi: the daemon does not start (exit code 1): ModuleNotFoundError")
    assert len(editor.messages()) == 1
    assert_calm(editor)


def test_a_daemon_that_keeps_dying_is_not_started_again_and_again(open_editor, fake):
    daemon = fake(start=[{"exit": 1}])
    editor = open_editor(daemon.command)
    for _ in range(2):
        editor.lua("_G.err = nil require('lofi').pause(function(err) _G.err = err.code end)")
        assert editor.wait("_G.err") == "DAEMON_EXITED"
        editor.wait("not require('lofi.client').running()")
    for _ in range(20):
        editor.lua("_G.err = nil require('lofi').pause(function(err) _G.err = err.code _G.text = err.message end)")
        assert editor.wait("_G.err") == "DAEMON_FAILING"
    assert daemon.starts() == 2
    assert "can be tried again in" in editor.lua("return _G.text")
    editor.command("Lofi restart")
    editor.lua("_G.err = nil require('lofi').pause(function(err) _G.err = err.code end)")
    assert editor.wait("_G.err") == "DAEMON_EXITED"
    assert daemon.starts() == 3


def test_a_missing_daemon_is_told_with_the_command_that_installs_it(open_editor, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    editor = open_editor(environment={"PATH": "/usr/bin:/bin"})
    editor.lua("""
      local locate = require('lofi.locate')
      locate.root = ...
      require('lofi').generate('rain', function(err) _G.err = { err.code, err.message } end)
    """, str(bare))  # fmt: skip
    code, message = editor.wait("_G.err")
    assert code == "DAEMON_MISSING"
    assert message == f"lofi-daemon is not installed; run `make -C {bare} install` or :LofiInstall, then try again."
    editor.command("LofiPlay")
    editor.wait_for_text("lofi-daemon is not installed; run `make")
    assert_calm(editor)


def test_the_plugins_own_environment_comes_before_path(open_editor, tmp_path):
    editor = open_editor(environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    for folder in ("root/.venv/bin", "home/.local/share/nvim/lofi.nvim/venv/bin", "."):
        program = tmp_path / folder / "lofi-daemon"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    found = []
    for folder in ("root/.venv/bin", "home/.local/share/nvim/lofi.nvim/venv/bin", "."):
        cmd, where = editor.lua(
            "local l = require('lofi.locate') l.root = ... local cmd, from = l.daemon() return { cmd[1], from }",
            str(tmp_path / "root"),
        )
        found.append(where)
        assert os.path.realpath(cmd) == os.path.realpath(tmp_path / folder / "lofi-daemon")
        Path(cmd).unlink()
    assert found == ["the plugin's .venv", "stdpath('data')", "PATH"]


def test_a_wrong_daemon_cmd_is_named(open_editor):
    editor = open_editor(["/nowhere/lofi-daemon", "x"])
    editor.command("LofiPlay")
    editor.wait_for_text("daemon.cmd names /nowhere/lofi-daemon")
    assert_calm(editor)


def test_the_daemon_does_not_run_in_the_folder_of_the_project(open_editor, tmp_path):
    trap = tmp_path / "project"
    trap.mkdir()
    (trap / "msgspec.py").write_text("raise SystemExit('the project was imported')")
    editor = open_editor([sys.executable, "-m", "lofi_daemon"], player={"output": "none"})
    editor.command(f"cd {trap}")
    editor.command("LofiVolume 40")
    editor.wait_for_text("lofi: volume 40 %")


def test_a_relative_daemon_cmd_is_found_from_where_the_editor_is(open_editor, fake, tmp_path):
    daemon = fake()
    program = tmp_path / "my-daemon"
    program.write_text("#!/bin/sh\nexec " + " ".join(daemon.command) + ' "$@"\n')
    program.chmod(0o755)
    editor = open_editor(["./my-daemon"])
    editor.command(f"cd {tmp_path}")
    editor.command("LofiVolume")
    editor.wait_for_text("lofi: volume 50 %")


def test_another_protocol_is_told_once(open_editor, fake):
    daemon = fake(ping=[{"reply": {"status": "ok", "version": "9.0", "protocol": 9, "pid": 1}}])
    editor = open_editor(daemon.command, columns=120)
    editor.command("LofiVolume")
    editor.wait(lambda: any("speaks protocol 9, this plugin 1" in line for line in editor.messages()))


def test_the_daemon_leaves_with_the_editor(open_editor):
    editor = open_editor(PUPPET, player={"output": "none"})
    editor.command("LofiGenerate steps 3000")
    wait_for_event(editor, "LofiProgress")
    pid = daemon_pid(editor)
    editor.leave()
    deadline = time.monotonic() + 60
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(pid)


def test_a_daemon_that_will_not_leave_does_not_hold_the_editor(open_editor, fake):
    # Its reading of stdin hangs, so it will not notice; the editor must not wait for it.
    daemon = fake(pause=[{"sleep": 600}])
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.level = true end) require('lofi').pause()")
    editor.wait("_G.level")
    pid = int((daemon.script.parent / "script.json.pid").read_text())
    try:
        assert editor.leave() < 5
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("command", ["LofiPause", "LofiVolume 30", "LofiBackends", "LofiStatus", "LofiGenerate rain"])
def test_each_command_survives_the_death_of_its_daemon(open_editor, fake, command):
    dying = [{"exit": 4}]
    daemon = fake(pause=dying, volume_set=dying, get_backends=dying, status=dying, generate=dying)
    editor = open_editor(daemon.command)
    editor.command(command)
    editor.wait_for_text("(exit code 4)")
    assert len(editor.messages()) == 1
    assert_calm(editor)
