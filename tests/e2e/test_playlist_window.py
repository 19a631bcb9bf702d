"""The playlist's window: a track a line in order, live, with keys."""

from __future__ import annotations

from typing import Any

import pytest
from support.editor import assert_calm
from support.neovim import Neovim

ID, NEXT, LATER = "ab" * 32, "cd" * 32, "ef" * 32
RAIN = {"track_id": ID, "prompt": "rainy\nnight", "duration_sec": 62.0}
SUN = {"track_id": NEXT, "prompt": "sunny day", "duration_sec": 180.0}
SEA = {"track_id": LATER, "prompt": "深い海", "duration_sec": 90.0}
PLAYLIST = {"tracks": [RAIN, SUN, SEA], "index": 1, "loop": "off", "shuffle": False}


@pytest.fixture
def playlist(open_editor, fake):
    """``playlist(script…)``: an editor whose window is open and shows ``PLAYLIST``, and its daemon."""

    def open_(setup: dict[str, Any] | None = None, *, columns: int = 90, **script: Any):
        daemon = fake(**({"playlist_get": [{"reply": PLAYLIST}]} | script))
        editor = open_editor(daemon.command, columns=columns, **(setup or {}))
        editor.command("LofiPlaylist")
        editor.wait_for_text("sunny day")
        return editor, daemon

    return open_


def change(editor: Neovim, **what: Any) -> None:
    """The daemon tells of another list."""
    editor.lua(
        "require('lofi.mirror').apply('playlist_changed', ...)"
        " require('lofi.events').emit('playlist_changed', ...)",
        PLAYLIST | what,
    )  # fmt: skip


def here(editor: Neovim) -> str:
    return str(editor.lua("return vim.api.nvim_get_current_line()"))


def test_tracks_are_numbered_and_the_cursor_begins_at_the_one_that_plays(playlist):
    editor, _ = playlist()
    editor.wait_for_text("1   rainy night")
    editor.wait_for_text("2 ♪ sunny day")
    editor.wait_for_text("3   深")
    editor.wait_for_text("lofi playlist, loop off, shuffle off")
    assert here(editor).split() == ["♪", "sunny", "day", "3:00"]
    assert_calm(editor)


def test_an_empty_playlist_says_what_fills_it(open_editor, fake):
    empty = {"tracks": [], "index": None, "loop": "off", "shuffle": True}
    editor = open_editor(fake(playlist_get=[{"reply": empty}]).command, columns=60)
    editor.command("LofiPlaylist")
    editor.wait_for_text("The playlist is empty.")
    editor.wait_for_text(":LofiPlaylist add {track}")


def test_it_follows_the_daemon_and_the_cursor_stays_on_its_track(playlist):
    editor, _ = playlist()
    editor.type("j")
    change(editor, tracks=[SUN, SEA], index=0, loop="all")
    editor.wait_for_text("1 ♪ sunny day")
    editor.wait_for_text("loop all")
    assert "深い海" in here(editor)
    change(editor, tracks=[])
    editor.wait_for_text("The playlist is empty.")


def test_each_key_asks_the_daemon(playlist):
    editor, daemon = playlist()
    editor.lua("vim.ui.select = function(items, _, choose) _G.offered = items; choose(items[1], 1) end")
    keys: list[tuple[str, str, list[dict[str, Any]]]] = [
        ("<CR>", "play", [{"track_id": NEXT}]),
        ("dd", "playlist_remove", [{"track_id": NEXT}]),
        ("x", "playlist_remove", [{"track_id": NEXT}] * 2),
        ("ggVjd", "playlist_remove", [{"track_id": NEXT}] * 2 + [{"track_id": ID}, {"track_id": NEXT}]),
        ("s", "playlist_mode", [{"shuffle": True}]),
        ("o", "playlist_mode", [{"shuffle": True}, {"loop": "all"}]),
        ("C", "playlist_clear", [{}]),
    ]
    for key, method, asked in keys:
        editor.type(key)
        editor.wait(lambda method=method, asked=asked: daemon.heard(method) == asked)
        editor.wait(lambda: editor.mode() == "n")
    assert editor.lua("return _G.offered") == ["Take out 3 tracks", "Keep them"]
    assert_calm(editor)


def test_its_keys_are_listed_and_close_it(playlist):
    editor, _ = playlist()
    editor.type("g?")
    editor.wait_for_text("<CR>            play")
    editor.type("q")
    editor.wait("vim.bo.filetype == 'lofi-playlist'")
    editor.command("LofiPlaylist")  # goes to the one that is open
    assert editor.lua("return #vim.api.nvim_list_wins()") == 2
    editor.type("q")
    editor.wait("#vim.api.nvim_list_wins() == 1")
    change(editor)
    assert editor.messages() == []


def test_on_a_narrow_ascii_screen_lines_are_cut_to_fit(playlist):
    long = SUN | {"prompt": "sunny day " * 9}
    editor, _ = playlist({"ascii": True}, columns=40, playlist_get=[{"reply": PLAYLIST | {"tracks": [RAIN, long]}}])
    rows = [line for line in editor.text().splitlines() if line.startswith("|")]
    assert [len(row) for row in rows] == [40, 40]
    assert rows[1].startswith("|  2 > sunny day")
    assert rows[1].endswith("3:00 |")
    assert editor.text().isascii()


def test_ten_thousand_tracks_are_listed(playlist):
    tracks = [
        {"track_id": f"{number:064x}", "prompt": f"rain {number}", "duration_sec": 60} for number in range(10_000)
    ]
    editor, _ = playlist()
    change(editor, tracks=tracks, index=9_999)
    editor.wait_for_text("9   rain 8")
    editor.type("G")
    editor.wait_for_text("10000 ♪ rain 9999")


def test_a_list_that_became_short_is_shown_from_its_beginning(playlist):
    tracks = [{"track_id": f"{number:064x}", "prompt": f"rain {number}", "duration_sec": 60} for number in range(50)]
    editor, _ = playlist()
    change(editor, tracks=tracks, index=0)
    editor.wait_for_text("9   rain 8")
    editor.type("G")
    editor.wait_for_text("50   rain 49")
    change(editor, tracks=tracks[:10], index=0)
    editor.wait_for_text("1 ♪ rain 0")
    editor.wait_for_text("10   rain 9")
