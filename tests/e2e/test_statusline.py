"""What a statusline shows, as text, as a table and in lualine (its base class: a stand-in in fakes/)."""

from __future__ import annotations

from typing import Any

import pytest
from support.editor import E2E, FakeDaemon
from support.neovim import Neovim

ID = "ab" * 32
PROMPT = "rainy 100% night, mellow rhodes"
NOTHING = {"state": "stopped", "text": "", "icon": "", "radio": False}


def text(editor: Neovim, opts: str = "") -> str:
    return str(editor.lua(f"return require('lofi').statusline({opts})"))


def info(editor: Neovim) -> dict[str, Any]:
    return dict(editor.lua("return require('lofi').info()"))


def tell(editor: Neovim, method: str, **params: Any) -> None:
    """As if the daemon said it."""
    editor.lua("require('lofi.mirror').apply(...)", method, params)


@pytest.fixture
def quiet(open_editor, fake) -> Neovim:
    """With a daemon that says nothing by itself."""
    daemon: FakeDaemon = fake()
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.connected = true end)")
    editor.wait("_G.connected")
    return editor


@pytest.fixture
def playing(quiet) -> Neovim:
    quiet.lua("require('lofi.state').remember(...)", ID, PROMPT)
    tell(quiet, "playback_started", track_id=ID, position_sec=62, duration_sec=180)
    tell(quiet, "playback_paused", track_id=ID, position_sec=62)  # so that the clock stands
    return quiet


def begin_job(editor: Neovim, percent: int = 45, eta: float | None = 3) -> None:
    editor.lua("require('lofi.state').add_job('j', 'sad piano', true)")
    tell(editor, "generation_progress", job_id="j", percent=percent, eta_sec=eta)


def test_it_is_empty_before_anything_and_while_nothing_goes_on(open_editor, quiet):
    assert (text(open_editor()), info(open_editor())) == ("", NOTHING)
    assert text(quiet) == ""
    assert info(quiet) == NOTHING | {"volume": 0.5}


def test_what_is_paused_and_what_is_made_stand_beside_each_other(playing):
    begin_job(playing)
    tell(playing, "radio_changed", active=True)
    assert text(playing) == "⏸ rainy 100% night 1:02 lofi 45% 0:03 ∞"


def test_the_table_has_all_of_it_in_parts(playing):
    begin_job(playing)
    tell(playing, "radio_changed", active=True)
    tell(playing, "focus_changed", active=True, phase="work", ends_in_sec=1500, round=1, rounds=4)
    tell(playing, "sleep_changed", ends_in_sec=600)
    told = info(playing)
    assert 1490 < told["focus"].pop("ends_in_sec") <= 1500
    assert 590 < told.pop("sleep_in_sec") <= 600
    assert told == {
        "state": "paused", "text": "⏸ rainy 100% night 1:02 lofi 45% 0:03 ∞ focus 25m", "icon": "⏸",
        "title": PROMPT, "track_id": ID, "position_sec": 62, "duration_sec": 180,
        "prompt": "sad piano", "percent": 45, "eta_sec": 3, "radio": True, "volume": 0.5,
        "focus": {"phase": "work", "round": 1, "rounds": 4},
    }  # fmt: skip


def test_a_download_is_told_with_its_percentage(quiet):
    progress = {"backend": "musicgen", "overall_percent": 45, "eta_sec": 130.0}
    tell(quiet, "download_progress", **progress)
    assert text(quiet) == "musicgen 45% 2:10"
    assert info(quiet)["downloading"] == {"backend": "musicgen", "percent": 45, "eta_sec": 130}
    assert info(quiet)["state"] == "downloading"
    tell(quiet, "backend_status", backend="musicgen", status="ready")
    assert text(quiet) == ""


def test_a_generation_that_failed_is_shown_until_the_next_is_asked_for(playing):
    begin_job(playing)
    tell(playing, "generation_error", job_id="j", code="X", message="It broke;\ntry another.")
    assert text(playing) == "⏸ rainy 100% night 1:02 ✗ sad piano"
    assert info(playing)["state"] == "error"
    assert info(playing)["icon"] == "✗"
    assert info(playing)["error"] == "It broke; try another."
    begin_job(playing)
    assert "✗" not in text(playing)
    assert "error" not in info(playing)


def test_music_that_begins_ends_the_bad_news(playing):
    begin_job(playing)
    tell(playing, "generation_error", job_id="j", code="X", message="It broke.")
    tell(playing, "playback_started", track_id=ID)
    assert text(playing).startswith("♪ rainy 100% night 0:0")
    assert "✗" not in text(playing)


