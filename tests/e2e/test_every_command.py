"""Every command, <Plug> map and function, once, and what it asks of the daemon.

The tables are complete by construction: a command, map or function without a row fails, as does a row without one.
"""

import json
from pathlib import Path

from support.wire_answers import SCRIPT

OWN = {"job_id", "limit"}
"""What an editor decides for itself in a request."""

ACCEPTED = {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}

# command line → the request it makes (None: none) and its params; a text is a Lua expression that holds then
COMMANDS = {
    "Lofi rainy night 30": ("generate", {"prompt": "rainy night", "duration_sec": 30, "auto_play": True}),
    "LofiGenerate rain seed=7": ("generate", {"prompt": "rain", "seed": 7, "auto_play": True}),
    "LofiAce rain 60": (
        "generate", {"prompt": "rain", "duration_sec": 60, "backend": "ace_step", "auto_play": True},
    ),
    "LofiPlay abcdef": ("play", {"track_id": "abcdef"}),
    "LofiPause": ("pause", {}),
    "LofiResume": ("resume", {}),
    "LofiToggle": ("toggle", {}),
    "LofiStop": ("stop", {}),
    "LofiSkip": ("skip", {}),
    "LofiPrevious": ("previous", {}),
    "LofiSeek 1:30": ("seek", {"position_sec": 90}),
    "LofiVolume 40": ("volume_set", {"level": 0.4}),
    "LofiCrossfade 4": ("crossfade_set", {"duration_sec": 4}),
    "LofiCancel abcdef": ("cancel", {"track_id": "abcdef"}),
    "LofiPlaylist add abcdef": ("playlist_add", {"track_ids": ["abcdef"]}),
    "LofiLoop all": ("playlist_mode", {"loop": "all"}),
    "LofiShuffle on": ("playlist_mode", {"shuffle": True}),
    "LofiRadio sunday": ("radio_start", {"prompt": "sunday"}),
    "LofiDevices speakers": ("audio_device_set", {"device": "speakers"}),
    "LofiSleep 30": ("sleep_set", {"minutes": 30}),
    "LofiFocus 25 5": ("focus_start", {"work_min": 25, "break_min": 5}),
    "LofiLibrary": ("cache_list", {"offset": 0, "sort": "newest"}),
    "LofiPlayer": ("status", {}),
    "LofiQueue": ("queue_status", {}),
    "LofiStudio": "vim.bo.filetype == 'lofi-studio'",
    "LofiLineage abcdef": ("lineage", {"track_id": "abcdef"}),
    "LofiPick presets": ("presets_list", {}),
    "LofiBackends": ("get_backends", {}),
    "LofiStatus": ("status", {}),
    "LofiInstall": "#_G.selected == 1",
    "LofiLog": "vim.api.nvim_buf_get_name(0) == require('lofi.log').path()",
}  # fmt: skip

MAPS = {
    "generate": "#_G.asked == 1",
    "play": ("play", {}),
    "pause": ("pause", {}),
    "resume": ("resume", {}),
    "toggle": ("toggle", {}),
    "stop": ("stop", {}),
    "skip": ("skip", {}),
    "previous": ("previous", {}),
    "forward": ("seek", {"position_sec": 15}),
    "back": ("seek", {"position_sec": 5}),
    "radio": ("radio_start", {}),
    "playlist": ("playlist_get", {}),
    "devices": ("audio_devices", {}),
    "cancel": ("cancel", {}),
    "volume-up": ("volume_get", {}),
    "volume-down": ("volume_get", {}),
    "library": ("cache_list", {"offset": 0, "sort": "newest"}),
    "player": ("status", {}),
    "queue": ("queue_status", {}),
    "studio": "vim.bo.filetype == 'lofi-studio'",
    "pick": "#_G.selected == 1",
    "status": ("status", {}),
}

