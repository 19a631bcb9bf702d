"""Playlist, radio, devices and timers in the editor: what is asked of the daemon, said and shown."""

import pytest
from support.editor import assert_calm, heard

ID, OTHER = "ab" * 32, "cd" * 32

PLAYING = {"state": "playing", "volume": 1, "track_id": ID, "position_sec": 65.0, "duration_sec": 180.0}
PLAYLIST = {
    "tracks": [
        {"track_id": ID, "prompt": "rainy\nnight", "duration_sec": 62.0},
        {"track_id": OTHER, "prompt": "sunny day", "duration_sec": 180.0},
    ],
    "index": 0,
    "loop": "all",
    "shuffle": False,
}
RADIO = {
    "active": True, "strategy": "same_prompt", "prompt": "jazz", "preset": None, "backend": "synth",
    "next_track_id": None, "generating": True, "message": None,
}  # fmt: skip
DEVICES = {
    "devices": [
        {"id": "1", "name": "Speakers", "is_default": True, "output": "sounddevice"},
        {"id": "2", "name": "Headphones", "is_default": False, "output": "sounddevice"},
    ],
    "current": "1",
    "chosen": "",
}
FOCUS = {"active": True, "phase": "work", "ends_in_sec": 1500, "round": 1, "rounds": 4}
STARTED = ["playback_started", {"track_id": ID, "position_sec": 0, "duration_sec": 180.0}]


@pytest.mark.parametrize(
    ("command", "method", "params", "result", "said"),
    [
        ("LofiSkip", "skip", {}, PLAYING, "playing abababababab"),
        ("LofiSkip", "skip", {}, {"state": "stopped", "volume": 1}, "the playlist has no next track."),
        ("LofiPrevious", "previous", {}, PLAYING, "playing abababababab"),
        ("LofiSeek 1:05", "seek", {"position_sec": 65}, PLAYING, "at 1:05 of 3:00"),
        ("LofiSeek 1:00:05", "seek", {"position_sec": 3605}, PLAYING, "at 1:05 of 3:00"),
        ("LofiCrossfade 4", "crossfade_set", {"duration_sec": 4}, PLAYING | {"crossfade_sec": 4}, "crossfade 4 s"),
        ("LofiCrossfade 0", "crossfade_set", {"duration_sec": 0}, PLAYING, "tracks follow each other without a gap"),
        ("LofiPlaylist add abab cdcd", "playlist_add", {"track_ids": ["abab", "cdcd"]}, PLAYLIST, "2 tracks in the"),
        ("LofiPlaylist next cdcd", "playlist_add", {"track_ids": ["cdcd"], "next": True}, PLAYLIST, "next: sunny day"),
        ("LofiPlaylist remove cdcd", "playlist_remove", {"track_id": "cdcd"}, PLAYLIST, "2 tracks left"),
        ("LofiPlaylist clear", "playlist_clear", {}, PLAYLIST | {"tracks": []}, "the playlist is empty"),
        ("LofiLoop all", "playlist_mode", {"loop": "all"}, PLAYLIST, "loop all"),
        ("LofiLoop", "playlist_get", {}, PLAYLIST, "loop all"),
        ("LofiShuffle off", "playlist_mode", {"shuffle": False}, PLAYLIST, "shuffle off"),
        ("LofiRadio", "radio_start", {}, RADIO, "radio: jazz"),
        ("LofiRadio late jazz", "radio_start", {"prompt": "late jazz"}, RADIO, "radio: jazz"),
        (
            "LofiRadio strategy=preset_cycle preset=a,b duration=4:00 backend=synth",
            "radio_start",
            {"strategy": "preset_cycle", "presets": ["a", "b"], "duration_sec": 240, "backend": "synth"},
            RADIO | {"prompt": None, "preset": "a", "message": "the composer bridges the gap"},
            "radio: a; the composer bridges the gap",
        ),
        ("LofiRadio off", "radio_stop", {}, RADIO | {"active": False}, "the radio is off"),
        ("LofiDevices head", "audio_device_set", {"device": "head"}, DEVICES | {"chosen": "2"}, "goes to Headphones"),
        ("LofiDevices default", "audio_device_set", {"device": ""}, DEVICES, "goes to the system's default"),
        ("LofiSleep 30", "sleep_set", {"minutes": 30}, {"ends_in_sec": 1800}, "the music ends in 30:00"),
        ("LofiSleep off", "sleep_set", {"minutes": 0}, {"ends_in_sec": None}, "the sleep timer is off"),
        ("LofiFocus 25 5 4", "focus_start", {"work_min": 25, "break_min": 5, "rounds": 4}, FOCUS, "work for 25:00, r"),
        ("LofiFocus 25 5", "focus_start", {"work_min": 25, "break_min": 5}, FOCUS, "work for 25:00, round 1 of 4"),
        ("LofiFocus off", "focus_stop", {}, {"active": False}, "the focus timer is off"),
    ],
)
def test_a_command_asks_the_daemon_and_says_what_came_of_it(open_editor, fake, command, method, params, result, said):
    daemon = fake(**{method: [{"reply": result}]})
    editor = open_editor(daemon.command)
    editor.command(command)
    editor.wait_for_text(said)
    assert daemon.heard(method)[-1] == params  # a client that has just connected asks some of it for itself
    assert_calm(editor)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("LofiSeek soon", "written 90, 1:30, +10 or -10"),
        ("LofiSeek", "written 90, 1:30, +10 or -10"),
        ("LofiSeek 1:75", "written 90, 1:30, +10 or -10"),
        ("LofiCrossfade long", "number of seconds, 0 to 30, not long"),
        ("LofiLoop twice", "loop is off, one or all, not twice"),
        ("LofiShuffle maybe", "shuffle is on or off, not maybe"),
        ("LofiPlaylist play", "there is no :LofiPlaylist play. There are add, clear, next, remove."),
        ("LofiPlaylist add", ":LofiPlaylist add takes the ids of tracks."),
        ("LofiPlaylist remove ab cd", "takes the id of one track"),
        ("LofiPlaylist clear all", "takes no arguments"),
        ("LofiRadio stratgy=library", "perhaps “strategy”?"),
        ("LofiRadio strategy=mine", "strategy must be one of same_prompt"),
        ("LofiRadio duration=1", "duration must be a number from 5 to 600"),
        ("LofiRadio backend=a backend=b", "backend is given twice"),
        ("LofiSleep soon", "takes minutes or off, not soon"),
        ("LofiFocus 25", "minutes of work, minutes of break"),
        ("Lofi skip now", "takes no arguments"),
    ],
)
def test_a_slip_is_told_before_the_daemon_hears_of_it(open_editor, fake, command, said):
    daemon = fake()
    editor = open_editor(daemon.command)
    editor.command(command)
    (line,) = editor.wait(editor.messages)
    assert said in line
    assert daemon.starts() == 0
    assert_calm(editor)


