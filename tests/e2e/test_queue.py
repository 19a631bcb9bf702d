"""The queue's window: what runs, what waits, whose it is, and its keys."""

from __future__ import annotations

from typing import Any

import pytest
from support.editor import assert_calm
from support.neovim import Neovim

JOB = {
    "job_id": "radio-1", "track_id": "ab" * 32, "prompt": "rainy\nnight", "duration_sec": 180.0, "backend": "synth",
    "priority": "low", "status": "generating", "position": 0, "percent": 45, "eta_sec": 3.2, "current_step": 9,
    "total_steps": 20, "stage_index": 0, "stages": 1,
}  # fmt: skip


def waiting(number: int, prompt: str, **more: Any) -> dict[str, Any]:
    return JOB | {
        "job_id": f"job-{number}", "prompt": prompt, "priority": "normal", "status": "queued", "position": number,
        "percent": 0, "eta_sec": None, "current_step": 0, "total_steps": 0,
    } | more  # fmt: skip


PIANO, JAZZ, OCEAN = waiting(1, "sad piano"), waiting(2, "late jazz", backend="ace_step_15"), waiting(3, "ocean")
QUEUE = {"current": JOB, "pending": [PIANO, JAZZ, OCEAN]}
EMPTY = {"current": None, "pending": []}


@pytest.fixture
def queue(open_editor, fake):
    """``queue(script…)``: an editor whose window is open and shows ``QUEUE``, and its daemon."""

    def open_(setup: dict[str, Any] | None = None, *, columns: int = 90, **script: Any):
        daemon = fake(**({"queue_status": [{"reply": QUEUE}]} | script))
        editor = open_editor(daemon.command, columns=columns, **(setup or {}))
        editor.command("LofiQueue")
        editor.wait_for_text("sad piano")
        return editor, daemon

    return open_


def tell(editor: Neovim, method: str, params: dict[str, Any]) -> None:
    """As a notification of the daemon arrives."""
    editor.lua(
        "local method, params = ...; require('lofi.mirror').apply(method, params)"
        " require('lofi.events').emit(method, params)",
        method, params,
    )  # fmt: skip


def lines(editor: Neovim) -> list[str]:
    """The window's, without its border and with single blanks."""
    text = editor.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('lofi://queue'), 0, -1, false)")
    return [" ".join(line.split()) for line in text]


def under_cursor(editor: Neovim) -> str:
    return str(editor.lua("return vim.api.nvim_get_current_line()"))


def test_what_runs_and_what_waits_is_shown_in_order(queue):
    editor, _ = queue()
    assert lines(editor) == [
        "rainy night low radio synth 3:00",
        "██████████▎░░░░░░░░░░░░ 45 %, 0:04 left, step 9 of 20",
        "1 sad piano normal elsewhere synth 3:00",
        "2 late jazz normal elsewhere ace_step_15 3:00",
        "3 ocean normal elsewhere synth 3:00",
    ]
    assert_calm(editor)


def test_an_empty_queue_says_what_fills_it(open_editor, fake):
    editor = open_editor(fake(queue_status=[{"reply": EMPTY}]).command)
    editor.lua("require('lofi').queue()")
    editor.wait_for_text("Nothing is being made and nothing waits. :LofiGenerate {prompt} makes")


def test_a_missing_daemon_is_told_in_the_window(open_editor):
    editor = open_editor(["/nowhere/lofi-daemon"])
    editor.command("LofiQueue")
    editor.wait_for_text("daemon.cmd names /nowhere/lofi-daemon")
    assert_calm(editor)


def test_the_bar_never_goes_backwards(queue):
    editor, _ = queue()
    progress = {"job_id": JOB["job_id"], "current_step": 12, "total_steps": 20, "stage_index": 0, "stages": 1}
    tell(editor, "generation_progress", progress | {"percent": 60, "eta_sec": 2})
    editor.wait_for_text("60 %, 0:02 left, step 12 of 20")
    tell(editor, "generation_progress", progress | {"percent": 50, "eta_sec": 2.5})
    editor.wait_for_text("60 %, 0:03 left")
    tell(editor, "queue_changed", {"pending": 3})  # the daemon is asked again, and says 45
    editor.wait_for_text("step 9 of 20")
    assert "60 %" in editor.text()


def test_the_cursor_stays_on_its_job_when_the_order_changes(queue):
    editor, _ = queue()
    editor.type("G")
    editor.wait(lambda: "ocean" in under_cursor(editor))
    moved = [OCEAN | {"position": 1, "priority": "high"}, PIANO | {"position": 2}]
    editor.lua(
        """
          local request, moved = require('lofi').request, ...
          require('lofi').request = function(method, params, callback)
            if method == 'queue_status' then
              callback(nil, moved)
            else
              request(method, params, callback)
            end
          end
        """,
        {"current": JOB, "pending": moved},
    )
    tell(editor, "queue_changed", {"pending": 2})
    editor.wait(lambda: len(lines(editor)) == 4)
    assert "ocean" in under_cursor(editor)
    assert "high" in under_cursor(editor)