FUNCTIONS = {
    "setup": ("setup({ ascii = true })", "require('lofi.config').current.ascii"),
    "generate": ("generate('rain')", ("generate", {"prompt": "rain", "auto_play": True})),
    "pipeline": ("pipeline('[[stages]]')", ("pipeline_run", {"toml": "[[stages]]", "auto_play": True})),
    "cancel": ("cancel('abcdef')", ("cancel", {"track_id": "abcdef"})),
    "play": ("play('abcdef')", ("play", {"track_id": "abcdef"})),
    "pause": ("pause()", ("pause", {})),
    "resume": ("resume()", ("resume", {})),
    "toggle": ("toggle()", ("toggle", {})),
    "stop": ("stop()", ("stop", {})),
    "volume": ("volume(0.4)", ("volume_set", {"level": 0.4})),
    "skip": ("skip()", ("skip", {})),
    "previous": ("previous()", ("previous", {})),
    "seek": ("seek(90)", ("seek", {"position_sec": 90})),
    "crossfade": ("crossfade(4)", ("crossfade_set", {"duration_sec": 4})),
    "playlist.get": ("playlist.get(function() end)", ("playlist_get", {})),
    "playlist.add": (
        "playlist.add('abcdef', { next = true })", ("playlist_add", {"track_id": "abcdef", "next": True}),
    ),
    "playlist.remove": ("playlist.remove('abcdef')", ("playlist_remove", {"track_id": "abcdef"})),
    "playlist.clear": ("playlist.clear()", ("playlist_clear", {})),
    "loop": ("loop('one')", ("playlist_mode", {"loop": "one"})),
    "shuffle": ("shuffle(false)", ("playlist_mode", {"shuffle": False})),
    "radio": ("radio(false)", ("radio_stop", {})),
    "presets": ("presets(function() end)", ("presets_list", {})),
    "devices": ("devices('speakers')", ("audio_device_set", {"device": "speakers"})),
    "sleep": ("sleep()", ("sleep_set", {"minutes": 0})),
    "focus": ("focus(false)", ("focus_stop", {})),
    "status": ("status(function() end)", ("status", {})),
    "backends": ("backends(function() end)", ("get_backends", {})),
    "library": ("library()", ("cache_list", {"offset": 0, "sort": "newest"})),
    "player": ("player()", ("status", {})),
    "queue": ("queue()", ("queue_status", {})),
    "studio": ("studio()", "vim.bo.filetype == 'lofi-studio'"),
    "lineage": ("lineage('abcdef')", ("lineage", {"track_id": "abcdef"})),
    "pick": ("pick('presets')", ("presets_list", {})),
    "download": ("download('musicgen', 'small')", ("download_backend", {"backend": "musicgen", "model": "small"})),
    "cancel_download": ("cancel_download('musicgen')", ("cancel_download", {"backend": "musicgen"})),
    "install": ("install('tunes', function(err) _G.refused = err.code end)", "_G.refused == 'INSTALL_FAILED'"),
    "request": ("request('cache_stats')", ("cache_stats", {})),
    "on": ("on('volume_changed', function() _G.heard_volume = true end)", "true"),
    "statusline": ("statusline()", "type(require('lofi').statusline()) == 'string'"),
    "info": ("info()", "require('lofi').info().state"),
    "restart": ("restart()", ("shutdown", {})),
}  # fmt: skip


class Bench:
    """An editor with a fake daemon that has greeted it; ``do`` runs Lua and tells what came of it."""

    def __init__(self, open_editor, fake):
        self.daemon = fake(**SCRIPT, generate=[{"reply": ACCEPTED}])
        self.editor = open_editor(self.daemon.command, progress="none")
        self.editor.lua("""
          vim.ui.select = function(items) _G.selected = { items } end
          vim.ui.input = function(opts) _G.asked = { opts } end
          vim.ui.open = function() end
          require('lofi').volume(nil, function() _G.up = true end)
        """)
        self.editor.wait("_G.up")

    def heard(self):
        path = Path(f"{self.daemon.script}.heard")
        return [json.loads(line) for line in path.read_text().splitlines()]

    def do(self, lua, wanted):
        """The row as it was: ``wanted`` where it came so, else what was asked instead."""
        before = len(self.heard())
        self.editor.lua("""
          _G.selected, _G.asked = nil, nil
          for _, window in ipairs(vim.api.nvim_list_wins()) do
            if #vim.api.nvim_list_wins() > 1 then pcall(vim.api.nvim_win_close, window, true) end
          end
          vim.cmd.enew()
        """)
        self.editor.lua(lua)
        if isinstance(wanted, str):
            self.editor.wait(wanted)
            return wanted
        method, _ = wanted

        def answered():
            found = [message for message in self.heard()[before:] if message["method"] == method]
            return found and (method, {k: v for k, v in found[0]["params"].items() if k not in OWN})

        return self.editor.wait(answered)


def test_every_command_asks_what_it_says(open_editor, fake):
    bench = Bench(open_editor, fake)
    commands = [name for name in bench.editor.request("nvim_get_commands", {}) if name.startswith("Lofi")]
    assert {line.split()[0] for line in COMMANDS} == set(commands)
    for line, wanted in COMMANDS.items():
        assert (line, bench.do(f"vim.cmd([[{line}]])", wanted)) == (line, wanted)


def test_every_subcommand_is_a_command_too(open_editor, fake):
    editor = open_editor()
    subcommands = set(editor.lua("return vim.fn.getcompletion('Lofi ', 'cmdline')"))
    assert {f"Lofi{name.capitalize()}" for name in subcommands} - {"LofiRestart"} == {
        line.split()[0] for line in COMMANDS
    } - {"Lofi"}


def test_every_map_asks_what_it_says(open_editor, fake):
    bench = Bench(open_editor, fake)
    maps = [m["lhs"] for m in bench.editor.request("nvim_get_keymap", "n") if "lofi-" in m["lhs"]]
    assert {f"<Plug>(lofi-{name})" for name in MAPS} == set(maps)
    for name, wanted in MAPS.items():
        if name == "cancel":
            bench.editor.lua("require('lofi').generate('rain')")
            wanted = ("cancel", {})
        keys = f"<Plug>(lofi-{name})"
        press = f"vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes('{keys}', true, true, true), 'm', false)"
        assert (name, bench.do(press, wanted)) == (name, wanted)


def test_every_function_asks_what_it_says(open_editor, fake):
    bench = Bench(open_editor, fake)
    names = bench.editor.lua("""
      local names = {}
      for name, value in pairs(require('lofi')) do
        for inner in pairs(type(value) == 'table' and value or {}) do names[#names + 1] = name .. '.' .. inner end
        names[#names + 1] = type(value) == 'function' and name or nil
      end
      return names
    """)
    assert set(FUNCTIONS) == set(names)
    for name, (call, wanted) in FUNCTIONS.items():
        assert (name, bench.do(f"require('lofi').{call}", wanted)) == (name, wanted)
