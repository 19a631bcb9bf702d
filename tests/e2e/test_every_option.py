"""Every option of setup(), set to something else than its default, arrives where it is used."""

import json
import subprocess
import sys

import pytest

ANOTHER = """
--- A value that fits the entry and is not its default.
local function another(entry)
  if entry.type == 'boolean' then return not entry.default end
  if entry.enum then
    for _, choice in ipairs(entry.enum) do
      if choice ~= entry.default then return choice end
    end
  end
  if entry.type == 'number' or entry.type == 'integer' then
    return entry.max == 1 and 0.5 or entry.default == entry.max and entry.min or entry.default + 1
  end
  return entry.type == 'command' and { 'some', 'words' } or 'elsewhere'
end

local opts, wanted = {}, {}
for _, entry in ipairs(require('lofi.config').schema) do
  local value = another(entry)
  wanted[entry.name] = { value = value, daemon = entry.daemon or false }
  local group, key = entry.name:match('^(.-)%.(.*)$')
  if group then
    opts[group] = opts[group] or {}
    opts[group][key] = value
  else
    opts[entry.name] = value
  end
end
"""


def test_the_plugins_own_are_in_force(open_editor):
    editor = open_editor()
    wanted, current, problems = editor.lua(
        ANOTHER + "local p = require('lofi.config').set(opts) return { wanted, require('lofi.config').current, p }"
    )
    assert problems == []
    own = {name: entry["value"] for name, entry in wanted.items() if not entry["daemon"]}
    assert current == own


def test_the_daemons_reach_it_and_are_called_setups(open_editor, tmp_path):
    editor = open_editor()
    wanted, words = editor.lua(
        ANOTHER + "require('lofi.config').set(opts) return { wanted, require('lofi.config').daemon_args() }"
    )
    theirs = {name: entry["value"] for name, entry in wanted.items() if entry["daemon"]}
    assert words[1::2] == [word for word in words if "=" in word]
    done = subprocess.run(
        [sys.executable, "-c", "import sys, lofi_daemon.cli as c; sys.exit(c.main())", "doctor", "--json", *words],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout, done.stderr
    settings = json.loads(done.stdout.splitlines()[-1])["settings"]
    arrived = {name: settings[name] for name in theirs}
    assert arrived == {name: {"value": value, "source": "setup"} for name, value in theirs.items()}


@pytest.mark.parametrize(
    ("setup", "shown"),
    [
        ({"icons": {"playing": "P"}}, "P a long t… 0:00"),
        ({"icons": {"paused": "Z"}}, "Z a long t… 0:00"),
        ({"icons": {"generating": "making"}}, "making 45% 0:03"),
        ({"icons": {"radio": "on air"}}, "♪ a long t… 0:00 on air"),
        ({"ascii": True}, "> a long t 0:00"),
    ],
)
def test_the_statusline_shows_what_was_chosen(open_editor, fake, setup, shown):
    editor = open_editor(fake().command, **setup, statusline={"max_title": 9})
    editor.lua("require('lofi').volume(nil, function() _G.up = true end)")
    editor.wait("_G.up")
    drawn = editor.lua(
        """
        local state, mirror, shown = require('lofi.state'), require('lofi.mirror'), ...
        state.remember('a', 'a long title')
        if shown:find('%%') then
          state.add_job('j', 'sad piano', true)
          mirror.apply('generation_progress', { job_id = 'j', percent = 45, eta_sec = 3 })
          return require('lofi').statusline()
        end
        mirror.apply('playback_started', { track_id = 'a', position_sec = 0, duration_sec = 600 })
        mirror.apply('radio_changed', { active = shown:find('on air') ~= nil, strategy = 'library' })
        if shown:find('^Z') then mirror.apply('playback_paused', { track_id = 'a', position_sec = 0 }) end
        return require('lofi').statusline()
        """,
        shown,
    )  # at once: the clock moves
    assert drawn == shown
