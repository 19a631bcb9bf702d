"""setup(): optional, forgiving, and passed on to the daemon as far as the user said something."""

import pytest

DEFAULT_ARGS = ["--stdio"]


def test_the_daemon_gets_only_what_was_set(open_editor, fake):
    daemon = fake()
    editor = open_editor(
        daemon.command,
        default_backend="synth",
        cache={"max_mb": 2000, "dir": "/tmp/a b"},
        player={"volume": 0.25},
    )
    editor.lua("require('lofi').volume(nil, function(_, result) _G.level = result.level end)")
    editor.wait("_G.level")
    assert daemon.arguments() == [
        "--stdio", "--set", "default_backend=synth", "--set", "cache.dir=/tmp/a b", "--set", "cache.max_mb=2000",
        "--set", "player.volume=0.25",
    ]  # fmt: skip


def test_without_setup_the_daemon_decides_everything(open_editor, fake):
    daemon = fake()
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').volume(nil, function(_, result) _G.level = result.level end)")
    editor.wait("_G.level")
    assert daemon.arguments() == DEFAULT_ARGS


@pytest.mark.parametrize(
    ("opts", "expected"),
    [
        ("{ auto_ply = true }", "there is no option “auto_ply”, perhaps “auto_play”"),
        ("{ auto_play = 'yes' }", 'auto_play must be true or false, not "yes"'),
        ("{ device = 'gpu' }", 'device must be one of auto, cpu, cuda, mps, not "gpu"'),
        ("{ player = { volume = 70 } }", "player.volume must be a number from 0 to 1, not 70"),
        ("{ player = 5 }", "player must be a table of options, not 5"),
        ("{ player = { vol = 1 } }", "there is no option “player.vol”, perhaps “player.volume”"),
        ("{ threads = 1.5 }", "threads must be a whole number from 0 to 1024, not 1.5"),
        ("{ threads = 0/0 }", "threads must be a whole number"),
        ("{ daemon = { cmd = {} } }", "daemon.cmd must be a program or a list of words"),
        ("{ cache = { dir = function() end } }", "cache.dir must be a string, not <function 1>"),
        ("{ 'synth' }", "there is no option “1”"),
        ("'synth'", 'options are a table, not "synth"'),
        ("42", "options are a table, not 42"),
        ("{ log = { max_kb = 1 } }", "log.max_kb must be a whole number from 16 to 65536, not 1"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(open_editor, opts, expected):
    editor = open_editor()
    editor.lua(f"require('lofi').setup({opts})")
    lines = editor.wait(editor.messages)
    assert len(lines) == 1
    assert lines[0].startswith("lofi: setup(): ")
    assert expected in lines[0]
    assert not editor.blocked()


def test_several_slips_are_one_line_each_and_no_prompt(open_editor):
    editor = open_editor(columns=60)
    editor.lua("require('lofi').setup({ a = 1, b = 2, auto_play = 3, ascii = 'x', threads = {} })")
    lines = editor.wait(lambda: len(editor.messages()) == 5 and editor.messages())
    assert all(line.startswith("lofi: setup(): ") for line in lines)
    assert "(+4 in :messages)" in editor.last_line()
    assert not editor.blocked()


def test_slips_in_the_users_init_open_no_prompt(open_editor, tmp_path):
    init = tmp_path / "init.lua"
    init.write_text("require('lofi').setup({ a = 1, b = 2, c = 3 })\nvim.g.went_on = true\n")
    editor = open_editor(None, "--cmd", f"autocmd VimEnter * ++once source {init}", columns=60)
    editor.wait(lambda: len(editor.messages()) == 3)
    assert editor.lua("return vim.g.went_on") is True
    assert not editor.blocked()


def test_a_slip_leaves_the_other_options_in_force(open_editor):
    editor = open_editor()
    editor.lua("require('lofi').setup({ ascii = true, threads = 'many', progress = 'none' })")
    current = editor.lua("return require('lofi.config').current")
    assert current["ascii"] is True
    assert current["progress"] == "none"
    assert current["icons.playing"] == ">"


def test_a_second_setup_starts_from_the_defaults_again(open_editor):
    editor = open_editor()
    editor.lua("require('lofi').setup({ ascii = true, default_backend = 'synth' })")
    editor.lua("require('lofi').setup({ icons = { playing = 'N' } })")
    current = editor.lua("return require('lofi.config').current")
    assert current["ascii"] is False
    assert current["icons.playing"] == "N"
    assert editor.lua("return require('lofi.config').daemon_args()") == []


def test_new_settings_reach_a_running_daemon_by_restart(open_editor, fake):
    daemon = fake()
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.asked = true end)")
    editor.wait("_G.asked")
    editor.lua("require('lofi').setup({ daemon = { cmd = ... }, threads = 2 })", daemon.command)
    editor.wait_for_text(":Lofi restart")
    editor.command("Lofi restart")
    editor.lua("require('lofi').volume(nil, function() _G.again = true end)")
    editor.wait("_G.again")
    assert daemon.arguments() == ["--stdio", "--set", "threads=2"]
    assert not [line for line in editor.messages() if "stopped" in line]


def test_setup_of_every_option_is_accepted(open_editor):
    editor = open_editor()
    editor.lua("""
      local schema = require('lofi.config').schema
      local opts = {}
      for _, entry in ipairs(schema) do
        local value = entry.default
        if value == nil then value = { 'lofi-daemon' } end
        local group, key = entry.name:match('^(.-)%.(.*)$')
        if group then
          opts[group] = opts[group] or {}
          opts[group][key] = value
        else
          opts[entry.name] = value
        end
      end
      _G.problems = require('lofi.config').set(opts)
    """)
    assert editor.lua("return _G.problems") == []
