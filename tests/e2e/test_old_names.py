"""What a configuration and a user of the first lofi.nvim write goes on working."""

import pytest
from support.editor import PUPPET, assert_calm, wait_for_event

ACCEPTED = {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}
BACKEND = {
    "type": "synth", "name": "Built-in composer", "status": "ready", "min_duration_sec": 5, "max_duration_sec": 600,
    "sample_rate": 48000, "model_version": "1", "stage_types": ["generate"], "models": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("Lofi lofi hip hop jazzy piano", {"prompt": "lofi hip hop jazzy piano"}),
        ("Lofi ambient synthwave 30", {"prompt": "ambient synthwave", "duration_sec": 30}),
        ("Lofi rain, 5", {"prompt": "rain", "duration_sec": 5}),
        ("Lofi rain 600", {"prompt": "rain", "duration_sec": 600}),
        ("Lofi rain 601", {"prompt": "rain 601"}),
        ("Lofi rain 4", {"prompt": "rain 4"}),
        ("Lofi piano 1980", {"prompt": "piano 1980"}),
        ("Lofi piano 80bpm", {"prompt": "piano 80bpm"}),
        ("Lofi 30", {"prompt": "30"}),
        ("Lofi rain 30 seed=7", {"prompt": "rain", "duration_sec": 30, "seed": 7}),
        ("Lofi rain 30 duration=60", {"prompt": "rain 30", "duration_sec": 60}),
        ("Lofi generate rain 30", {"prompt": "rain 30"}),
        ("LofiGenerate rain 30", {"prompt": "rain 30"}),
        ("LofiAce chill electronic beats 120",
         {"prompt": "chill electronic beats", "duration_sec": 120, "backend": "ace_step"}),
        ("LofiAce rain backend=ace_step_15", {"prompt": "rain", "backend": "ace_step_15"}),
    ],
)  # fmt: skip
def test_words_that_are_no_subcommand_are_a_prompt(open_editor, fake, command, asked):
    daemon = fake(generate=[{"reply": ACCEPTED}], volume_set=[{"reply": {"level": 1}}])
    editor = open_editor(daemon.command)
    editor.command(command)
    editor.lua("require('lofi').volume(1, function() _G.asked = true end)")
    editor.wait("_G.asked")
    (sent,) = daemon.heard("generate")
    assert {name: value for name, value in sent.items() if name not in ("job_id", "auto_play")} == asked
    assert editor.messages() == []
    assert_calm(editor)


@pytest.mark.parametrize("command", ["Lofi stauts", "Lofi plya", "Lofi sleepy"])
def test_one_word_that_is_nearly_a_subcommand_is_made_and_told(open_editor, fake, command):
    told = {"notify": ["generation_progress", {"job_id": "$job", "percent": 40, "eta_sec": 3.2}]}
    daemon = fake(generate=[{"reply": ACCEPTED}, told])
    editor = open_editor(daemon.command, progress="cmdline")
    editor.command(command)
    editor.wait("require('lofi').info().percent == 40")
    word = command.split()[1]
    assert daemon.heard("generate")[0]["prompt"] == word
    (line,) = editor.wait(editor.messages)
    assert line.startswith(f"lofi: composing “{word}”; perhaps you meant :Lofi ")
    assert editor.last_line() == line  # progress leaves it there for a while


def test_the_ace_command_without_words_asks_for_them(open_editor, fake):
    daemon = fake(generate=[{"reply": ACCEPTED}])
    editor = open_editor(daemon.command)
    editor.lua("vim.ui.input = function(_, done) done('rain') end")
    editor.command("LofiAce")
    editor.wait("#require('lofi.state').current.jobs == 1")
    editor.lua("require('lofi').volume(nil, function() _G.asked = true end)")
    editor.wait("_G.asked")
    (sent,) = daemon.heard("generate")
    assert (sent["prompt"], sent["backend"]) == ("rain", "ace_step")


