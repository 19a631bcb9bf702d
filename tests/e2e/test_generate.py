"""From :LofiGenerate to the track: the real front, with a worker whose jobs last as long as the prompt says."""

import re

import pytest
from support.editor import PUPPET, assert_calm, heard, wait_for_event


def test_a_prompt_becomes_a_track(editor):
    editor.command("LofiGenerate steps 20, mellow rhodes")
    done = wait_for_event(editor, "LofiDone")[0]
    assert done["prompt"] == "steps 20, mellow rhodes"
    assert done["tracks"][0]["id"] == done["track_id"]
    editor.wait_for_text("done “steps 20, mellow rhodes”")
    assert f":LofiPlay {done['track_id'][:12]}" in editor.last_line()
    assert_calm(editor)


def test_progress_is_one_line_that_only_grows(editor):
    editor.command("LofiGenerate steps 60")
    wait_for_event(editor, "LofiDone")
    told = [event["percent"] for event in heard(editor, "LofiProgress")]
    assert told == sorted(told)
    assert len(told) > 5
    lines = [line for line in editor.seen if line.startswith("lofi ") and "%" in line]
    shown = [int(line.split("%")[0].removeprefix("lofi ")) for line in lines]
    assert shown == sorted(shown)
    assert len(shown) > 3
    assert all("steps 60" in line for line in lines)
    assert "█" in lines[-1]
    assert [line for line in editor.messages() if "%" in line] == []
    assert_calm(editor)


def test_the_events_come_in_order(editor):
    editor.command("LofiGenerate steps 5")
    wait_for_event(editor, "LofiDone")
    names = [name for name, _ in editor.lua("return _G.heard") if name != "LofiQueue"]
    assert next(name for name in names if name in ("LofiStarted", "LofiProgress", "LofiDone")) == "LofiStarted"
    assert names[-1] == "LofiDone"
    jobs = {data["job_id"] for name, data in editor.lua("return _G.heard") if name in ("LofiStarted", "LofiDone")}
    assert len(jobs) == 1


def test_options_reach_the_daemon(editor):
    editor.command(
        'LofiGenerate steps 3, duration=1:05 backend=synth seed=7 bpm=72 key="D minor" priority=high instrumental=yes'
    )
    track = wait_for_event(editor, "LofiDone")[0]["tracks"][0]
    params = track["params"]
    assert track["prompt"] == "steps 3"
    assert (params["duration_sec"], params["seed"], params["bpm"]) == (65, 7, 72)
    assert params["keyscale"] == "D minor"
    assert params["instrumental"] is True


@pytest.mark.parametrize("command", ["LofiGenerate", "Lofi generate", "silent LofiGen"])
def test_a_prompt_arrives_as_it_was_typed(editor, command):
    prompt = r"""steps 1 | it's "late" \n <args> <CR> % # ~"""
    editor.lua("vim.cmd(...)", f"{command} {prompt}")
    assert wait_for_event(editor, "LofiDone")[0]["prompt"] == prompt


def test_a_seed_above_what_doubles_hold_arrives_whole(editor):
    editor.command("LofiGenerate steps 1 seed=18446744073709551615")
    assert wait_for_event(editor, "LofiDone")[0]["seed"] == "18446744073709551615"


def test_the_largest_number_seed_arrives_whole(editor):
    editor.command("LofiGenerate steps 1 seed=9007199254740991")
    wait_for_event(editor, "LofiDone")
    track = editor.lua("return string.format('%d', _G.heard[#_G.heard][2].seed)")
    assert track == "9007199254740991"


def test_without_a_prompt_it_is_asked_for(editor):
    editor.lua("vim.schedule(function() vim.cmd('LofiGenerate duration=7') end)")
    editor.wait_for_text("What shall it be?")
    editor.type("steps 2<CR>")
    done = wait_for_event(editor, "LofiDone")[0]
    assert done["prompt"] == "steps 2"
    assert done["tracks"][0]["params"]["duration_sec"] == 7


def test_asking_can_be_declined(editor):
    editor.lua("vim.schedule(function() vim.cmd('LofiGenerate') end)")
    editor.wait_for_text("What shall it be?")
    editor.type("<Esc>")
    editor.wait("vim.api.nvim_get_mode().mode == 'n'")
    assert editor.lua("return require('lofi').status().jobs") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("rain duratin=60", "There is no option “duratin”; perhaps “duration”?"),
        ("rain mood=sad", "There is no option “mood”"),
        ("rain duration=long", 'duration must be a number from 1 up, not "long".'),
        ("rain bpm=900", "bpm must be a whole number from 30 to 300, not 900."),
        ("rain priority=urgent", "priority must be one of high, normal, low"),
        ("rain seed=-4", "seed must be a whole number from 0 up"),
        ("rain seed=1.5", "seed must be a whole number from 0 up"),
        ("rain instrumental=maybe", "instrumental must be true or false"),
        ("rain duration=5 duration=6", "duration is given twice."),
        ("rain backend=mp3", "There is no backend “mp3”"),
        ("rain duration=900", "5 to 600 seconds"),
        ("rain top_k=5", "top_k"),
        ("x" * 600, "600 characters"),
    ],
)
def test_a_slip_is_told_in_one_line(editor, words, expected):
    editor.command(f"LofiGenerate {words}")
    lines = editor.wait(editor.messages)
    assert len(lines) == 1
    assert expected in lines[0]
    assert editor.last_line().startswith("lofi: ")
    assert editor.lua("return require('lofi').status().jobs") == []
    assert_calm(editor)


