"""The family of a track as a tree, and its keys. How it is drawn is in tests/lua/studio.lua."""

from __future__ import annotations

from typing import Any

import pytest
from support.editor import assert_calm
from support.wire_answers import SCRIPT

ID, CHILD, LATENT, GONE = f"{1:064x}", f"{2:064x}", "0f0f0f0f-0000-4000-8000-000000000000", "ee" * 32
NODE = {
    "kind": "track", "stage_type": "generate", "prompt": "rainy night", "backend": "ace_step_15", "seed": 7,
    "created_at": "2026-01-01T00:00:00Z", "duration_sec": 90,
}  # fmt: skip
NODES = [
    NODE | {"id": ID, "parent_ids": [], "latent_id": LATENT},
    NODE | {"id": LATENT, "kind": "latent", "parent_ids": [ID], "stage_type": "refine", "prompt": "slow"},
    NODE | {"id": CHILD, "parent_ids": [LATENT], "stage_type": "cover", "prompt": "bossa nova"},
    {"id": GONE, "kind": "gone", "parent_ids": []},
]
TEXT = {"toml": '[[stages]]\nprompt = "slow"\n', "shared": {}, "stages": [{"prompt": "slow"}]}


@pytest.fixture
def lineage(open_editor, fake):
    """``lineage(command)``: an editor that shows the family, and its daemon."""

    def open_(command: str = f"LofiLineage {CHILD[:12]}", **script: Any):
        script = {"lineage": [{"reply": {"id": CHILD, "nodes": NODES}}], "pipeline_text": [{"reply": TEXT}]} | script
        daemon = fake(**(SCRIPT | script))
        editor = open_editor(daemon.command, progress="none")
        editor.lua("require('lofi').volume(nil, function() _G.up = true end)")
        editor.wait("_G.up and require('lofi').status().playback.track_id")
        editor.command(command)
        return editor, daemon

    return open_


def test_the_family_is_a_tree_and_the_cursor_is_on_the_track(lineage):
    editor, daemon = lineage()
    editor.wait_for_text("└─ cover: bossa nova")
    assert "└─ ◆ refine: slow" in editor.text()
    assert "deleted eeeeeeeeeeee" in editor.text()
    assert daemon.heard("lineage") == [{"track_id": CHILD[:12]}]
    assert editor.lua("return vim.fn.line('.')") == 3
    editor.type("<CR>")
    editor.wait(lambda: daemon.heard("play") == [{"track_id": CHILD}])
    editor.type("q")
    editor.wait("#vim.api.nvim_list_wins() == 1")
    assert_calm(editor)


def test_without_a_name_it_is_about_what_plays_and_a_latent_has_one_too(lineage):
    editor, daemon = lineage("LofiLineage")
    editor.wait(lambda: daemon.heard("lineage") == [{"track_id": ID}])
    editor.command(f"LofiLineage {LATENT}")
    editor.wait(lambda: daemon.heard("lineage")[1:] == [{"latent_id": LATENT}])


def test_what_cannot_be_played_says_why_and_a_latent_goes_to_the_studio(lineage):
    editor, daemon = lineage()
    editor.wait_for_text("bossa nova")
    editor.type("G<CR>")
    editor.wait(lambda: "it was deleted." in editor.last_line())
    editor.type("gg<CR>")
    editor.wait(lambda: daemon.heard("play") == [{"track_id": ID}])
    editor.type("ji")
    editor.wait(lambda: "it is a latent that was not made audible." in editor.last_line())
    editor.type("S")
    editor.wait("vim.bo.filetype == 'lofi-studio'")
    assert daemon.heard("pipeline_text") == [{"latent_id": LATENT}]
    assert editor.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)") == ["[[stages]]", 'prompt = "slow"']
    assert_calm(editor)


def test_details_take_its_place(lineage):
    editor, _ = lineage()
    editor.wait_for_text("bossa nova")
    editor.type("i")
    editor.wait("vim.bo.filetype == 'lofi-track'")
    assert editor.lua("return vim.fn.bufexists('lofi://lineage')") == 0


def test_a_track_that_is_not_there_is_told_in_the_window(lineage):
    error = {"code": -32014, "message": "There is no track “ffffff”.", "data": {"code": "INVALID_TRACK_ID"}}
    editor, _ = lineage("LofiLineage ffffff", lineage=[{"error": error}])
    editor.wait_for_text("There is no track “ffffff”.")
    assert_calm(editor)
