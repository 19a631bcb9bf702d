"""ACE-Step 1.5 as a user lives with it: a real Neovim, the real daemon and worker, a tiny model."""

from __future__ import annotations

import sys

import pytest
from e2e.conftest import open_editor  # noqa: F401  the fixture
from support.editor import assert_calm, heard

LONG = 120.0
"""Seconds: torch is imported, on a machine that has other things to do."""
pytestmark = pytest.mark.timeout(300)

DAEMON = [sys.executable, "-m", "lofi_daemon"]
LYRICS = ["[verse]", "Rain on the window", "", "[chorus]", "Lofi rain"]


def done(editor, count):
    """The end of the job of that number."""
    return editor.wait(lambda: len(found := heard(editor, "LofiDone")) == count and found, LONG)[-1]


def details(editor):
    return "\n".join(editor.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('lofi://track'), 0, -1, false)"))


def test_a_song_is_made_from_a_buffer_and_taken_up_again_from_the_library(open_editor, tiny, monkeypatch):  # noqa: F811
    monkeypatch.setenv("LOFI_ACE_STEP_MODEL_PATH", str(tiny))
    editor = open_editor(DAEMON, columns=110, auto_play=False, player={"output": "none"}, worker_nice=0)
    editor.command("LofiBackends")
    editor.wait("vim.fn.search('ACE-Step 1.5', 'w') > 0 and vim.api.nvim_get_current_line():find('ready')")
    editor.type("q")

    editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...) vim.bo.modified = false", LYRICS)
    editor.command("%LofiGenerate lofi rain backend=ace_step_15 model=turbo duration=5 seed=3 checkpoint_step=2")
    (track,) = done(editor, 1)["tracks"]
    assert track["params"]["lyrics"] == "\n".join(LYRICS)
    assert (track["latent_index"], track["checkpoint_step"]) == (0, 2)
    told = [one["percent"] for one in heard(editor, "LofiProgress")]
    assert told == sorted(told) and len(told) > 1
    completed = editor.lua("return vim.fn.getcompletion('LofiGenerate x latent=', 'cmdline')")
    assert sorted(completed) == sorted(f"latent={track[name][:12]}" for name in ("latent_id", "latent_checkpoint_id"))

    editor.command("LofiLibrary")
    editor.wait_for_text("◆")
    editor.type("i")
    editor.wait(lambda: track["latent_id"] in details(editor))
    for fact in (f"{track['latent_checkpoint_id']}, after step 2", "Rain on the window"):
        assert fact in details(editor)
    editor.type("t")
    editor.wait("vim.fn.getcmdline():find('t_start=0.5', 1, true)")
    line = editor.lua("return vim.fn.getcmdline()")
    assert f"latent={track['latent_id'][:13]}" in line and "seed=" not in line and "duration=" not in line
    editor.type(" seed=5<CR>")
    (again,) = done(editor, 2)["tracks"]
    assert (again["params"]["init_latent_id"], again["params"]["t_start"]) == (track["latent_id"], 0.5)
    assert (again["duration_sec"], again["params"]["lyrics"]) == (5, "\n".join(LYRICS))

    editor.command(f"LofiGenerate lofi rain backend=ace_step_15 model=base latent={track['latent_id']} t_start=0.5")
    editor.wait_for_text("generated with turbo, current model is base")
    assert_calm(editor)
    run_and_resume_in_the_studio(editor)


SKETCH = """\
[shared]
backend = "ace_step_15"
model = "turbo"
prompt = "lofi rain"
seed = 8

[[stages]]
duration_sec = 5
preview = true

[[stages]]
stage_type = "refine"
src_stage = 0
t_start = 0.5"""


def run_and_resume_in_the_studio(editor):
    """In the same editor, as its worker holds the model."""
    editor.command("only | LofiStudio")
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...)", SKETCH.split("\n"))
    editor.lua("vim.ui.input = function(_, done) done('0.3') end")
    editor.command("write")
    done(editor, 3)
    results = editor.lua("return require('lofi.studio').last().run")
    sketch, refined = (one["latent_id"] for one in results)
    for one, latent in zip(results, (sketch, refined), strict=True):
        editor.wait_for_text(f"{one['tracks'][0]['id'][:12]}  ◆ {latent[:12]}")
    assert [one["state"] for one in results] == ["done", "done"]
    assert results[1]["params"]["src_latent_id"] == sketch
    editor.type("G\\r")
    editor.wait(
        lambda: f'init_latent_id = "{refined}"' in studio_text(editor) and "t_start = 0.3" in studio_text(editor)
    )
    editor.command("write")
    (resumed,) = done(editor, 4)["tracks"]
    assert (resumed["params"]["init_latent_id"], resumed["params"]["t_start"]) == (refined, 0.3)
    assert refined in resumed["parent_ids"]
    assert_calm(editor)


def studio_text(editor):
    return "\n".join(editor.request("nvim_buf_get_lines", 0, 0, -1, False))
