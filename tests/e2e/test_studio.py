"""The studio: a pipeline that is written, checked, run and resumed in a buffer."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.editor import E2E, assert_calm
from support.neovim import Neovim
from support.wire_answers import SCRIPT, track

from lofi_daemon.stages.fields import describe

STAGES = [sys.executable, str(E2E / "stages_stdio.py")]
TRACK, LATENT, CHECKPOINT = f"{1:064x}", "0f" * 16, "1e" * 16
FIELDS = json.loads(msgspec.json.encode(describe()))
PARAMS = {"stage_type": "generate", "backend": "ace_step_15", "prompt": "rain", "duration_sec": 30, "seed": 7}
REPLY = {
    "job_id": "$job", "pipeline_id": "$job", "status": "generating", "position": 0, "from_stage": 0, "track_id": TRACK,
    "track_ids": [TRACK],
    "stages": [{"stage_index": index, "track_ids": [TRACK], "params": PARAMS} for index in range(2)],
}  # fmt: skip
DONE = {
    "job_id": "$job", "pipeline_id": "$job", "stage_index": 0, "stages": 2, "tracks": [track(1)],
    "latent_ids": [LATENT], "checkpoint_ids": [CHECKPOINT], "params": PARAMS | {"checkpoint_step": 5},
    "seconds": 3.14, "preview": True,
}  # fmt: skip
PROGRESS = {
    "job_id": "$job", "track_id": TRACK, "percent": 70, "current_step": 4, "total_steps": 8, "eta_sec": 12,
    "stage_index": 1, "stages": 2,
}  # fmt: skip
RUN = [{"reply": REPLY}, {"notify": ["stage_complete", DONE]}, {"notify": ["generation_progress", PROGRESS]}]
PROBLEM = {
    "field": "stages[1].scheduler", "stage_index": 1, "code": "INVALID_SCHEDULER", "message": "No such scheduler.",
    "line": 9, "column": 13,
}  # fmt: skip

NIGHT = """\
[shared]
prompt = "rain"
backend = "ace_step_15"

[[stages]]
preview = true

