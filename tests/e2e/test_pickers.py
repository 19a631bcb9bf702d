"""The telescope extension and the snacks sources, against the interfaces that those document.

What stands in for them is as small as the interface: telescope's pickers, finders, previewers and actions as its
developers.md has them; snacks' sources, whose finders run as coroutines where next to nothing may be called.
"""

import pytest
from support.wire_answers import SCRIPT, track

TELESCOPE = """
local seen = {}
_G.seen = seen
local modules = {
  telescope = { register_extension = function(extension) return extension end },
  ['telescope.finders'] = { new_table = function(opts) return opts end },
  ['telescope.config'] = { values = { generic_sorter = function() return 'sorter' end } },
  ['telescope.previewers'] = { new_buffer_previewer = function(opts) return opts end },
  ['telescope.actions'] = {
    close = function(buffer) seen.closed = buffer end,
    select_default = { replace = function(_, run) seen.select = run end },
  },
  ['telescope.actions.state'] = { get_selected_entry = function() return seen.entries[seen.row] end },
  ['telescope.pickers'] = { new = function(_, parts)
    return { find = function()
      seen.title, seen.sorter = parts.prompt_title, parts.sorter
      seen.entries = vim.tbl_map(parts.finder.entry_maker, parts.finder.results)
      seen.kept_mappings = parts.attach_mappings(7)
      seen.preview = function(row)
        local buffer = vim.api.nvim_create_buf(false, true)
        parts.previewer.define_preview({ state = { bufnr = buffer } }, seen.entries[row])
        return vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
      end
      seen.found = true
    end }
  end },
}
for name, module in pairs(modules) do
  package.preload[name] = function() return module end
end
"""

SNACKS = """
_G.snacks = { picker = { sources = {} } }
package.preload.snacks = function() return _G.snacks end

-- Runs a source's finder as snacks does: a coroutine that is resumed outside of the main loop.
function _G.find(source, search)
  local items, routine = {}, nil
  local function step()
    local timer = vim.uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      local ok, err = coroutine.resume(routine)
      if not ok then _G.failed = err end
      if coroutine.status(routine) == 'dead' then _G.items = items end
    end)
  end
  local async = { suspend = function() coroutine.yield() end, resume = step }
  local run = _G.snacks.picker.sources[source].finder({}, { filter = { search = search }, async = async })
  routine = coroutine.create(function() run(function(item) table.insert(items, item) end) end)
  step()
end
"""

DETAILS = [
    "rain 1", "", "Length       1:30", "Backend      synth", "Seed         1", "Tempo        75",
    "Key          D minor", "Made         2026-01-02", "Favourite    yes", "Track        000000000000",
    "File         /music/1.flac",
]  # fmt: skip


@pytest.mark.parametrize(
    ("export", "row", "line", "asked", "params"),
    [
        ("lofi", 1, "♥  rain 1     synth  1:30", "play", {"track_id": f"{1:064x}"}),
        ("tracks", 2, "   a 夜 long  synth  1:30", "play", {"track_id": f"{2:064x}"}),
        ("presets", 2, "study        soft piano", "radio_start", {"presets": ["study"]}),
    ],
)
def test_telescope_shows_and_does(open_editor, fake, export, row, line, asked, params):
    daemon = fake(**SCRIPT)
    editor = open_editor(daemon.command)
    editor.lua(TELESCOPE)
    editor.lua("require('telescope._extensions.lofi').exports[...]()", export)
    editor.wait("_G.seen.found")
    editor.lua("_G.seen.row = ...", row)
    display, ordinal = editor.lua("local e = _G.seen.entries[...] return { e.display, e.ordinal }", row)
    assert display == line
    assert ordinal.startswith(line)
    assert editor.lua("return { _G.seen.sorter, _G.seen.kept_mappings }") == ["sorter", True]
    editor.lua("_G.seen.select()")
    editor.wait(editor.messages)
    assert daemon.heard(asked) == [params]
    assert editor.lua("return _G.seen.closed") == 7


def test_telescope_previews_what_is_known_of_a_track(open_editor, fake):
    editor = open_editor(fake(**SCRIPT).command)
    editor.lua(TELESCOPE)
    editor.lua("require('telescope._extensions.lofi').exports.tracks()")
    editor.wait("_G.seen.found")
    assert editor.lua("return _G.seen.preview(1)") == DETAILS