@pytest.mark.parametrize("key", ["x", "dd"])
def test_a_job_is_cancelled(queue, key):
    editor, daemon = queue(cancel=[{"reply": {"cancelled": True, "was_generating": False}}])
    editor.type("jj" + key)
    editor.wait(lambda: daemon.heard("cancel"))
    assert daemon.heard("cancel") == [{"job_id": "job-1"}]
    editor.type("gg" + key)
    editor.wait_for_text("stops at its next step")
    editor.wait(lambda: len(daemon.heard("cancel")) == 2)
    assert daemon.heard("cancel")[-1] == {"job_id": "radio-1"}
    assert_calm(editor)


def test_a_job_too_late_to_cancel_is_said_to_be(queue):
    editor, _ = queue(cancel=[{"reply": {"cancelled": False, "was_generating": True}}])
    editor.type("x")
    editor.wait(lambda: "it is finished" in editor.last_line())
    assert "45 %" in editor.text()


def test_keys_move_a_job_and_the_cursor_goes_with_it(queue):
    editor, daemon = queue()
    editor.type("G2K")
    editor.wait(lambda: daemon.heard("queue_move"))
    assert lines(editor)[2].startswith("1 ocean")
    assert "ocean" in under_cursor(editor)
    editor.type("K<lt>J>")  # it is the first already; then two steps back
    editor.wait(lambda: len(daemon.heard("queue_move")) == 3)
    assert daemon.heard("queue_move") == [{"job_id": "job-3", "position": position} for position in (1, 2, 3)]
    assert_calm(editor)


def test_what_runs_cannot_be_moved_and_is_said_so(queue):
    editor, daemon = queue()
    editor.type("J")
    editor.wait(lambda: "it runs already" in editor.last_line())
    editor.type("K")
    assert not daemon.heard("queue_move")


def test_a_move_that_is_refused_shows_the_order_that_is(queue):
    error = {"code": -32022, "message": "No such job waits.", "data": {"code": "JOB_NOT_FOUND"}}
    editor, _ = queue(queue_move=[{"error": error}])
    editor.type("jjJ")
    editor.wait(lambda: "No such job waits." in editor.last_line())
    editor.wait(lambda: lines(editor)[2].startswith("1 sad piano"))


def test_clearing_asks_first(queue):
    editor, daemon = queue(queue_clear=[{"reply": {"cleared": 3}}])
    editor.lua("""
      vim.ui.select = function(items, opts, choose)
        _G.offered = items
        choose(items[_G.answer], _G.answer)
      end
      _G.answer = 2
    """)
    editor.type("C")
    assert editor.wait("_G.offered") == ["Cancel the 3 that wait", "Keep them"]
    assert not daemon.heard("queue_clear")
    editor.lua("_G.answer = 1")
    editor.type("C")
    editor.wait(lambda: daemon.heard("queue_clear"))


def test_details_have_the_whole_prompt_and_the_ids(queue):
    editor, _ = queue()
    editor.type("jji")
    editor.wait_for_text("Asked for  elsewhere")
    editor.wait_for_text("job-1")
    editor.type("q")
    editor.wait("vim.bo.filetype == 'lofi-queue'")
    editor.type("<CR>")
    editor.wait_for_text("Asked for  elsewhere")


def test_its_keys_are_listed_and_close_it(queue):
    editor, _ = queue()
    editor.type("g?")
    editor.wait_for_text("K <      earlier")
    editor.type("q")
    editor.wait("vim.bo.filetype == 'lofi-queue'")
    editor.type("<Esc>")
    editor.wait("#vim.api.nvim_list_wins() == 1")
    editor.command("LofiQueue")
    editor.wait_for_text("sad piano")
    editor.command("LofiQueue")  # goes to the one that is open
    assert editor.lua("return #vim.api.nvim_list_wins()") == 2
    editor.type("q")
    editor.wait("#vim.api.nvim_list_wins() == 1")
    assert editor.messages() == []


def test_on_a_narrow_ascii_screen_the_title_and_the_length_are_kept(queue):
    editor, _ = queue({"ascii": True}, columns=40)
    assert lines(editor)[2] == "1 sad piano normal 3:00"
    assert lines(editor)[1].startswith("[####")
    assert editor.text().isascii()
    assert_calm(editor)


def test_jobs_come_move_and_go_by_themselves(editor):
    """With the real front: what this editor asks for runs, waits, is put in front and is cancelled."""
    editor.lua("""
      _G.ended = {}
      for _, prompt in ipairs({ 'deaf one', 'steps 3 two', 'steps 3 three' }) do
        require('lofi').generate({ prompt = prompt }, function(err, result)
          table.insert(_G.ended, err and err.code or result.prompt)
        end)
      end
    """)
    editor.command("LofiQueue")
    editor.wait_for_text("2 steps 3 three")
    assert "here" in editor.text()
    editor.type("GK")
    editor.wait(lambda: lines(editor)[2].startswith("1 steps 3 three"))
    editor.wait_for_text("2 steps 3 two")
    editor.type("jdd")
    editor.wait(lambda: len(lines(editor)) == 3)
    editor.type("ggdd")  # it is deaf: stopped by force
    editor.wait("#_G.ended == 3")
    assert editor.lua("return _G.ended") == ["GENERATION_CANCELLED", "GENERATION_CANCELLED", "steps 3 three"]
    editor.wait_for_text("Nothing is being made")
    assert_calm(editor)