def test_the_old_options_of_setup_reach_the_daemon(open_editor, fake):
    daemon = fake()
    editor = open_editor()
    editor.lua(
        """
        require('lofi').setup({ daemon_path = nil, model_path = '/m', device = 'metal', threads = 4,
          backend = 'musicgen' })
        """
    )
    editor.lua("require('lofi.config').current['daemon.cmd'] = ...", daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.asked = true end)")
    editor.wait("_G.asked")
    assert daemon.arguments() == [
        "--stdio", "--set", "default_backend=musicgen", "--set", "device=mps", "--set", "threads=4",
        "--set", "model_path=/m",
    ]  # fmt: skip
    assert editor.messages() == []


def test_the_path_of_the_daemon_has_its_old_name_and_the_new_one_goes_before(open_editor):
    current = "return require('lofi.config').current['daemon.cmd']"
    editor = open_editor()
    editor.lua("require('lofi').setup({ daemon_path = '/old' })")
    assert editor.lua(current) == "/old"
    editor.lua("require('lofi').setup({ daemon_path = '/old', daemon = { cmd = '/new' } })")
    assert editor.lua(current) == "/new"
    editor.lua("require('lofi').setup({ backend = 'musicgen', default_backend = 'synth' })")
    assert editor.lua("return require('lofi.config').daemon_args()") == ["--set", "default_backend=synth"]
    editor.lua("require('lofi').setup({ daemon_path = 5 })")
    (line,) = editor.wait(editor.messages)
    assert "daemon_path must be a program or a list of words, not 5" in line


def test_the_old_functions_answer(open_editor, fake):
    backends = {"backends": [BACKEND], "default_backend": "synth"}
    daemon = fake(generate=[{"reply": ACCEPTED}], get_backends=[{"reply": backends}])
    editor = open_editor(daemon.command)
    assert editor.lua("local l = require('lofi') return { l.is_generating(), l.is_daemon_running() }") == [False, False]
    assert editor.lua("return require('lofi').current_track()") is None
    editor.lua("""
      local lofi = require('lofi')
      lofi.generate({ prompt = 'rain', duration_sec = 30, seed = 12345, priority = 'high' })
      lofi.get_backends(function(err, result) _G.first = result.backends[1] end)
    """)
    assert editor.wait("_G.first")["status"] == "ready"
    assert editor.lua("local l = require('lofi') return { l.is_generating(), l.is_daemon_running() }") == [True, True]
    assert editor.lua("return require('lofi').current_track()") == "ab"
    editor.lua("require('lofi').force_stop()")
    editor.wait("not require('lofi').is_daemon_running()")
    assert editor.lua("return require('lofi').is_generating()") is False


def test_the_old_events_are_heard_with_their_old_fields(open_editor):
    editor = open_editor(PUPPET, auto_play=False, player={"output": "none"})
    editor.lua("""
      local lofi = require('lofi')
      _G.got = {}
      for _, name in pairs(lofi.EVENTS) do
        lofi.events.on(name, function(data) _G.got[name] = _G.got[name] or data end)
      end
      _G.off = lofi.on('generation_start', function() _G.wrong = true end)
      _G.off()
      lofi.generate({ prompt = 'steps 30', seed = 42 })
    """)
    wait_for_event(editor, "LofiDone")
    got = editor.lua("return _G.got")
    assert {"track_id", "prompt", "duration_sec", "seed", "backend"} <= set(got["generation_start"])
    assert {"track_id", "percent", "current_step", "total_steps"} <= set(got["generation_progress"])
    assert {"track_id", "path", "duration_sec", "generation_time_sec", "backend"} <= set(got["generation_complete"])
    assert editor.lua("return _G.wrong") is None


def test_an_event_has_its_old_name_in_the_old_table(open_editor):
    names = open_editor().lua("return require('lofi').EVENTS")
    assert names == {
        name.upper(): name
        for name in (
            "generation_start", "generation_progress", "generation_complete", "generation_error", "download_progress",
        )
    }  # fmt: skip