def test_bad_news_are_forgotten_after_a_while_and_the_statusline_is_drawn_again(playing):
    playing.command("set statusline=%{v:lua.require'lofi'.statusline()}")
    playing.lua("""
      local defer = vim.defer_fn
      vim.defer_fn = function(run, ms)
        if ms < 1000 then return defer(run, ms) end
        _G.after_a_while = run
      end
    """)
    begin_job(playing)
    tell(playing, "generation_error", job_id="j", code="X", message="It broke.")
    playing.wait_for_text("✗ sad piano")
    playing.lua("_G.after_a_while()")
    playing.wait(lambda: "✗" not in playing.text())


def test_a_job_of_somebody_else_that_failed_is_no_news(quiet):
    tell(quiet, "generation_started", job_id="radio", track_id=ID, prompt="jazz")
    tell(quiet, "generation_error", job_id="radio", code="X", message="It broke.")
    assert text(quiet) == ""


def test_the_end_of_the_daemon_is_told(open_editor, fake):
    editor = open_editor(fake(queue_status=[{"exit": 3}]).command)
    editor.lua("require('lofi').request('queue_status', nil, function() _G.ended = true end)")
    editor.wait("_G.ended")
    editor.wait("require('lofi').statusline() == '✗ lofi-daemon'")
    assert info(editor)["error"].startswith("the daemon stopped (exit code 3)")


def test_a_daemon_that_cannot_be_started_is_told(open_editor, tmp_path):
    editor = open_editor([str(tmp_path / "nowhere")])
    editor.command("LofiPause")
    editor.wait("require('lofi').statusline() == '✗ lofi-daemon'")
    assert "nowhere" in info(editor)["error"]


def test_icons_are_those_of_setup_or_of_the_call_and_ascii_has_its_own(playing):
    assert text(playing, "{ icons = { paused = 'zz' } }").startswith("zz rainy")
    playing.lua("require('lofi').setup({ ascii = true })")
    begin_job(playing)
    tell(playing, "generation_error", job_id="j", code="X", message="It broke.")
    assert text(playing) == "|| rainy 100% night 1:02 ! sad piano"
    playing.lua("require('lofi').setup({ icons = { paused = 'P', error = 'E' } })")
    assert text(playing) == "P rainy 100% night 1:02 E sad piano"


def test_a_long_title_is_cut_and_percent_signs_are_doubled_on_request(playing):
    playing.lua("require('lofi').setup({ statusline = { max_title = 8 } })")
    assert text(playing) == "⏸ rainy 1… 1:02"
    playing.lua("require('lofi').setup({})")
    assert text(playing, "{ escape = true }") == "⏸ rainy 100%% night 1:02"


# lualine


def component(editor: Neovim, options: str = "{}") -> None:
    editor.command(f"set runtimepath^={E2E}/fakes/lualine")
    editor.lua(f"_G.component = require('lualine.components.lofi')({options})")


def draw(editor: Neovim) -> dict[str, Any]:
    return dict(editor.lua("return _G.component:draw()"))


def test_lualine_shows_what_the_statusline_says_percent_signs_and_all(playing):
    begin_job(playing)
    component(playing)
    shown = playing.lua("return vim.api.nvim_eval_statusline(_G.component:draw().text, {}).str")
    assert shown == text(playing) == "⏸ rainy 100% night 1:02 lofi 45% 0:03"
    assert "color" not in draw(playing)  # its theme's


def test_lualine_at_start_loads_nothing_of_lofi_but_its_door(open_editor):
    editor = open_editor()
    component(editor)
    assert draw(editor)["text"] == ""
    loaded = editor.lua(
        "return vim.tbl_filter(function(name) return name:find('^lofi') end, vim.tbl_keys(package.loaded))"
    )
    assert loaded == ["lofi"]


def test_lualine_takes_icons_and_colors_by_state(playing):
    component(playing, "{ icons = { paused = 'zz' }, colors = { error = { fg = '#aa0000' } } }")
    assert draw(playing) == {"text": "zz rainy 100%% night 1:02"}
    begin_job(playing)
    tell(playing, "generation_error", job_id="j", code="X", message="It broke.")
    assert draw(playing)["color"] == {"fg": "#aa0000"}


def test_lualine_takes_the_colors_of_the_highlight_groups(playing):
    component(playing, "{ colored = true }")
    playing.command("highlight LofiPaused guifg=#123456")
    assert draw(playing)["color"] == {"fg": "#123456"}


def test_a_click_in_lualine_pauses_and_a_right_click_opens_the_player(playing):
    playing.lua("""
      local lofi = require('lofi')
      _G.done = {}
      lofi.toggle = function() table.insert(_G.done, 'toggle') end
      lofi.player = function() table.insert(_G.done, 'player') end
    """)
    component(playing)
    playing.lua("_G.component.click(1, 'l', '') _G.component.click(1, 'r', '')")
    assert playing.lua("return _G.done") == ["toggle", "player"]


def test_a_click_of_the_users_own_is_kept(playing):
    component(playing, "{ on_click = function() _G.mine = true end }")
    playing.lua("_G.component.click(1, 'l', '')")
    assert playing.lua("return _G.mine") is True
