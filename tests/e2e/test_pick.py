""":LofiPick: what vim.ui.select is offered, and what choosing does."""

import pytest
from support.editor import assert_calm
from support.wire_answers import SCRIPT, track


def choosing(editor, row):
    """Puts a select in place that records what it is offered and takes the line ``row`` (from 1)."""
    editor.lua(
        """
        local row = ...
        vim.ui.select = function(items, opts, choose)
          _G.offered = { lines = vim.tbl_map(opts.format_item or tostring, items), prompt = opts.prompt,
            kind = opts.kind }
          choose(items[row], row)
        end
        """,
        row,
    )


@pytest.mark.parametrize(
    ("what", "row", "kind", "lines", "asked", "params"),
    [
        ("tracks", 2, "lofi_track", ["♥  rain 1     synth  1:30", "   a 夜 long  synth  1:30"],
         "play", {"track_id": f"{2:064x}"}),
        ("playlist", 1, "lofi_playlist", ["⏸  rain 1  1:30", "   rain 2  1:30"], "play", {"track_id": f"{1:064x}"}),
        ("presets", 2, "lofi_preset", ["rainy-night  rain", "study        soft piano"],
         "radio_start", {"presets": ["study"]}),
        ("devices", 2, "lofi_device", ["the system's default  chosen", "Speakers              default"],
         "audio_device_set", {"device": "7"}),
        ("devices", 1, "lofi_device", ["the system's default  chosen", "Speakers              default"],
         "audio_device_set", {"device": ""}),
    ],
)  # fmt: skip
def test_what_is_chosen_is_done(open_editor, fake, what, row, kind, lines, asked, params):
    daemon = fake(**SCRIPT)
    editor = open_editor(daemon.command)
    choosing(editor, row)
    editor.command(f"LofiPick {what}")
    assert editor.wait("_G.offered")["lines"] == lines
    assert editor.lua("return _G.offered.kind") == kind
    editor.wait(editor.messages)
    assert daemon.heard(asked) == [params]
    assert_calm(editor)


def test_without_a_word_it_asks_what(open_editor, fake):
    editor = open_editor(fake(**SCRIPT).command)
    editor.lua("""
      vim.ui.select = function(items, opts, choose)
        _G.prompts = vim.list_extend(_G.prompts or {}, { opts.prompt })
        choose(opts.kind == 'lofi' and 'presets' or nil)
      end
    """)
    editor.command("LofiPick")
    assert editor.wait("#_G.prompts == 2 and _G.prompts") == ["Pick what?", "What shall the radio play?"]


def test_a_query_goes_to_the_library_and_no_match_is_said(open_editor, fake):
    daemon = fake(cache_list=[{"reply": {"tracks": [], "total": 0}}])
    editor = open_editor(daemon.command)
    editor.command("LofiPick tracks rain night")
    editor.wait_for_text("lofi: no track has “rain night” in it.")
    assert [params["query"] for params in daemon.heard("cache_list")] == ["rain night"]
    editor.command("LofiPick tracks")
    editor.wait_for_text("lofi: the library is empty; :LofiGenerate makes a track.")


def test_a_large_library_is_read_in_pages_up_to_a_thousand(open_editor, fake):
    page = [track(number) for number in range(200)]
    daemon = fake(cache_list=[{"reply": {"tracks": page, "total": 10_000}}])
    editor = open_editor(daemon.command)
    choosing(editor, 0)
    editor.command("LofiPick tracks")
    offered = editor.wait("_G.offered")
    assert len(offered["lines"]) == 1000
    assert offered["prompt"] == "Play which track? (the first 1000 of 10000)"
    assert [params["offset"] for params in daemon.heard("cache_list")] == [0, 200, 400, 600, 800]


@pytest.mark.parametrize(("columns", "rows"), [(90, 20), (30, 16)])
def test_neovims_own_select_is_never_longer_than_the_screen(open_editor, fake, columns, rows):
    page = [track(number, prompt=f"rain {number} " + "and more " * 9, backend="ace_step_15") for number in range(200)]
    script = {"cache_list": [{"reply": {"tracks": page, "total": 200}}], "play": SCRIPT["play"]}
    editor = open_editor(fake(**script).command, columns=columns)
    editor.command("LofiPick tracks")
    editor.wait_for_text(f"Play which track? (the first {rows} of 200)"[: columns - 8])
    editor.wait_for_text(f"{rows}: rain {rows - 1}")
    assert "-- More --" not in editor.text()
    editor.type("2<CR>")
    editor.wait_for_text("lofi: playing rai")
    assert_calm(editor)


def test_a_backend_that_is_ready_makes_the_music_of_this_editor(open_editor, fake):
    accepted = {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}
    daemon = fake(**SCRIPT, generate=[{"reply": accepted}])
    editor = open_editor(daemon.command, progress="none")
    choosing(editor, 2)
    editor.command("LofiPick backends")
    assert editor.wait("_G.offered")["lines"] == [
        "as the settings say  synth          chosen",
        "Built-in composer    ready",
        "MusicGen             not installed",
    ]
    editor.wait_for_text("Built-in composer makes the music of this editor from now on.")
    choosing(editor, 1)
    editor.lua("require('lofi').generate('rain')")
    editor.command("LofiPick backends")
    editor.wait_for_text("what the settings name makes the music")
    editor.lua("require('lofi').generate('rain')")
    editor.wait(lambda: len(daemon.heard("generate")) == 2)
    assert [params.get("backend") for params in daemon.heard("generate")] == ["synth", None]


def test_an_error_of_the_daemon_is_said(open_editor, fake):
    error = {"code": -32603, "message": "The index is locked; try again.", "data": {"code": "INTERNAL_ERROR"}}
    editor = open_editor(fake(cache_list=[{"error": error}]).command)
    editor.command("LofiPick tracks")
    editor.wait_for_text("The index is locked; try again.")
    assert_calm(editor)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("LofiPick tunes", "there is nothing to pick under “tunes”. There are tracks, presets, playlist, backends"),
        ("LofiPick presets rain", ":LofiPick presets takes no words; only :LofiPick tracks does."),
    ],
)
def test_a_slip_is_named(open_editor, fake, command, said):
    editor = open_editor(fake().command)
    editor.command(command)
    (line,) = editor.wait(editor.messages)
    assert said in line


def test_what_can_be_picked_completes(open_editor):
    editor = open_editor()
    ask = "return vim.fn.getcompletion(..., 'cmdline')"
    assert editor.lua(ask, "LofiPick ") == ["tracks", "presets", "playlist", "backends", "devices"]
    assert editor.lua(ask, "LofiPick t") == ["tracks"]
    assert "pick" in editor.lua(ask, "Lofi p")
    assert editor.lua(ask, "Lofi rain dur") == ["duration="]
    assert editor.lua(ask, "LofiAce rain dur") == ["duration="]
    assert "musicgen" in editor.lua(ask, "LofiInstall ")
    assert "download" in editor.lua(ask, "LofiBackends ")