def test_the_whole_prompt_is_searched_where_the_line_shows_its_beginning(open_editor, fake):
    long = "rain " * 20 + "and a cello"
    editor = open_editor(fake(cache_list=[{"reply": {"tracks": [track(1, prompt=long)], "total": 1}}]).command)
    editor.lua(TELESCOPE)
    editor.lua("require('telescope._extensions.lofi').exports.tracks()")
    editor.wait("_G.seen.found")
    editor.lua(SNACKS)
    editor.lua("require('lofi.snacks') _G.find('lofi_tracks', '')")
    (item,) = editor.wait("_G.items")
    display, ordinal = editor.lua("local e = _G.seen.entries[1] return { e.display, e.ordinal }")
    assert "cello" not in display
    assert "cello" not in item["line"]
    assert "cello" in ordinal
    assert "cello" in item["text"]


def test_telescope_with_an_empty_library_says_so(open_editor, fake):
    daemon = fake(cache_list=[{"reply": {"tracks": [], "total": 0}}])
    editor = open_editor(daemon.command)
    editor.lua(TELESCOPE)
    editor.lua("require('telescope._extensions.lofi').exports.tracks({ query = 'rain' })")
    editor.wait_for_text("no track has “rain” in it.")
    assert daemon.heard("cache_list")[0]["query"] == "rain"
    assert editor.lua("return _G.seen.found") is None


def test_snacks_finds_previews_and_plays_tracks(open_editor, fake):
    daemon = fake(**SCRIPT)
    editor = open_editor(daemon.command)
    editor.lua(SNACKS)
    editor.lua("require('lofi.snacks') _G.find('lofi_tracks', 'rain')")
    items = editor.wait("_G.items")
    assert editor.lua("return _G.failed") is None
    look = "return _G.snacks.picker.sources.lofi_tracks.format(...)[1][1]"
    assert [editor.lua(look, item) for item in items] == [
        "♥  rain 1     synth  1:30",
        "   a 夜 long  synth  1:30",
    ]
    assert items[0]["preview"]["text"].splitlines() == DETAILS
    assert daemon.heard("cache_list")[0]["query"] == "rain"
    editor.lua("""
      local source = _G.snacks.picker.sources.lofi_tracks
      source.confirm({ close = function() _G.closed = true end }, _G.items[1])
    """)
    editor.wait(editor.messages)
    assert editor.lua("return _G.closed") is True
    assert daemon.heard("play") == [{"track_id": f"{1:064x}"}]


def test_snacks_starts_the_radio_with_a_preset(open_editor, fake):
    daemon = fake(**SCRIPT)
    editor = open_editor(daemon.command)
    editor.lua(SNACKS)
    editor.lua("require('lofi.snacks') _G.find('lofi_presets', '')")
    editor.wait("_G.items")
    editor.lua("""
      local source = _G.snacks.picker.sources.lofi_presets
      source.confirm({ close = function() end }, nil)
      source.confirm({ close = function() end }, _G.items[2])
    """)
    editor.wait(editor.messages)
    assert daemon.heard("radio_start") == [{"presets": ["study"]}]


def test_snacks_goes_on_where_the_daemon_refuses(open_editor, fake):
    error = {"code": -32603, "message": "The index is locked; try again.", "data": {"code": "INTERNAL_ERROR"}}
    editor = open_editor(fake(cache_list=[{"error": error}]).command)
    editor.lua(SNACKS)
    editor.lua("require('lofi.snacks') _G.find('lofi_tracks', '')")
    assert editor.wait("_G.items and #_G.items == 0")
    editor.wait_for_text("The index is locked; try again.")


def test_a_thousand_tracks_are_enough_for_a_list(open_editor, fake):
    page = [track(number) for number in range(200)]
    editor = open_editor(fake(cache_list=[{"reply": {"tracks": page, "total": 10_000}}]).command)
    editor.lua(SNACKS)
    editor.lua("require('lofi.snacks') _G.find('lofi_tracks', '')")
    assert editor.wait("_G.items and #_G.items") == 1000
