"""Music in the editor: the real player on a sound card made of a pipe."""

import re

import pytest
from support.editor import PUPPET, assert_calm, heard, wait_for_event

MADE = "require('lofi').status().playback.state"


@pytest.fixture
def musical(open_editor, card):
    """An editor that can be heard. Tracks whose prompt begins with "long" last a minute."""
    return open_editor(PUPPET, environment=card.env, player={"output": "sounddevice"})


def make(editor, prompt="long night, rain", count=1):
    editor.command(f"LofiGenerate {prompt}")
    return wait_for_event(editor, "LofiDone", count)[-1]["track_id"]


def states(editor):
    return [(data.get("track_id", "")[:6], data.get("reason")) for data in heard(editor, "LofiPlayback")]


def test_a_finished_track_plays_by_itself(musical):
    track = make(musical)
    musical.wait(f"{MADE} == 'playing'")
    assert heard(musical, "LofiPlayback")[0]["track_id"] == track
    assert musical.lua("return require('lofi').statusline()").startswith("♪ long night 0:")


def test_pause_toggle_resume_stop(musical):
    make(musical)
    musical.wait(f"{MADE} == 'playing'")
    for command, state, said in [
        ("LofiPause", "paused", "lofi: paused"),
        ("LofiToggle", "playing", "lofi: playing"),
        ("Lofi toggle", "paused", "lofi: paused"),
        ("LofiResume", "playing", "lofi: playing"),
        ("LofiPause", "paused", "lofi: paused"),
        ("LofiPlay", "playing", "lofi: playing"),
        ("LofiStop", "stopped", "lofi: stopped"),
    ]:
        musical.command(command)
        musical.wait(f"{MADE} == '{state}'")
        musical.wait_for_text(said)
    assert heard(musical, "LofiPlayback")[-1]["reason"] == "stopped"
    assert musical.lua("return require('lofi').statusline()") == ""
    assert_calm(musical)


def test_the_statusline_shows_a_pause_and_stands_still(musical):
    make(musical)
    musical.wait(f"{MADE} == 'playing'")
    musical.command("LofiPause")
    musical.wait(f"{MADE} == 'paused'")
    shown = musical.lua("return require('lofi').statusline()")
    assert shown.startswith("⏸ long night 0:")
    musical.lua("_G.later = false vim.defer_fn(function() _G.later = true end, 1100)")
    musical.wait("_G.later")
    assert musical.lua("return require('lofi').statusline()") == shown


def test_the_clock_in_the_statusline_moves_by_itself(musical):
    musical.command("set laststatus=2 statusline=%{v:lua.require'lofi'.statusline()}")
    make(musical)
    musical.wait_for_text("♪ long night 0:")
    for _ in range(2):
        shown = clock(musical)
        musical.wait(lambda shown=shown: clock(musical) > shown)


def clock(editor):
    return re.search(r"♪ long night (\d:\d\d)", editor.text())[1]


def test_the_clock_rests_where_nobody_looks(musical):
    make(musical)
    musical.wait(f"{MADE} == 'playing'")
    musical.lua("require('lofi').statusline()")
    musical.lua("""
      _G.redraws = 0
      local redrawstatus = vim.cmd.redrawstatus
      vim.cmd.redrawstatus = function(...) _G.redraws = _G.redraws + 1 redrawstatus(...) end
    """)
    musical.wait("_G.redraws == 1")
    musical.lua("_G.later = false vim.defer_fn(function() _G.later = true end, 1300)")
    musical.wait("_G.later")
    assert musical.lua("return _G.redraws") == 1


def test_ascii_and_own_icons(open_editor, card):
    editor = open_editor(
        PUPPET,
        environment=card.env,
        player={"output": "sounddevice"},
        ascii=True,
        icons={"playing": "~"},
        statusline={"max_title": 6},
    )
    make(editor)
    editor.wait(f"{MADE} == 'playing'")
    text = editor.lua("return require('lofi').statusline()")
    assert text.startswith("~ long")
    assert text.isascii()


def test_a_track_is_played_by_the_beginning_of_its_id(musical):
    first, second = make(musical, "long one", 1), make(musical, "long two", 2)
    musical.wait("#require('lofi.state').known_tracks() == 2")
    musical.command(f"LofiPlay {first[:8]}")
    musical.wait(f"require('lofi').status().playback.track_id == '{first}'")
    assert second != first
    musical.wait_for_text("lofi: playing long one")


def test_a_track_from_an_earlier_day_gets_its_title(open_editor, card):
    setup = {"environment": card.env, "player": {"output": "sounddevice"}, "auto_play": False}
    track = make(open_editor(PUPPET, **setup))
    later = open_editor(PUPPET, **setup)
    later.command("LofiPlay")
    later.wait("require('lofi').statusline():find('long night')")
    assert later.lua("return require('lofi').status().playback.track_id") == track


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("LofiPlay ffffff", "ffffff"),
        ("LofiPlay xyz", "xyz"),
        ("LofiPlay", ""),
        ("LofiVolume loud", "whole number of percent"),
        ("LofiVolume 101", "whole number of percent"),
        ("LofiVolume 0.5", "whole number of percent"),
        ("Lofi pause now", 'takes no arguments, but got "now"'),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(editor, command, said):
    editor.command(command)
    lines = editor.wait(editor.messages)
    assert len(lines) == 1
    assert said in lines[0]
    assert_calm(editor)


@pytest.mark.parametrize("command", ["LofiPause", "LofiResume", "LofiStop", "LofiToggle"])
def test_steering_when_nothing_plays_is_no_error(editor, command):
    editor.command(command)
    (line,) = editor.wait(editor.messages)
    assert line.startswith("lofi: ")
    assert_calm(editor)