[[stages]]
scheduler = "quick"
src_stage = 0"""


@pytest.fixture
def studio(open_editor, fake):
    """``studio(text, script…)``: an editor with the studio open, and its daemon, a fake one."""

    def open_(text: str = NIGHT, **script: Any):
        daemon = fake(**(SCRIPT | {
            "stage_fields": [{"reply": {"fields": FIELDS}}],
            "latent_list": [{"reply": {"latents": [], "total": 0}}],
            "pipeline_check": [{"reply": {"problems": [], "stages": []}}],
            "pipeline_run": RUN,
        } | script))  # fmt: skip
        editor = open_editor(daemon.command, progress="none", auto_play=False)
        editor.command("LofiStudio")
        write(editor, text)
        editor.wait("#require('lofi.studio.names').fields > 0")
        return editor, daemon

    return open_


def write(editor: Neovim, text: str) -> None:
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...) vim.bo.modified = true", text.split("\n"))


def text_of(editor: Neovim) -> str:
    return "\n".join(editor.request("nvim_buf_get_lines", 0, 0, -1, False))


def marks(editor: Neovim) -> list[str]:
    """What stands behind the headers of the stages, in their order."""
    return list(
        editor.lua("""
      local namespace = vim.api.nvim_get_namespaces()['lofi.studio.marks']
      local texts = {}
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
        local line = vim.api.nvim_buf_get_lines(0, mark[2], mark[2] + 1, false)[1] or ''
        if line:find('^%[%[stages') then
          table.insert(texts, vim.iter(mark[4].virt_text):map(function(chunk) return chunk[1] end):join(''))
        end
      end
      return texts
    """)
    )


def wait_for_marks(editor: Neovim, *wanted: str) -> None:
    def there() -> bool:
        found = marks(editor)
        return len(found) == len(wanted) and all(text in mark for text, mark in zip(wanted, found, strict=True))

    editor.wait(there, 60)  # a worker may have to start first


def test_a_fresh_studio_has_one_stage_and_is_found_again(studio):
    editor, _ = studio()
    assert editor.lua("return { vim.api.nvim_buf_get_name(0), vim.bo.buftype, vim.bo.filetype }") == [
        "lofi://studio", "acwrite", "lofi-studio",
    ]  # fmt: skip
    editor.command("close")
    editor.command("LofiStudio")
    assert text_of(editor) == NIGHT
    editor.command("bwipeout!")
    editor.command("LofiStudio")
    assert text_of(editor).count("[[stages]]") == 1
    assert_calm(editor)


def test_writing_runs_it_and_marks_say_how_far_each_stage_is(studio):
    editor, daemon = studio()
    editor.command("write")
    done = "stage 0  done in 3.1 s  1:30 000000000000  ◆ 0f0f0f0f0f0f  ◆ 1e1e1e1e1e1e after step 5"
    wait_for_marks(editor, done, "stage 1  50 %, 0:12 left")
    (asked,) = daemon.heard("pipeline_run")
    assert (asked["toml"], asked["auto_play"]) == (NIGHT, False)
    assert not editor.lua("return vim.bo.modified")
    editor.type("5G<CR>")
    editor.wait(lambda: daemon.heard("play") == [{"track_id": TRACK}])
    editor.type("G\\x")
    editor.wait(lambda: daemon.heard("cancel"))
    assert_calm(editor)


def test_marks_follow_their_stages_through_edits_moves_and_undo(studio):
    editor, _ = studio(NIGHT.replace("src_stage = 0", 'prompt = "snow"'))
    editor.command("write")
    wait_for_marks(editor, "done", "50 %")
    editor.type("5G\\j")
    wait_for_marks(editor, "stage 0  50 %", "stage 1  done")
    assert text_of(editor).index("snow") < text_of(editor).index("preview")
    editor.type("u")
    wait_for_marks(editor, "stage 0  done", "stage 1  50 %")
    editor.type("5Gobpm = 80<Esc>")
    wait_for_marks(editor, "edited since", "50 %, 0:12 left")
    assert "edited" not in marks(editor)[1]
    editor.type("ggO# a comment<Esc>:2,6d<CR>")
    wait_for_marks(editor, "50 %")
    assert_calm(editor)


def test_what_is_wrong_is_a_diagnostic_where_it_is_wrong(studio):
    editor, daemon = studio(pipeline_check=[{"reply": {"problems": [PROBLEM], "stages": []}}])
    (found,) = editor.wait("#vim.diagnostic.get(0) > 0 and vim.diagnostic.get(0)")
    assert (found["lnum"], found["col"], found["code"]) == (8, 12, "INVALID_SCHEDULER")
    assert found["message"] == "No such scheduler."
    assert daemon.heard("pipeline_check")[-1] == {"toml": NIGHT}


def test_a_refusal_is_said_and_shown_at_its_line(studio):
    details = {"stage_index": 1, "line": 9, "column": 13}
    error = {
        "code": -32011, "message": "No such scheduler.",
        "data": {"code": "INVALID_SCHEDULER", "field": "stages[1].scheduler", "details": details},
    }  # fmt: skip
    editor, _ = studio(pipeline_run=[{"error": error}], pipeline_check=[])
    editor.command("write")
    editor.wait(lambda: "No such scheduler." in editor.last_line())
    assert editor.lua("return vim.diagnostic.get(0)[1].lnum") == 8
    assert marks(editor) == ["stage 0", "stage 1"], "what was not run is not marked"


def test_a_failed_stage_says_so_and_the_run_goes_on_from_it(studio):
    failed = {"job_id": "$job", "track_id": TRACK, "code": "MODEL_INFERENCE_FAILED", "stage_index": 1, "stages": 2,
              "message": "stages[1]: It made noise."}  # fmt: skip
    editor, daemon = studio(pipeline_run=[*RUN, {"notify": ["generation_error", failed]}])
    editor.command("write")
    wait_for_marks(editor, "done", "failed: It made noise.")
    editor.type("G\\f")
    editor.wait(lambda: len(daemon.heard("pipeline_run")) == 2)
    assert daemon.heard("pipeline_run")[1]["from_stage"] == 1
    wait_for_marks(editor, "done in 3.1 s", "failed")


def test_what_waits_says_how_long_and_is_cancelled(studio):
    queued = REPLY | {"status": "queued", "position": 2}
    cancelled = {"job_id": "$job", "track_id": TRACK, "at_step": 0, "total_steps": 0}
    started = {"job_id": "$job", "track_id": TRACK, "prompt": "rain", "duration_sec": 30, "seed": 7,
               "backend": "ace_step_15", "device": "cpu"}  # fmt: skip
    editor, daemon = studio(
        pipeline_run=[{"reply": queued}],
        queue_move=[{"reply": {}}, {"notify": ["generation_started", started]}],
        cancel=[
            {"reply": {"cancelled": True, "was_generating": False}},
            {"notify": ["generation_cancelled", cancelled]},
        ],
    )
    editor.command("write")
    wait_for_marks(editor, "stage 0  waiting, 2 ahead", "stage 1  waiting, 2 ahead")
    editor.lua("require('lofi').request('queue_move', ...)", {"job_id": daemon.heard("pipeline_run")[0]["job_id"]})
    wait_for_marks(editor, "stage 0  begins", "stage 1  waiting")
    assert marks(editor)[1] == "stage 1  waiting", "nothing is ahead of it any more"
    editor.type("\\x")
    wait_for_marks(editor, "cancelled", "cancelled")
    editor.type("\\x")
    editor.wait(lambda: "it does not run." in editor.last_line())


def test_what_is_in_the_library_already_is_said_to_be(studio):
    complete = {"job_id": "$job", "cached": True, "tracks": [track(1)], "track_id": TRACK, "prompt": "rain"}
    editor, _ = studio(
        pipeline_run=[{"reply": REPLY | {"status": "cached"}}, {"notify": ["generation_complete", complete]}]
    )
    editor.command("write")
    wait_for_marks(editor, "stage 0  done, from the library", "stage 1  done, from the library  1:30 000000000000")


def test_a_missing_daemon_is_said_once(open_editor):
    editor = open_editor(["/nowhere/lofi-daemon"])
    editor.command("LofiStudio")
    editor.wait(lambda: "daemon.cmd names /nowhere/lofi-daemon" in editor.last_line())
    editor.type("yyp<Esc>\\x")
    editor.wait(lambda: "it does not run." in editor.last_line())
    assert len(editor.messages()) == 2
    assert_calm(editor)


def test_the_end_of_the_daemon_ends_the_run(studio):
    editor, _ = studio(pipeline_run=[*RUN, {"exit": 3}])
    editor.command("write")
    wait_for_marks(editor, "done", "failed: lofi-daemon stopped")


def test_a_stage_is_resumed_from_its_latent_or_its_checkpoint_and_cleared(studio):
    editor, _ = studio()
    editor.lua("_G.answer = '0.3' vim.ui.input = function(opts, done) done(_G.answer) end")
    editor.command("write")
    wait_for_marks(editor, "done", "50 %")
    editor.type("5G\\r")
    wait_for_marks(editor, "edited since", "50 %")
    assert f'[[stages]]\nt_start = 0.3\ninit_latent_id = "{LATENT}"\npreview' in text_of(editor)
    editor.type("\\c")
    editor.wait(lambda: f'[[stages]]\ninit_latent_id = "{CHECKPOINT}"\npreview' in text_of(editor))
    editor.type("\\d")
    editor.wait(lambda: text_of(editor) == NIGHT)
    editor.lua("_G.answer = 'much'")
    editor.type("\\r")
    editor.wait(lambda: "denoise is a number from 0 to 1, not much." in editor.last_line())
    editor.type("\\d")
    editor.wait(lambda: "names no latent" in editor.last_line())
    assert text_of(editor) == NIGHT


def test_a_stage_cannot_be_moved_before_what_it_works_from_and_numbers_go_along(studio):
    editor, _ = studio(f"{NIGHT}\n\n[[stages]]\nsrc_stage = 1")
    editor.type("5G\\j")
    editor.wait(lambda: "stage 1 works from stage 0, which has to come before it." in editor.last_line())
    editor.type("5G\\a")
    editor.wait(lambda: '[[stages]]\nstage_type = "refine"\nsrc_stage = 0\n\n[[stages]]\nscheduler' in text_of(editor))
    assert text_of(editor).endswith("[[stages]]\nsrc_stage = 2")
    editor.type("]]\\k")
    editor.wait(lambda: text_of(editor).endswith("[[stages]]\nsrc_stage = 1"))
    assert text_of(editor).index("quick") < text_of(editor).index("refine")
    assert editor.lua("return vim.fn.line('.')") == 8
    editor.type("[[")
    editor.wait("vim.fn.line('.') == 5")
    assert_calm(editor)


def test_a_stage_is_sent_out_with_what_is_shared_and_the_pipeline_stays(studio):
    editor, _ = studio()
    editor.command("write")
    wait_for_marks(editor, "done", "50 %")
    editor.type("G\\o")
    editor.wait("vim.api.nvim_buf_get_name(0) == 'lofi://studio/2'")
    stage = f'[[stages]]\nscheduler = "quick"\nsrc_latent_id = "{LATENT}"'
    assert text_of(editor) == f'[shared]\nprompt = "rain"\nbackend = "ace_step_15"\n\n{stage}'
    editor.type("<C-^>")
    editor.wait("vim.api.nvim_buf_get_name(0) == 'lofi://studio'")
    assert text_of(editor) == NIGHT


def test_omni_completion_offers_fields_and_ids_with_titles(studio):
    editor, _ = studio()
    editor.type("Gore<C-x><C-o>")
    editor.wait_for_text("reference_audio_id")
    editor.type("<C-n><C-y><Esc>")
    editor.type("ccreference_audio_id = <C-x><C-o>")
    editor.wait_for_text("rain 1, 1:30")
    editor.type("<C-y><Esc>")
    editor.wait(lambda: text_of(editor).endswith('reference_audio_id = "000000000000"'))
    editor.wait_for_text('reference_audio_id = "000000000000" rain 1, 1:30')


def test_a_file_is_written_and_run_by_write_and_a_studio_without_one_can_be_saved(studio, tmp_path: Path):
    editor, daemon = studio()
    path = tmp_path / "night.lofi.toml"
    editor.command(f"write {path}")
    assert path.read_text() == NIGHT + "\n"
    editor.type(":write /nowhere/night.lofi.toml<CR>")
    editor.wait(lambda: "Can't open file for writing" in editor.last_line())
    editor.command(f"saveas {tmp_path}/saved.lofi.toml")
    assert (tmp_path / "saved.lofi.toml").read_text() == NIGHT + "\n"
    assert not daemon.heard("pipeline_run")
    editor.command("write")
    editor.wait(lambda: daemon.heard("pipeline_run"))
    editor.command("LofiStudio night.toml")
    editor.wait(lambda: "ends in .lofi.toml, not night.toml." in editor.last_line())
    editor.command(f"LofiStudio {path}")
    assert text_of(editor) == NIGHT
    editor.type("Gobpm = 80<Esc>")
    editor.command("write")
    assert path.read_text().endswith("bpm = 80\n")
    wait_for_marks(editor, "done", "50 %")
    assert editor.lua("return { vim.bo.buftype, vim.bo.filetype }") == ["", "lofi-studio"]
    assert_calm(editor)


def test_tracks_of_the_library_become_sources_and_references_of_the_stage(studio):
    with_latent = track(1, latent_id=LATENT, latent_index=2)
    editor, _ = studio(cache_get=[{"reply": with_latent}])
    editor.type("G")
    editor.command("LofiLibrary")
    editor.wait_for_text("rain 1")
    editor.type("gs")
    editor.wait("vim.bo.filetype == 'lofi-studio'")
    assert text_of(editor).endswith(
        f'[[stages]]\nresume_sample_index = 2\nsrc_latent_id = "{LATENT}"\nscheduler = "quick"'
    )
    editor.command("LofiLibrary")
    editor.type("gr")
    editor.wait(lambda: f'[[stages]]\nreference_audio_id = "{TRACK}"\n' in text_of(editor))
    assert_calm(editor)


# with the real front, worker and executor, and a puppet for the model

EVERY_FIELD = """\
[[stages]]
stage_type = "generate"
backend = "ace_step_15"
model = "base"
prompt = "rainy night"
duration_sec = 12.5
seed = "18446744073709551615"
batch_size = 2
lyrics = \"\"\"
[verse]
"Rain" \\\\ all night
\"\"\"
vocal_language = "en"
instrumental = false
bpm = 80
keyscale = "D minor"
timesignature = "6/8"
inference_steps = 20
guidance_scale = 3.5
scheduler = "heun"
shift = 2.5
guidance = "cfg"
cfg_interval = [0.1, 0.9]
checkpoint_step = 1
preview = true

