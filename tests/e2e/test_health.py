""":checkhealth lofi: what was found, what it means, and the command that mends it."""

import re
import stat
import sys

import pytest
from support.editor import E2E, PUPPET
from support.neovim import ROOT

pytestmark = pytest.mark.usefixtures("light_torch")
OLD = {"code": -32601, "message": "There is no method “diagnose”.", "data": {"code": "METHOD_NOT_FOUND"}}


def report(editor, wait_ms=50_000):
    """The report; it waits longer than for a person, as libraries take their time to load where all cores are busy."""
    editor.lua("require('lofi.health').wait_ms = ...", wait_ms)
    editor.request("nvim_command", "checkhealth lofi")
    text = editor.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')")
    assert not editor.blocked(), editor.text()
    return text


def sections(text):
    return re.findall(r"^(\S.*) ~$", text, re.MULTILINE)


def program(path, *words):
    """An executable that runs ``words`` with this Python and hands on its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {" ".join(words)} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def test_a_healthy_daemon(open_editor):
    text = report(open_editor(PUPPET, player={"output": "none"}, threads=2))
    assert "ERROR" not in text
    assert sections(text) == [
        "Neovim", "Other plugins", "Daemon", "Python", "Settings", "Library", "Shared daemon", "Sound", "Backends",
        "GPU",
    ]  # fmt: skip
    for part in (
        "Neovim 0.1",
        "lofi.log",
        "progress is shown by cmdline (progress = “auto”)",
        "found in daemon.cmd",
        "settings passed to it: threads=2 player.output=none",
        "protocol 1",
        "numpy, scipy, soundfile, soxr load",
        "threads = 2, from setup",
        "No tracks yet",
        'Sound is off (player.output = "none")',
        "synth (Built-in composer) is ready",
        "  - Its weights (small, 2.4 GB, CC-BY-NC-4.0): :LofiBackends in Neovim, or lofi download musicgen",
    ):
        assert part in text


def test_no_sound_device(open_editor, tmp_path):
    nothing = {"ALSA_CONFIG_PATH": str(tmp_path / "none.conf"), "PULSE_SERVER": "unix:/nowhere"}
    text = report(open_editor(PUPPET, environment=nothing))
    assert "WARNING Nothing can be played: PULSE_SERVER names unix:/nowhere, which does not play." in text
    assert "    - Correct PULSE_SERVER or unset it, then: lofi restart" in text
    assert "    - Tracks are made and kept all the same; this copies them: lofi export TRACK PATH" in text


def test_an_unwritable_cache(open_editor, tmp_path):
    (tmp_path / "file").write_text("")
    text = report(open_editor(PUPPET, cache={"dir": str(tmp_path / "file" / "cache")}))
    assert "ERROR Could not write" in text
    assert "    - Another folder: cache.dir in setup()" in text


def test_a_missing_daemon(open_editor):
    text = report(open_editor(["/nowhere/lofi-daemon"]))
    assert "ERROR daemon.cmd names /nowhere/lofi-daemon" in text
    assert "make -C" in text


def test_a_daemon_that_dies(open_editor, fake):
    text = report(open_editor(fake(start=[{"exit": 1}]).command))
    assert "ERROR lofi-daemon stopped before it answered" in text
    assert ":LofiLog" in text
    assert "clean install" in text


def test_a_daemon_that_does_not_start_is_examined_by_the_doctor_beside_it(open_editor, tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "msgspec.py").write_text("raise ImportError('libfoo.so.6: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    folder = tmp_path / "venv" / "bin"
    program(folder / "lofi", str(ROOT / "tests" / "cli" / "puppet_lofi.py"))
    text = report(open_editor(program(folder / "lofi-daemon", str(E2E / "puppet_stdio.py"))))
    assert "ERROR lofi-daemon stopped before it answered" in text
    assert "ERROR Libraries that are needed to compose do not load: msgspec: ImportError: libfoo.so.6" in text
    assert "Install them again: " in text


def test_a_daemon_that_says_nothing_is_not_waited_for_for_ever(open_editor, fake):
    editor = open_editor(fake(ping=[], diagnose=[]).command)
    text = report(editor, wait_ms=1500)
    assert "ERROR it did not answer within" in text


def test_an_examination_that_takes_too_long_is_said_to(open_editor, fake):
    editor = open_editor(fake(diagnose=[]).command)
    editor.lua("require('lofi').volume(nil, function() _G.runs = true end)")
    editor.wait("_G.runs")
    text = report(editor, wait_ms=1500)
    assert "answers: version fake" in text
    assert "WARNING it did not examine itself within 1 s" in text
    assert "lofi doctor --within 120" in text


def test_a_daemon_of_another_protocol(open_editor, fake):
    ping = {"status": "ok", "version": "9", "protocol": 9, "pid": 1}
    daemon = fake(ping=[{"reply": ping}], diagnose=[{"error": OLD}], status=[{"error": OLD}])
    text = report(open_editor(daemon.command))
    assert "ERROR answers: version 9, protocol 9, pid 1; this plugin speaks protocol 1" in text
    assert ":Lofi restart" in text


def test_a_daemon_too_old_to_examine_itself_tells_what_it_can(open_editor, fake):
    playback = {"state": "no_device", "message": "No audio device: none is plugged in."}
    daemon = fake(
        diagnose=[{"error": OLD}],
        status=[{"reply": {"playback": playback, "cache": {"count": 2, "bytes": 3_000_000}, "queue": {"pending": []}}}],
        get_backends=[
            {
                "reply": {
                    "backends": [{"type": "synth", "name": "Composer", "status": "ready"}],
                    "default_backend": "synth",
                }
            }
        ],
    )
    text = report(open_editor(daemon.command))
    assert "it cannot examine itself; make -C" in text
    assert "WARNING No audio device: none is plugged in." in text
    assert "tracks: 2, 3 MB" in text
    assert "synth: ready" in text


def test_findings_are_shown_by_section_with_their_advice(open_editor, fake):
    findings = [
        {"section": "One", "level": "ok", "text": "fine", "advice": []},
        {"section": "One", "level": "info", "text": "so it is", "advice": ["do this"]},
        {"section": "Two", "level": "warn", "text": "hm", "advice": ["do that", "or that"]},
        {"section": "Two", "level": "error", "text": "no", "advice": []},
    ]
    text = report(open_editor(fake(diagnose=[{"reply": {"findings": findings}}]).command))
    told = text[text.index("One ~") :]
    assert told.splitlines() == [
        "One ~",
        "- ✅ OK fine",
        "- so it is",
        "  - do this",
        "",
        "Two ~",
        "- ⚠️ WARNING hm",
        "  - ADVICE:",
        "    - do that",
        "    - or that",
        "- ❌ ERROR no",
    ]


def test_options_that_do_not_fit_are_told_again(open_editor):
    text = report(open_editor(PUPPET, player={"output": "none"}, auto_plya=True))
    assert "WARNING setup(): there is no option “auto_plya”, perhaps “auto_play”" in text


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("auto", "found: nvim-notify, telescope.nvim"),
        ("fidget", "WARNING progress = “fidget”, which is not there: cmdline shows it instead"),
    ],
)
def test_other_plugins_are_named_and_not_loaded(open_editor, tmp_path, wanted, line):
    for module in ("notify/init.lua", "telescope/init.lua"):
        path = tmp_path / "plugins" / "lua" / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("_G.loaded = true")
    editor = open_editor(["/nowhere/lofi-daemon"], progress=wanted)
    editor.command(f"set runtimepath+={tmp_path}/plugins")
    assert line in report(editor)
    assert editor.lua("return _G.loaded") is None