def test_a_failed_job_is_told_in_one_line(editor):
    editor.command("LofiGenerate fail MODEL_LOAD_FAILED")
    error = wait_for_event(editor, "LofiError")[0]
    assert error["code"] == "MODEL_LOAD_FAILED"
    editor.wait_for_text("lofi: The puppet was told to fail.")
    assert_calm(editor)


def test_the_api_calls_back_once_with_the_track(editor):
    editor.lua("""
      _G.calls = {}
      _G.id = require('lofi').generate('steps 3', function(err, result)
        table.insert(_G.calls, { err and err.message or '', result and result.path or '', vim.in_fast_event() })
      end)
    """)
    wait_for_event(editor, "LofiDone")
    ((error, path, fast),) = editor.lua("return _G.calls")
    assert (error, fast) == ("", False)
    assert path.endswith(".flac")
    assert heard(editor, "LofiDone")[0]["job_id"] == editor.lua("return _G.id")


@pytest.mark.parametrize(
    ("opts", "code"),
    [
        ("{ prompt = '' }", "INVALID_PROMPT"),
        ("{}", "INVALID_PROMPT"),
        ("''", "INVALID_PROMPT"),
        ("nil", "INVALID_PROMPT"),
        ("{ prompt = 5 }", "INVALID_PROMPT"),
        ("{ prompt = 'rain', colour = 'blue' }", "INVALID_PARAMS"),
        ("{ prompt = 'rain', seed = 2 ^ 60 }", "INVALID_PARAMS"),
        ("{ prompt = 'rain', duration_sec = 0/0 }", "INVALID_PARAMS"),
        ("{ prompt = 'rain', backend = 'mp3' }", "INVALID_BACKEND"),
        ("{ prompt = 'rain', duration_sec = 601 }", "INVALID_DURATION"),
        ("{ prompt = 'rain', scheduler = 'heun' }", "INVALID_SCHEDULER"),
        ("{ prompt = 'a\\255b' }", "INVALID_PARAMS"),
        ("{ prompt = ('x'):rep(9 * 1024 * 1024) }", "INVALID_PARAMS"),
        ("{ prompt = 'fail MODEL_NOT_FOUND' }", "MODEL_NOT_FOUND"),
    ],
)
def test_the_api_calls_back_once_with_the_error(editor, opts, code):
    editor.lua(f"""
      _G.calls = {{}}
      require('lofi').generate({opts}, function(err, result)
        table.insert(_G.calls, {{ err.code, err.message, tostring(err), result == nil }})
      end)
      _G.returned = true
    """)
    editor.wait("#_G.calls > 0")
    # whatever else might be said of it would have been said before this answer
    editor.lua("require('lofi').volume(nil, function() _G.later = true end)")
    editor.wait("_G.later")
    ((got, message, text, nothing),) = editor.lua("return _G.calls")
    assert (got, nothing) == (code, True)
    assert message == text
    assert "\n" not in message
    assert editor.lua("return require('lofi').status().jobs") == []


def test_a_callback_that_fails_is_reported_and_harms_nobody(editor):
    editor.lua("require('lofi').generate('steps 1', function() error('my own slip') end)")
    editor.wait(lambda: any("my own slip" in line for line in editor.messages()))
    editor.command("LofiGenerate steps 2")
    wait_for_event(editor, "LofiDone", 2)
    assert_calm(editor)


def test_a_listener_can_be_taken_off(editor):
    editor.lua("""
      _G.first, _G.second = 0, 0
      local off = require('lofi').on('generation_complete', function() _G.first = _G.first + 1 end)
      require('lofi').on('generation_complete', function() off() _G.second = _G.second + 1 end)
    """)
    for steps, count in ((1, 1), (2, 2)):
        editor.command(f"LofiGenerate steps {steps}")
        wait_for_event(editor, "LofiDone", count)
    assert editor.lua("return { _G.first, _G.second }") == [1, 2]


def test_a_running_job_is_cancelled(editor):
    editor.lua("require('lofi').generate('steps 3000', function(err) _G.ended = err.code end)")
    wait_for_event(editor, "LofiProgress")
    editor.command("LofiCancel")
    cancelled = wait_for_event(editor, "LofiCancelled")[0]
    assert cancelled["at_step"] < 3000
    assert editor.lua("return _G.ended") == "GENERATION_CANCELLED"
    editor.wait_for_text("lofi: cancelled.")
    assert editor.lua("return require('lofi').statusline()") == ""


