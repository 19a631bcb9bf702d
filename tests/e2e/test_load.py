"""What the plugin costs and gives before it is used."""

import pytest
from support.neovim import ROOT

COMMANDS = [
    "Lofi", "LofiGenerate", "LofiPlay", "LofiPause", "LofiResume", "LofiToggle", "LofiStop", "LofiCancel",
    "LofiVolume", "LofiSkip", "LofiPrevious", "LofiSeek", "LofiPlaylist", "LofiLoop", "LofiShuffle", "LofiCrossfade",
    "LofiRadio", "LofiDevices", "LofiSleep", "LofiFocus", "LofiBackends", "LofiStatus", "LofiLog", "LofiLibrary",
    "LofiPlayer", "LofiQueue", "LofiPick", "LofiInstall", "LofiAce", "LofiStudio",
    "LofiLineage",
]  # fmt: skip

LOADED = "return vim.iter(package.loaded):map(function(name) return name:find('^lofi') and name end):totable()"


def test_nothing_is_loaded_at_start(open_editor):
    editor = open_editor()
    assert editor.lua(LOADED) == []
    assert editor.lua("return vim.g.loaded_lofi") is True


def test_every_command_exists_and_says_what_it_does(open_editor):
    commands = open_editor().lua("return vim.api.nvim_get_commands({})")
    assert [name for name in COMMANDS if name not in commands] == []
    assert sorted(name for name in commands if name.startswith("Lofi")) == sorted(COMMANDS)
    assert all(commands[name]["definition"] for name in COMMANDS)


def test_there_are_plug_maps_and_no_keys_of_ours(open_editor):
    maps = open_editor().request("nvim_get_keymap", "n")
    ours = [m for m in maps if "ofi" in m.get("rhs", "")]
    assert {m["lhs"] for m in ours} == {
        f"<Plug>(lofi-{name})"
        for name in ("generate", "play", "pause", "resume", "toggle", "stop", "cancel", "skip", "previous",
                     "forward", "back", "radio", "playlist", "devices", "volume-up", "volume-down", "status", "library",
                     "player", "queue", "studio", "pick")
    }  # fmt: skip
    assert all(m["noremap"] and m["rhs"].startswith("<Cmd>Lofi ") for m in ours)


def test_an_idle_statusline_loads_nothing_more(open_editor):
    editor = open_editor()
    assert editor.lua("return require('lofi').statusline()") == ""
    assert editor.lua(LOADED) == ["lofi"]


def test_listening_and_setup_start_no_daemon(open_editor):
    editor = open_editor(["/bin/false"], auto_play=False)
    editor.lua("require('lofi').on('generation_complete', function() end)")
    loaded = editor.lua(LOADED)
    assert "lofi.client" not in loaded
    assert "lofi.rpc" not in loaded


def test_an_old_neovim_gets_one_sentence_and_no_commands(open_editor, tmp_path):
    plugin = (ROOT / "plugin/lofi.vim").read_text(encoding="utf-8")
    assert "'nvim-0.11'" in plugin
    (tmp_path / "lofi.vim").write_text(plugin.replace("'nvim-0.11'", "'nvim-9.0'"), encoding="utf-8")
    editor = open_editor(None, "--cmd", "let g:loaded_lofi = v:true")
    editor.command("unlet g:loaded_lofi")
    editor.command(f"source {tmp_path}/lofi.vim")
    assert editor.messages() == ["lofi.nvim needs Neovim 0.11 or newer; update Neovim or remove the plugin."]
    assert editor.lua("return vim.fn.exists(':Lofi')") == 0


@pytest.mark.parametrize("sub", ["", "status"])
def test_bare_lofi_says_how_things_are(editor, sub):
    editor.command(f"Lofi {sub}".strip())
    editor.wait_for_text("Volume")
    assert "lofi status" in editor.text()
    editor.type("q")
    editor.wait("#vim.api.nvim_list_wins() == 1")