def test_an_error_of_the_daemon_is_said(open_editor, fake):
    error = {"code": -32017, "message": "There is no sound device “x”.", "data": {"code": "AUDIO_DEVICE_ERROR"}}
    editor = open_editor(fake(audio_device_set=[{"error": error}]).command)
    editor.command("LofiDevices x")
    editor.wait_for_text("There is no sound device “x”.")


def test_two_steps_forward_add_up(open_editor, fake):
    daemon = fake(play=[{"notify": STARTED}, {"reply": PLAYING}], seek=[{"reply": PLAYING}])
    editor = open_editor(daemon.command)
    editor.command("LofiPlay")
    editor.wait("require('lofi').status().playback.state == 'playing'")
    editor.command("LofiPause")  # so that the clock of the mirror counts for nothing
    editor.lua("require('lofi.mirror').apply('playback_paused', { position_sec = 20 })")
    editor.command("LofiSeek +10")
    editor.command("LofiSeek +10")
    editor.command("LofiSeek -50")
    editor.wait_for_text("at 1:05 of 3:00")
    editor.wait(lambda: len(daemon.heard("seek")) == 3)
    assert [params["position_sec"] for params in daemon.heard("seek")] == [30, 40, 0]


def test_a_step_from_a_place_not_known_yet_asks_for_it(open_editor, fake):
    """As in an editor that was just started, when music plays already."""
    daemon = fake(status=[{"reply": {"playback": PLAYING}}], seek=[{"reply": PLAYING}])
    editor = open_editor(daemon.command)
    editor.command("LofiSeek +10")
    editor.wait_for_text("at 1:05 of 3:00")
    assert daemon.heard("seek") == [{"position_sec": 75}]


def test_a_device_is_chosen_from_a_list(open_editor, fake):
    daemon = fake(audio_devices=[{"reply": DEVICES}], audio_device_set=[{"reply": DEVICES | {"chosen": "2"}}])
    editor = open_editor(daemon.command)
    editor.lua("""
      vim.ui.select = function(items, opts, choose)
        _G.offered = vim.tbl_map(opts.format_item, items)
        choose(items[3])
      end
    """)
    editor.command("LofiDevices")
    editor.wait_for_text("sound goes to Headphones")
    assert editor.lua("return _G.offered") == [
        "the system's default  chosen", "Speakers              default", "Headphones",
    ]  # fmt: skip
    assert daemon.heard("audio_device_set") == [{"device": "2"}]


def test_no_device_at_all_is_said(open_editor, fake):
    editor = open_editor(fake(audio_devices=[{"reply": {"devices": [], "chosen": ""}}]).command)
    editor.command("LofiDevices")
    editor.wait_for_text("there is no sound device")


def test_presets_complete_once_a_daemon_runs(open_editor, fake):
    presets = [{"name": "rainy-night", "prompt": "rain"}, {"name": "study", "prompt": "soft piano"}]
    daemon = fake(presets_list=[{"reply": {"presets": presets}}])
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').volume(nil, function() _G.up = true end)")
    editor.wait("_G.up")
    ask = "return vim.fn.getcompletion(..., 'cmdline')"
    assert editor.lua(ask, "LofiRadio pre") == ["preset="]  # asks; nothing waits for the answer
    editor.wait("require('lofi').status().presets")
    assert editor.lua(ask, "LofiRadio preset=") == ["preset=rainy-night", "preset=study"]
    assert editor.lua(ask, "LofiRadio preset=rainy-night,s") == ["preset=rainy-night,study"]
    assert len(daemon.heard("presets_list")) == 1