def test_a_waiting_job_is_cancelled_by_its_track_and_the_running_one_goes_on(editor, go):
    editor.command("LofiGenerate steps 2 hold")
    editor.wait(lambda: [data for data in heard(editor, "LofiProgress") if data["percent"] == 50])
    editor.lua("_G.id = require('lofi').generate('steps 2', function(err) _G.ended = err.code end)")
    editor.wait(lambda: "lofi: queued, 1 ahead of it." in editor.seen)
    track = editor.wait("require('lofi').status().jobs[2].track_id")
    editor.command(f"LofiCancel {track[:8]}")
    assert wait_for_event(editor, "LofiCancelled")[0]["track_id"] == track
    assert editor.lua("return _G.ended") == "GENERATION_CANCELLED"
    go()
    assert wait_for_event(editor, "LofiDone")[0]["prompt"] == "steps 2 hold"


def test_cancelling_nothing_is_told_and_starts_no_daemon(editor):
    editor.command("LofiCancel")
    editor.wait_for_text("lofi: Nothing is being generated.")
    assert editor.lua("return require('lofi.client').running()") is False


def test_the_sixth_waiting_job_is_refused(editor):
    editor.command("LofiGenerate deaf")
    for steps in range(1, 7):
        editor.command(f"LofiGenerate steps {steps}")
    editor.wait(lambda: any("waiting" in line or "full" in line for line in editor.messages()[-2:]))
    editor.wait("#require('lofi').status().jobs == 6")
    assert_calm(editor)


def test_two_requests_for_one_track_share_the_job(editor):
    editor.lua("""
      _G.ends = {}
      for i = 1, 2 do
        require('lofi').generate({ prompt = 'steps 40', seed = 3 }, function(_, result)
          table.insert(_G.ends, { i, result.track_id })
        end)
      end
    """)
    editor.wait("#_G.ends == 2")
    (_, first), (_, second) = editor.lua("return _G.ends")
    assert first == second
    assert len(heard(editor, "LofiDone")) == 1
    assert editor.lua("return require('lofi').status().jobs") == []


def test_the_second_time_it_comes_from_the_library(editor):
    for count in (1, 2):
        editor.command("LofiGenerate steps 2 seed=5")
        wait_for_event(editor, "LofiDone", count)
    assert [done["cached"] for done in heard(editor, "LofiDone")] == [False, True]
    editor.wait_for_text("from the library")


def test_progress_can_be_silenced(open_editor):
    editor = open_editor(PUPPET, auto_play=False, progress="none", player={"output": "none"})
    editor.command("LofiGenerate steps 20")
    wait_for_event(editor, "LofiDone")
    assert not [line for line in editor.seen if "%" in line]
    assert [line for line in editor.messages() if "done" in line] == []


def test_a_long_prompt_fits_a_narrow_screen(open_editor):
    editor = open_editor(PUPPET, columns=40, auto_play=False, player={"output": "none"})
    editor.command("LofiGenerate steps 40 and 音楽 very many words that fill line after line after line")
    wait_for_event(editor, "LofiDone")
    lines = [line for line in editor.seen if line.startswith("lofi ")]
    assert lines
    assert_calm(editor)


def test_without_a_message_line_nothing_blocks(open_editor):
    editor = open_editor(PUPPET, auto_play=False, player={"output": "none"})
    editor.command("set cmdheight=0")
    editor.command("LofiGenerate steps 40 and very many words that fill line after line after line after line")
    wait_for_event(editor, "LofiDone")
    editor.command("LofiGenerate rain mood=sad")
    editor.wait(lambda: len(editor.messages()) > 1)
    assert_calm(editor)


def test_a_prompt_of_many_lines_is_shown_on_one(editor):
    editor.lua("require('lofi').generate('steps 20 hold\\nof\\tmany\\n\\nlines')")
    editor.wait_for_text("░ steps 20 hold of many lines")
    editor.command("LofiStatus")
    editor.wait_for_text("Generating   steps 20 hold of many lines")
    assert_calm(editor)


def test_a_problem_is_not_written_over_at_once(editor, go):
    editor.command("LofiGenerate steps 40 hold")
    wait_for_event(editor, "LofiProgress")
    editor.command("LofiGenerate rain mood=sad")
    editor.wait_for_text("There is no option “mood”")
    told = len(heard(editor, "LofiProgress"))
    go()
    wait_for_event(editor, "LofiProgress", told + 3)
    assert "There is no option “mood”" in editor.last_line()
    wait_for_event(editor, "LofiDone")
    editor.wait_for_text("lofi: done")


def test_progress_beside_a_float_leaves_room_for_its_ruler(editor):
    editor.command("LofiGenerate steps 400, a prompt that is long enough to fill the whole of the last line twice")
    editor.command("LofiStatus")
    editor.wait_for_text("Volume")
    editor.wait(lambda: re.search(r"\d left\) +\d+,\d+ +(All|Top)$", editor.last_line()))


def test_who_types_a_command_is_not_written_over(editor, go):
    editor.command("LofiGenerate steps 20 hold")
    wait_for_event(editor, "LofiProgress")
    editor.type(":echo 'mine")
    editor.wait_for_text(":echo 'mine")
    go()
    wait_for_event(editor, "LofiDone")
    assert editor.last_line().startswith(":echo 'mine")
    editor.type("<Esc>")
    editor.wait_for_text("lofi: done")
