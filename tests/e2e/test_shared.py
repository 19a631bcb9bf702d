"""Two editors, one daemon: what one does the other sees, and neither ends it for the other by leaving."""

from __future__ import annotations

import os
import signal

import pytest
from support.editor import assert_calm, heard, wait_for_event
from support.shared_daemon import SHARED, shared_runtime

PID = "(require('lofi').status().daemon or {}).pid"
STATE = "require('lofi').status()"


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    with shared_runtime(tmp_path / "cache", monkeypatch) as runtime:
        yield runtime


@pytest.fixture
def open_shared(open_editor, runtime):
    """Editors that share a daemon; nothing is played unless said."""
    return lambda **setup: open_editor([*SHARED], **({"auto_play": False, "player": {"output": "none"}} | setup))


def join(editor):
    """Let it start or find the daemon; its pid."""
    editor.lua("require('lofi').volume()")
    return editor.wait(PID)


def test_both_see_the_same_queue_library_and_volume(open_shared, runtime, go):
    one, two = open_shared(), open_shared()
    assert join(one) == join(two) == runtime.servers()[0]
    one.command("LofiGenerate steps 20 hold")
    wait_for_event(two, "LofiProgress")
    assert two.lua(f"return {STATE}.jobs[1].prompt") == "steps 20 hold"
    go()
    done = wait_for_event(two, "LofiDone")[0]
    assert wait_for_event(one, "LofiDone")[0]["track_id"] == done["track_id"]
    two.lua("require('lofi').request('cache_list', nil, function(_, r) _G.total = r.total end)")
    assert two.wait("_G.total") == 1
    two.command("LofiVolume 35")
    one.wait(f"{STATE}.volume == 0.35")
    assert_calm(one)
    assert_calm(two)


def test_only_who_asked_is_called_back_and_told(open_shared):
    one, two = open_shared(), open_shared()
    join(one), join(two)
    for number, editor in enumerate((one, two)):
        editor.lua("""
          local number = ...
          _G.calls = {}
          for i = 1, 2 do
            local id
            local prompt = 'steps ' .. (10 * number + i)
            id = require('lofi').generate({ prompt = prompt, seed = number }, function(_, result)
              table.insert(_G.calls, { id, result.job_id })
            end)
          end
        """, number)  # fmt: skip
    ids = []
    for editor in (one, two):
        editor.wait("#_G.calls == 2")
        calls = editor.lua("return _G.calls")
        assert all(asked == got for asked, got in calls)
        ids += [asked for asked, _ in calls]
        wait_for_event(editor, "LofiDone", 4)
        assert len(editor.lua("return _G.calls")) == 2
        assert len([line for line in editor.messages() if "done" in line]) == 2
    assert len(set(ids)) == 4


def test_the_same_request_from_both_is_one_job_and_calls_both_back(open_shared, go):
    one, two = open_shared(), open_shared()
    join(one), join(two)
    for editor in (one, two):
        editor.lua("""
          require('lofi').generate({ prompt = 'steps 2 hold', seed = 5 }, function(_, done) _G.job = done.job_id end)
        """)
        job = wait_for_event(one, "LofiStarted")[0]["job_id"]
        editor.wait(f"require('lofi.state').is_own('{job}')")
    go()
    assert one.wait("_G.job") == two.wait("_G.job")
    assert len(heard(one, "LofiDone")) == 1


def test_an_editor_that_joins_sees_what_plays_and_what_is_made(open_shared, card, monkeypatch):
    for name, value in card.env.items():
        monkeypatch.setenv(name, value)
    one = open_shared(auto_play=True, player={"output": "sounddevice"})
    one.command("LofiGenerate long night, rain")
    one.wait(f"{STATE}.playback.state == 'playing'")
    one.lua("require('lofi').generate({ prompt = 'steps 3000', auto_play = false })")
    wait_for_event(one, "LofiProgress", 2)
    two = open_shared(player={"output": "sounddevice"})
    join(two)
    two.wait(f"{STATE}.playback.state == 'playing'")
    two.wait("require('lofi').statusline():find('long night', 1, true)")
    assert two.lua(f"return {STATE}.playback.track_id") == one.lua(f"return {STATE}.playback.track_id")
    assert two.wait(f"{STATE}.jobs[1]")["prompt"] == "steps 3000"
    two.command("LofiPause")
    one.wait(f"{STATE}.playback.state == 'paused'")
    assert heard(two, "LofiNotice") == []


def test_the_music_outlives_the_editor_that_started_it(open_shared, runtime, card, monkeypatch):
    for name, value in card.env.items():
        monkeypatch.setenv(name, value)
    one = open_shared(auto_play=True, player={"output": "sounddevice"})
    one.command("LofiGenerate long night, rain")
    one.wait(f"{STATE}.playback.state == 'playing'")
    server = one.wait(PID)
    one.leave()
    two = open_shared(player={"output": "sounddevice"})
    assert join(two) == server
    two.wait(f"{STATE}.playback.state == 'playing'")
    two.command("LofiStop")
    two.wait(f"{STATE}.playback.state == 'stopped'")


def test_restart_ends_it_for_all_and_each_goes_on_with_the_next_command(open_shared, runtime):
    one, two = open_shared(), open_shared()
    server = join(one)
    join(two)
    two.command("LofiGenerate steps 3000")
    wait_for_event(one, "LofiProgress")
    one.lua("require('lofi').setup(...)", {"daemon": {"cmd": [*SHARED]}, "cache": {"max_mb": 9}})
    one.command("Lofi restart")
    two.wait("not require('lofi.client').running()")
    runtime.wait_until_gone(server)
    assert [data["code"] for data in heard(two, "LofiExit")] == [0]
    assert len(heard(two, "LofiCancelled")) == 1
    assert "asked to stop or restart" in "\n".join(two.messages())
    assert not [line for line in two.messages() if "the daemon stopped" in line]
    assert join(one) == join(two) != server
    two.lua("require('lofi').request('cache_stats', nil, function(_, r) _G.max = r.max_bytes end)")
    assert two.wait("_G.max") == 9_000_000
    assert_calm(two)


def test_settings_of_an_editor_that_joins_are_said_not_to_count(open_shared):
    one = open_shared()
    join(one)
    two = open_shared(cache={"max_mb": 9})
    join(two)
    two.wait_for_text("keeps its settings; cache.max_mb = 9")
    assert heard(one, "LofiNotice") == []


def test_a_killed_server_is_one_line_in_each_editor_and_the_next_command_starts_one(open_shared, runtime):
    one, two = open_shared(), open_shared()
    server = join(one)
    join(two)
    one.command("LofiGenerate steps 3000")
    wait_for_event(two, "LofiProgress")
    os.kill(server, signal.SIGKILL)
    for editor in (one, two):
        editor.wait_for_text("lofi: the daemon stopped (exit code 1)")
        assert heard(editor, "LofiExit")[0]["code"] == 1
    assert join(one) == join(two) != server
    assert_calm(one)
    assert_calm(two)