[[stages]]
stage_type = "cover"
backend = "ace_step_15"
model = "base"
prompt = "bossa nova"
seed = 7
src_stage = 0
resume_sample_index = 1
cover_strength = 0.5
cover_noise_strength = 0.25
"""


@pytest.fixture
def real(open_editor, tmp_path):
    """An editor with the studio open, and a daemon whose ACE-Step is a puppet."""
    places = {name: str(tmp_path / name) for name in ("LOFI_PUPPET_LOG", "LOFI_PUPPET_DEATHS")}
    editor = open_editor(STAGES, environment=places, auto_play=False, progress="none", player={"output": "none"})
    editor.command("LofiStudio")
    return editor


def test_no_field_is_lost_from_simple_to_custom_to_pipeline_and_back(real):
    write(real, EVERY_FIELD)
    real.command("write")
    wait_for_marks(real, "done", "done")
    for prompt, key in (("bossa", "S"), ("rainy", "gp")):
        real.command("LofiLibrary")
        real.wait(f"vim.fn.search('{prompt}', 'w') > 0")
        real.type(key)
        real.wait("vim.bo.filetype == 'lofi-studio' and vim.api.nvim_get_current_line() == '[[stages]]'")
    cover, generate = tomllib.loads(text_of(real))["stages"]
    asked_generate, asked_cover = tomllib.loads(EVERY_FIELD)["stages"]
    assert cover.pop("src_latent_id") == generate["init_latent_id"], "what the stage left is named in its place"
    del asked_cover["src_stage"], asked_generate["batch_size"], asked_generate["seed"]  # a track is one of its batch
    assert asked_cover.items() <= cover.items()
    assert {"stage_type": "generate", "t_start": 1, **asked_generate}.items() <= {
        "stage_type": "generate",
        **generate,
    }.items()
    real.command("only | normal! G")
    real.wait_for_text("the latent is not used: lower it to resume")
    real.type("\\o")
    real.wait("vim.api.nvim_buf_get_name(0) == 'lofi://studio/3'")
    assert tomllib.loads(text_of(real))["stages"] == [generate]


def test_a_pipeline_runs_fails_goes_on_and_its_family_is_shown(real):
    stages = """\
[shared]
backend = "ace_step_15"
duration_sec = 5
seed = 7

[[stages]]
prompt = "rain"
preview = true

[[stages]]
stage_type = "refine"
prompt = "fail"
src_stage = 0"""
    write(real, stages)
    real.command("write")
    wait_for_marks(real, "◆", "failed: The puppet was told to fail.")
    write(real, stages.replace("fail", "snow"))
    real.type("G\\f")
    wait_for_marks(real, "done", "done")
    real.type("G\\l")
    real.wait_for_text("refine: snow")
    real.wait_for_text("◆ rain")
    real.type("ggS")
    real.wait(lambda: 'prompt = "rain"' in text_of(real) and "t_start = 1" in text_of(real))
    assert_calm(real)