def test_notifications_are_mirrored_and_become_events(open_editor, fake):
    seeked = {"track_id": ID, "position_sec": 90}
    told = [
        STARTED,
        ["playback_seeked", seeked],
        ["playlist_changed", PLAYLIST],
        ["radio_changed", RADIO],
        ["focus_changed", FOCUS],
        ["sleep_changed", {"ends_in_sec": 60}],
        ["devices_changed", {"devices": DEVICES["devices"], "current": "1"}],
    ]
    daemon = fake(pause=[*({"notify": one} for one in told), {"reply": PLAYING}])
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').pause(function() _G.done = true end)")
    editor.wait("_G.done")
    assert heard(editor, "LofiPlayback")[-1] == seeked
    assert heard(editor, "LofiPlaylist")[0]["loop"] == "all"
    assert heard(editor, "LofiRadio")[0]["prompt"] == "jazz"
    assert heard(editor, "LofiFocus") == [FOCUS]
    assert heard(editor, "LofiSleep") == [{"ends_in_sec": 60}]
    assert heard(editor, "LofiDevices")[0]["current"] == "1"
    state = editor.lua("return require('lofi').status()")
    assert state["playback"]["position_sec"] == 90
    assert state["radio"]["prompt"] == "jazz"
    assert state["focus"]["phase"] == "work"
    assert len(state["playlist"]["tracks"]) == 2
    assert editor.lua("return require('lofi').statusline()") == "♪ rainy night 1:30 ∞ focus 25m"
    editor.command("LofiFocus")
    editor.wait_for_text("work for 24:59, round 1 of 4")
    editor.command("LofiSleep")
    editor.wait_for_text("the music ends in 0:5")


def test_in_a_crossfade_the_end_of_the_old_track_does_not_silence_the_new_one(open_editor, fake):
    ended = ["playback_ended", {"track_id": OTHER, "reason": "finished"}]
    editor = open_editor(fake(pause=[{"notify": STARTED}, {"notify": ended}, {"reply": PLAYING}]).command)
    editor.lua("require('lofi').pause(function() _G.done = true end)")
    editor.wait("_G.done")
    assert editor.lua("return require('lofi').status().playback.track_id") == ID


def test_what_the_radio_makes_is_not_told_like_what_was_asked_for(open_editor, fake):
    job = {"job_id": "radio-1", "track_id": OTHER, "prompt": "jazz", "duration_sec": 60, "percent": 50}
    told = [["generation_started", job], ["generation_progress", job], ["generation_complete", job | {"tracks": []}]]
    daemon = fake(pause=[{"notify": STARTED}, *({"notify": one} for one in told[:2]), {"reply": PLAYING}],
                  resume=[{"notify": told[2]}, {"reply": PLAYING}])  # fmt: skip
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').pause(function() _G.paused = true end)")
    editor.wait("_G.paused")
    assert editor.lua("return require('lofi').statusline()").startswith("♪ abababababab 0:0")
    assert "50%" not in editor.lua("return require('lofi').statusline()")
    editor.lua("require('lofi').resume(function() _G.resumed = true end)")
    editor.wait("_G.resumed")
    assert heard(editor, "LofiDone")[0]["job_id"] == "radio-1"
    assert not any("jazz" in line for line in editor.seen)
    assert editor.messages() == []


def test_the_statusline_of_a_break_and_of_its_last_minute(open_editor, fake):
    told = FOCUS | {"phase": "break", "ends_in_sec": 59.5}
    editor = open_editor(fake(pause=[{"notify": ["focus_changed", told]}, {"reply": PLAYING}]).command)
    editor.lua("require('lofi').pause(function() _G.done = true end)")
    editor.wait("_G.done")
    assert editor.lua("return require('lofi').statusline()").startswith("break 0:5")


def test_functions_ask_without_changing_anything_when_they_are_given_nothing(open_editor, fake):
    daemon = fake(
        status=[{"reply": {"playback": PLAYING | {"crossfade_sec": 6}}}],
        playlist_get=[{"reply": PLAYLIST}],
        audio_devices=[{"reply": DEVICES}],
    )
    editor = open_editor(daemon.command)
    editor.lua("""
      local lofi = require('lofi')
      _G.got = {}
      local function keep(name, field) return function(err, result) _G.got[name] = err or result[field] end end
      lofi.crossfade(nil, keep('crossfade', 'crossfade_sec'))
      lofi.loop(nil, keep('loop', 'loop'))
      lofi.shuffle(nil, keep('shuffle', 'shuffle'))
      lofi.devices(nil, keep('devices', 'current'))
    """)
    editor.wait("vim.tbl_count(_G.got) == 4")
    assert editor.lua("return _G.got") == {"crossfade": 6, "loop": "all", "shuffle": False, "devices": "1"}
