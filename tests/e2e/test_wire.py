"""What comes over the pipe, as badly as it can come."""

import json

import pytest
from support.editor import assert_calm, heard

PROGRESS = ["generation_progress", {"job_id": "j", "percent": 7, "prompt": "é♪😀"}]


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_lines_split_across_reads_are_joined(open_editor, fake, chunk):
    daemon = fake(
        chunk=chunk,
        volume_get=[{"reply": {"level": 0.25}}],
        pause=[{"notify": PROGRESS, "times": 3}, {"reply": {"state": "paused", "volume": 1, "note": "é♪😀"}}],
    )
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').pause(function(_, result) _G.note = result.note end)")
    assert editor.wait("_G.note") == "é♪😀"
    assert [data["prompt"] for data in heard(editor, "LofiProgress")] == ["é♪😀"] * 3


def test_garbage_between_messages_is_logged_and_harms_nothing(open_editor, fake):
    daemon = fake(
        pause=[
            {"raw": "Loading weights: 100%\n"},
            {"raw": "\n\n{\"jsonrpc\": \n"},
            {"raw": "[1, 2]\n\"text\"\n42\nnull\n"},
            {"raw": '{"jsonrpc": "2.0", "id": 999, "result": 1}\n'},
            {"raw": '{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "x"}}\n'},
            {"raw": '{"jsonrpc": "2.0", "method": "generation_progress"}\n'},
            {"raw": '{"jsonrpc": "2.0", "method": "generation_complete", "params": [1]}\n'},
            {"reply": {"state": "paused", "volume": 1}},
        ]
    )  # fmt: skip
    editor = open_editor(daemon.command)
    editor.command("LofiPause")
    editor.wait_for_text("lofi: paused")
    log = editor.lua("return table.concat(vim.fn.readfile(require('lofi.log').path()), '\\n')")
    assert "stray: Loading weights: 100%" in log
    assert '"id": 999' in log
    assert_calm(editor)


def test_a_line_without_an_end_is_given_up(open_editor, fake):
    daemon = fake(pause=[{"raw": "x" * (9 << 20)}, {"raw": "\n"}, {"reply": {"state": "paused", "volume": 1}}])
    editor = open_editor(daemon.command)
    editor.command("LofiPause")
    editor.wait_for_text("lofi: paused")


def test_a_thousand_notifications_arrive_in_order(open_editor, fake):
    daemon = fake(pause=[{"notify": PROGRESS, "times": 1000}, {"reply": {"state": "paused", "volume": 1}}])
    editor = open_editor(daemon.command)
    editor.lua("""
      _G.count = 0
      require('lofi').on('generation_progress', function() _G.count = _G.count + 1 end)
      require('lofi').pause(function() _G.at_reply = _G.count end)
    """)
    assert editor.wait("_G.at_reply") == 1000
    assert_calm(editor)


def test_an_error_of_many_lines_is_shown_as_one(open_editor, fake):
    message = "It went wrong.\nTraceback:\n" + "\n".join(f"  line {i}" for i in range(200))
    daemon = fake(pause=[{"error": {"code": -32603, "message": message, "data": {"code": "INTERNAL_ERROR"}}}])
    editor = open_editor(daemon.command)
    editor.command("LofiPause")
    (line,) = editor.wait(editor.messages)
    assert line.startswith("lofi: It went wrong. Traceback:")
    assert_calm(editor)


def test_an_error_keeps_its_name_field_and_details(open_editor, fake):
    error = {
        "code": -32602,
        "message": "No.",
        "data": {"code": "INVALID_PARAMS", "field": "level", "details": {"expected": [0, 1]}},
    }
    editor = open_editor(fake(volume_set=[{"error": error}]).command)
    editor.lua("require('lofi').volume(7, function(err) _G.err = vim.deepcopy(err) setmetatable(_G.err, nil) end)")
    assert editor.wait("_G.err") == {
        "code": "INVALID_PARAMS", "number": -32602, "message": "No.", "field": "level", "details": {"expected": [0, 1]},
    }  # fmt: skip


def test_a_notice_is_said_once(open_editor, fake):
    notice = {"notify": ["engine_notice", {"level": "warn", "message": "The GPU is gone: the CPU goes on."}]}
    daemon = fake(pause=[notice, notice, {"reply": {"state": "paused", "volume": 1}}])
    editor = open_editor(daemon.command)
    for _ in range(2):
        editor.command("LofiPause")
    editor.lua("require('lofi').volume(nil, function() _G.asked = true end)")
    editor.wait("_G.asked")
    editor.wait(lambda: len(editor.messages()) >= 3)
    assert len([line for line in editor.messages() if "GPU is gone" in line]) == 1


def test_params_without_members_are_an_object_on_the_wire(open_editor, fake):
    daemon = fake(pause=[{"reply": {"state": "paused", "volume": 1}}])
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').pause(function() _G.asked = true end)")
    editor.wait("_G.asked")
    assert daemon.heard("pause") == [{}]