def test_no_sound_device_is_told_and_the_track_is_there(editor):
    track = make(editor)
    editor.command("LofiPlay")
    editor.wait_for_text("Sound is off")
    assert editor.lua("return require('lofi').status().playback.state") == "stopped"
    assert track
    assert_calm(editor)


def test_volume_in_percent(editor):
    for words, percent in [("40", 40), ("+5", 45), ("-45", 0), ("-5", 0), ("100", 100), ("+5", 100), ("30%", 30)]:
        editor.command(f"LofiVolume {words}")
        editor.wait_for_text(f"lofi: volume {percent} %")
        editor.command("echo ''")
    editor.command("LofiVolume")
    editor.wait_for_text("lofi: volume 30 %")
    assert [round(data["level"] * 100) for data in heard(editor, "LofiVolume")][-1] == 30
    assert round(editor.lua("return require('lofi').status().volume") * 100) == 30


def test_the_volume_of_setup_is_mirrored(open_editor):
    editor = open_editor(PUPPET, player={"output": "none", "volume": 0.25})
    editor.lua("require('lofi').backends(function() end)")
    editor.wait("require('lofi').status().volume == 0.25")


def test_plug_maps_do_what_they_say(editor):
    editor.command("nmap + <Plug>(lofi-volume-up)")
    editor.command("LofiVolume 40")
    editor.wait_for_text("volume 40 %")
    editor.type("+")
    editor.wait_for_text("volume 45 %")


def test_the_state_is_shown_in_full(editor):
    track = make(editor)
    editor.command("LofiStatus")
    editor.wait_for_text("Library      tracks: 1")
    assert track
    assert "pid" in editor.text()


def playing(editor):
    return editor.lua("return require('lofi').status().playback.track_id")


def test_a_playlist_is_built_shown_and_walked_through(musical):
    first, second = make(musical, "long one", 1), make(musical, "long two", 2)
    musical.wait(f"require('lofi').status().playback.track_id == '{second}'")
    musical.command(f"LofiPlaylist add {first[:8]}")
    musical.wait_for_text("2 tracks in the playlist")
    musical.command("LofiSkip")
    musical.wait_for_text("lofi: playing long one")
    assert playing(musical) == first
    musical.command("LofiPrevious")
    musical.wait_for_text("lofi: playing long two")
    assert playing(musical) == second
    musical.command("LofiPlaylist")
    musical.wait_for_text("loop off, shuffle off")
    shown = [line.split("│")[1].split() for line in musical.text().splitlines() if "1:00" in line]
    assert shown == [["1", "♪", "long", "two", "1:00"], ["2", "long", "one", "1:00"]]


def test_seek_loop_shuffle_and_crossfade_reach_the_player(musical):
    make(musical)
    musical.wait(f"{MADE} == 'playing'")
    musical.command("LofiPause")
    musical.wait(f"{MADE} == 'paused'")
    for command, said in [
        ("LofiSeek 0:30", "at 0:30 of 1:00"),
        ("LofiSeek +10", "at 0:40 of 1:00"),
        ("LofiSeek -50", "at 0:00 of 1:00"),
        ("LofiSeek 2:00", "at 1:00 of 1:00"),
        ("LofiLoop one", "loop one"),
        ("LofiShuffle on", "shuffle on"),
        ("LofiShuffle", "shuffle on"),
        ("LofiCrossfade 2.5", "crossfade 2.5 s"),
        ("LofiCrossfade", "crossfade 2.5 s"),
    ]:
        musical.command(command)
        musical.wait_for_text(said)
    state = musical.lua("return require('lofi').status().playlist")
    assert (state["loop"], state["shuffle"]) == ("one", True)
    assert_calm(musical)


def test_the_radio_plays_until_it_is_stopped(musical):
    musical.command("LofiRadio long night duration=60 backend=synth")
    musical.wait(f"{MADE} == 'playing'")
    musical.wait(lambda: any("lofi: radio: long night" in line for line in musical.seen))
    assert "∞" in musical.lua("return require('lofi').statusline()")
    musical.wait("require('lofi').status().radio.next_track_id ~= vim.NIL")
    musical.command("LofiSkip")
    musical.wait(lambda: len(heard(musical, "LofiDone")) >= 2)
    musical.command("LofiStop")
    musical.wait("not require('lofi').status().radio")
    musical.wait("require('lofi').statusline() == ''")  # the job it was at is cancelled first
    assert_calm(musical)


def test_moods_complete_and_timers_run(musical):
    make(musical)
    musical.wait(lambda: "preset=coding" in complete_presets(musical))
    musical.command("LofiSleep 30")
    musical.wait_for_text("the music ends in 30:00")
    musical.command("LofiSleep off")
    musical.wait_for_text("the sleep timer is off")
    musical.command("LofiFocus 25 5 4")
    musical.wait_for_text("work for 25:00, round 1 of 4")
    assert "focus 25m" in musical.lua("return require('lofi').statusline()")
    musical.command("LofiFocus off")
    musical.wait_for_text("the focus timer is off")
    musical.wait("not require('lofi').status().focus")


def complete_presets(editor):
    return editor.lua("return vim.fn.getcompletion('LofiRadio preset=', 'cmdline')")


def test_the_card_can_be_chosen_and_one_that_is_not_there_cannot(musical):
    make(musical)
    musical.wait(f"{MADE} == 'playing'")
    musical.command("LofiDevices no such card")
    musical.wait_for_text("no such card")
    musical.command("LofiDevices default")
    musical.wait_for_text("sound goes to the system's default")
    musical.lua("require('lofi').devices(nil, function(_, result) _G.names = #result.devices end)")
    assert musical.wait("_G.names") >= 1
