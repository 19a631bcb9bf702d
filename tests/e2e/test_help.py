"""The help says what there is, and the schema in Lua says what the daemon says."""

import re
import subprocess
from pathlib import Path

import msgspec
import pytest
from support.neovim import ROOT, find_nvim
from support.wire_answers import SCRIPT

from lofi_daemon.backends.registry import BACKENDS
from lofi_daemon.config import FILE_ONLY, Settings
from lofi_daemon.stages.request import GenerateRequest

HELP = (ROOT / "doc/lofi.txt").read_text(encoding="utf-8")

# They are written in a pipeline's text, not typed as a command.
NOT_TYPED = {
    "cfg_interval", "src_latent_id", "src_stage", "cover_strength", "cover_noise_strength", "repaint_start",
    "repaint_end", "repaint_strength", "track_name", "track_classes", "lora", "preview",
}  # fmt: skip


def test_help_and_types_are_what_the_schemas_say():
    result = subprocess.run(
        [find_nvim(), "-l", ROOT / "scripts/gen_help.lua", "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_tag_is_valid_and_every_link_leads_somewhere(open_editor, tmp_path):
    doc = tmp_path / "doc"
    doc.mkdir()
    (doc / "lofi.txt").write_text(HELP, encoding="utf-8")
    editor = open_editor()
    editor.command(f"helptags {doc}")
    editor.command(f"set runtimepath^={tmp_path}")
    assert editor.messages() == []
    tags = {line.split("\t")[0] for line in (doc / "tags").read_text(encoding="utf-8").splitlines()}
    links = editor.lua(r"""
      local text, found = ..., {}
      for link in text:gmatch('|([^|%s]+)|') do found[link] = true end
      return vim.tbl_keys(found)
    """, HELP)  # fmt: skip
    builtin = [link for link in links if link not in tags]
    for link in builtin:
        assert editor.lua("return #vim.fn.getcompletion(..., 'help') > 0", link), link


def test_no_line_is_too_wide():
    assert [line for line in HELP.splitlines() if len(line) > 78] == []


def test_every_command_map_event_and_function_is_documented(open_editor):
    editor = open_editor()
    commands = [name for name in editor.request("nvim_get_commands", {}) if name.startswith("Lofi")]
    assert [name for name in commands if f"*:{name}*" not in HELP] == []
    maps = [m["lhs"] for m in editor.request("nvim_get_keymap", "n") if "lofi-" in m["lhs"]]
    assert maps
    assert [name for name in maps if name not in HELP] == []
    events = editor.lua("return require('lofi.events').AUTOCOMMANDS")
    assert [name for name in events if name not in HELP] == []
    assert [pattern for pattern in set(events.values()) if f"*{pattern}*" not in HELP] == []
    functions = editor.lua("""
      local names, lofi = {}, require('lofi')
      for name, value in pairs(lofi) do
        for inner in pairs(type(value) == 'table' and value or {}) do names[#names + 1] = name .. '.' .. inner end
        names[#names + 1] = type(value) == 'function' and name or nil
      end
      return names
    """)
    assert [name for name in functions if f"*lofi.{name}()*" not in HELP] == []


# Window → the tag of the section that has its keys, each at the start of a line that says what it does.
SECTIONS = {
    "library": "lofi-library",
    "track": "lofi-library",
    "player": "lofi-player-window",
    "queue": "lofi-queue",
    "studio": "lofi-studio",
    "lineage": "lofi-studio",
    "playlist": "lofi-player-window",
    "backends": "lofi-backends",
    "install": "lofi-backends",
}


def keys_in(section):
    """The keys of the section's tables: all but the last of what two spaces part in a line."""
    body = next(part for part in HELP.split("=" * 78) if f"*{section}*" in part)
    return {key for line in body.splitlines() for cell in re.split("  +", line.strip())[:-1] for key in cell.split()}


def test_every_key_that_a_window_lists_is_documented(open_editor, fake):
    editor = open_editor(fake(**SCRIPT).command, progress="none")
    editor.lua("require('lofi').volume(nil, function() _G.up = true end)")
    editor.wait("_G.up")
    editor.lua("""
      local ui = require('lofi.ui.surface')
      local map = ui.map
      _G.listed = {}
      ui.map = function(buffer, keys)
        local name = vim.api.nvim_buf_get_name(buffer):gsub('^lofi://', '')
        _G.listed[name] = vim.iter(keys):map(function(key) return key[1] end):flatten():totable()
        map(buffer, keys)
      end
      require('lofi.install').current = { what = 'all', lines = { 'done' }, problems = {}, state = 'success' }
    """)
    for line in ("LofiLibrary", "LofiPlayer", "LofiQueue", "LofiPlaylist", "LofiBackends", "LofiInstall log",
                 "LofiStudio", "LofiLineage abcdef"):  # fmt: skip
        editor.command(line)
    editor.lua("require('lofi.library.details').open(...)", f"{1:064x}")
    editor.wait(f"vim.tbl_count(_G.listed) == {len(SECTIONS)}")
    listed = editor.lua("return _G.listed")
    assert set(listed) == set(SECTIONS)
    missing = {name: sorted(set(keys) - keys_in(SECTIONS[name])) for name, keys in listed.items()}
    assert {name: keys for name, keys in missing.items() if keys} == {}


def test_every_event_reaches_listeners_and_autocommands(open_editor, fake):
    events = open_editor().lua("return require('lofi.events').AUTOCOMMANDS")
    whole = {"job_id": "j", "track_id": "t", "prompt": "rain", "backend": "synth", "model": "m", "status": "ready"}
    told = [{"notify": [name, whole | {"mark": name}]} for name in events if name != "daemon_exited"]
    editor = open_editor(fake(pause=[*told, {"exit": 3}]).command, progress="none")
    editor.lua("""
      _G.by_listener, _G.by_autocommand = {}, {}
      for name, pattern in pairs(require('lofi.events').AUTOCOMMANDS) do
        require('lofi').on(name, function(data) _G.by_listener[name] = data.mark or 'daemon_exited' end)
        vim.api.nvim_create_autocmd('User', { pattern = pattern, callback = function(args)
          _G.by_autocommand[args.data.mark or 'daemon_exited'] = args.match
        end })
      end
      require('lofi').pause(function() end)
    """)
    editor.wait("_G.by_autocommand.daemon_exited")
    assert editor.lua("return _G.by_listener") == {name: name for name in events}
    assert editor.lua("return _G.by_autocommand") == events


@pytest.fixture(scope="module")
def lua_schema(tmp_path_factory):
    script = tmp_path_factory.mktemp("schema") / "print.lua"
    script.write_text(f"""
      package.path = '{ROOT}/lua/?.lua;' .. package.path
      local config, request = require('lofi.config'), require('lofi.request')
      io.write(vim.json.encode({{ config = config.schema, request = request.schema }}))
    """)
    out = subprocess.run([find_nvim(), "-l", script], capture_output=True, check=True).stdout
    return msgspec.json.decode(out)


def python_settings():
    """Dotted name → (type, default) of what the daemon can be set to."""
    found = {}
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            inner = {f"{field.name}.{sub.name}": (sub.type, sub.default) for sub in msgspec.structs.fields(field.type)}
            found |= inner
        elif field.name not in FILE_ONLY:
            found[field.name] = (field.type, field.default)
    return found


def test_the_daemons_settings_are_the_same_on_both_sides(lua_schema):
    ours = {entry["name"]: entry for entry in lua_schema["config"] if entry.get("daemon")}
    theirs = python_settings()
    assert set(ours) == set(theirs)
    for name, (_, default) in theirs.items():
        assert ours[name]["default"] == default, name


def test_a_value_fits_on_one_side_if_it_fits_on_the_other(lua_schema):
    theirs = python_settings()
    for entry in lua_schema["config"]:
        if not entry.get("daemon"):
            continue
        kind = theirs[entry["name"]][0]
        for choice in entry.get("enum", []):
            msgspec.convert(choice, kind)
        for edge, beyond in ((entry.get("min"), -1), (entry.get("max"), 1)):
            if edge is not None:
                msgspec.convert(edge, kind)
                with pytest.raises(msgspec.ValidationError):
                    msgspec.convert(edge + beyond, kind)


def test_the_backends_are_the_same_on_both_sides(lua_schema):
    ours = next(entry for entry in lua_schema["config"] if entry["name"] == "default_backend")
    assert ours["enum"] == ["auto", *BACKENDS]


def test_the_fields_of_a_request_are_the_same_on_both_sides(lua_schema):
    ours = {entry["name"] for entry in lua_schema["request"]}
    theirs = set(GenerateRequest.__struct_fields__) - NOT_TYPED - {"prompt", "job_id"}
    assert ours == theirs


def test_the_readme_of_the_tags_is_not_kept():
    assert "doc/tags" in Path(ROOT / ".gitignore").read_text()