def test_auto_play_and_the_job_id_are_the_plugins(open_editor, fake):
    accepted = {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}
    daemon = fake(generate=[{"reply": accepted}])
    editor = open_editor(daemon.command)
    editor.lua("""
      _G.ids = { require('lofi').generate('rain'), require('lofi').generate({ prompt = 'rain', auto_play = false }) }
      require('lofi').volume(nil, function() _G.asked = true end)
    """)
    editor.wait("_G.asked")
    sent = daemon.heard("generate")
    assert [params["job_id"] for params in sent] == editor.lua("return _G.ids")
    assert [params["auto_play"] for params in sent] == [True, False]
    assert len({params["job_id"] for params in sent}) == 2


def test_progress_before_the_reply_finds_its_job(open_editor, fake):
    daemon = fake(
        generate=[
            {"notify": ["generation_progress", {"job_id": "$job", "percent": 40, "eta_sec": 3.2}]},
            {"sleep": 0.3},
            {"reply": {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}},
        ]
    )
    editor = open_editor(daemon.command)
    editor.command("LofiGenerate rainy night")
    editor.wait_for_text("lofi 40% █████▌░░░░░░░░ rainy night (0:04 left)")
    assert editor.lua("return require('lofi').statusline()") == "lofi 40% 0:04"
    assert editor.lua("return require('lofi').statusline({ escape = true })") == "lofi 40%% 0:04"


def test_a_line_that_would_go_backwards_stays(open_editor, fake):
    def percent(value):
        return {"notify": ["generation_progress", {"job_id": "$job", "percent": value, "eta_sec": None}]}

    accepted = {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}
    daemon = fake(generate=[{"reply": accepted}, percent(50), percent(30), percent(60)])
    editor = open_editor(daemon.command)
    editor.command("LofiGenerate rain")
    editor.wait_for_text("lofi 60%")
    assert not [line for line in editor.seen if "30%" in line]


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_burst_of_progress_does_not_scroll_into_a_prompt(open_editor, fake, lines):
    told = [{"method": "generation_progress", "params": {"job_id": "$job", "percent": n}} for n in range(100)]
    burst = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in told)
    accepted = {"job_id": "$job", "track_id": "ab", "track_ids": ["ab"], "status": "generating", "position": 0}
    editor = open_editor(fake(generate=[{"reply": accepted}, {"raw": burst}]).command)
    editor.command(f"set cmdheight={lines}")
    editor.command("LofiGenerate rain")
    editor.wait("(require('lofi').status().jobs[1] or {}).percent == 99")
    if lines:  # without a line of its own the next redraw of the statusline takes it away
        editor.wait_for_text("lofi 99%")
    assert_calm(editor)
    assert editor.text().count("lofi") <= 1


def test_the_log_is_bounded(open_editor, fake):
    daemon = fake(pause=[{"stderr": "noise " * 40 + "\n"}] * 300 + [{"reply": {"state": "paused", "volume": 1}}])
    editor = open_editor(daemon.command, log={"max_kb": 16})
    editor.command("LofiPause")
    editor.wait_for_text("lofi: paused")
    sizes = editor.lua("""
      local path = require('lofi.log').path()
      return { vim.fn.getfsize(path), vim.fn.getfsize(path .. '.1'), vim.fn.getfperm(path) }
    """)
    assert 0 < sizes[0] <= 16 * 1024
    assert 0 < sizes[1] <= 16 * 1024
    assert sizes[2] == "rw-------"


def test_without_a_log_everything_else_works(open_editor, fake, tmp_path):
    (tmp_path / "file").write_text("")
    daemon = fake(
        pause=[{"stderr": "noise\n"}, {"reply": {"state": "paused", "volume": 1}}],
        status=[{"error": {"code": -32601, "message": "No."}}],
    )
    editor = open_editor(daemon.command, environment={"XDG_STATE_HOME": str(tmp_path / "file")})
    editor.command("LofiPause")
    editor.wait_for_text("lofi: paused")
    editor.command("checkhealth lofi")
    editor.wait_for_text("cannot be written")


def test_the_log_opens_at_its_end(open_editor, fake):
    editor = open_editor(fake(pause=[{"stderr": "the last words\n"}, {"reply": {"state": "paused"}}]).command)
    editor.command("LofiLog")
    editor.wait_for_text("nothing has been logged yet")
    editor.command("LofiPause")
    editor.wait_for_text("lofi: paused")
    editor.command("LofiLog")
    editor.wait_for_text("the last words")
    assert editor.lua("return vim.bo.modifiable") is False


def test_a_notifier_of_the_users_gets_whole_sentences(open_editor, fake):
    editor = open_editor(fake(pause=[{"error": {"code": 1, "message": "long " * 60}}]).command, columns=40)
    editor.lua("_G.got = {} vim.notify = function(...) table.insert(_G.got, { ... }) end")
    editor.command("LofiPause")
    ((text, level, opts),) = editor.wait("#_G.got > 0 and _G.got")
    assert text == "lofi: " + ("long " * 60).strip()
    assert level == 4
    assert opts == {"title": "lofi.nvim"}
