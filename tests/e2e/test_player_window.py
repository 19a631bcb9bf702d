"""The player window: what it says while music plays, rests and is missing, and each of its keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.editor import FakeDaemon, assert_calm
from support.neovim import Neovim

ID, NEXT, LATER = "ab" * 32, "cd" * 32, "ef" * 32

PLAYBACK = {
    "state": "playing", "volume": 0.7, "crossfade_sec": 6, "loop": "off", "shuffle": False, "playlist_length": 3,
    "playlist_index": 0, "position_sec": 60.0, "duration_sec": 180.0, "track_id": ID, "device": "Speakers",
}  # fmt: skip
PAUSED = PLAYBACK | {"state": "paused"}  # so that no clock moves
IDLE = {key: PLAYBACK[key] for key in ("volume", "crossfade_sec", "loop", "shuffle")} | {"state": "stopped"}
TRACK = {"id": ID, "prompt": "rainy night", "backend": "synth", "duration_sec": 180.0, "favorite": False}
PLAYLIST = {
    "tracks": [
        {"track_id": ID, "prompt": "rainy night", "duration_sec": 180.0},
        {"track_id": NEXT, "prompt": "sunny\nday", "duration_sec": 62.0},
        {"track_id": LATER, "prompt": "深夜の雨", "duration_sec": 90.0},
    ],
    "index": 0, "loop": "off", "shuffle": False,
}  # fmt: skip
EMPTY = {"tracks": [], "index": None, "loop": "off", "shuffle": False}
RADIO = {
    "active": True, "strategy": "same_prompt", "prompt": "late jazz", "preset": None, "backend": "synth",
    "next_track_id": None, "generating": True, "message": None,
}  # fmt: skip
JOB = {"job_id": "radio-1", "track_id": NEXT, "prompt": "late jazz", "percent": 45, "eta_sec": 3.2}

Player = Callable[..., tuple[Neovim, FakeDaemon]]


def status(playback: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"reply": {"playback": playback, "queue": {"pending": []}} | more}]


@pytest.fixture
def player(open_editor, fake) -> Player:
    """``player(script…)``: an editor whose window is open and has heard the daemon; it is paused if nothing is said."""

    def open_(setup: dict[str, Any] | None = None, *, columns: int = 90, **script: Any) -> tuple[Neovim, FakeDaemon]:
        defaults = {
            "status": status(PAUSED),
            "playlist_get": [{"reply": PLAYLIST}],
            "cache_get": [{"reply": TRACK}],
            "volume_get": [{"reply": {"level": 0.7}}],
        }
        daemon = fake(**(defaults | script))
        editor = open_editor(daemon.command, columns=columns, **(setup or {}))
        editor.command("LofiPlayer")
        editor.wait_for_text("crossfade")
        return editor, daemon

    return open_


def tell(editor: Neovim, method: str, params: dict[str, Any]) -> None:
    """As a notification of the daemon arrives."""
    editor.lua(
        "local method, params = ...; require('lofi.mirror').apply(method, params)"
        " require('lofi.events').emit(method, params)",
        method, params,
    )  # fmt: skip


def line_with(editor: Neovim, text: str) -> str:
    editor.wait_for_text(text)
    return next(line for line in editor.text().splitlines() if text in line)


def test_what_plays_and_what_comes_are_shown(player):
    editor, _ = player(
        status=status(
            PLAYBACK | {"position_sec": 600.0, "duration_sec": 1800.0}, generation=JOB,
            queue={"pending": [JOB | {"job_id": "b"}]}, radio=RADIO,
            sleep={"ends_in_sec": 3599.9}, focus={"active": True, "phase": "work", "ends_in_sec": 90.9, "round": 1},
        ),
        cache_get=[{"reply": TRACK | {"favorite": True}}],
    )  # fmt: skip
    assert "♪ rainy night" in line_with(editor, "♥")
    editor.wait_for_text("playing, synth, Speakers")
    assert line_with(editor, " 30:00 ").count("█") == 13  # a third of forty cells
    assert line_with(editor, "Volume").count("█") == 14
    editor.wait_for_text("loop off, shuffle off, crossfade 6 s")
    editor.wait_for_text("same prompt: late jazz")
    editor.wait_for_text("the music ends in 59:")
    editor.wait_for_text("work for 1:")
    assert "late jazz, 1 waiting" in line_with(editor, "Making")
    assert line_with(editor, "45 %, 0:04 left").count("█") == 9
    assert line_with(editor, "Next").split("│")[1].split() == ["Next", "sunny", "day", "1:02"]
    assert "1:30" in line_with(editor, "深")
    assert_calm(editor)


def test_the_position_moves_while_music_plays_and_stands_while_it_is_paused(player):
    editor, _ = player(status=status(PLAYBACK))
    editor.wait(lambda: re.search(r" 1:([1-5]\d|0[2-9]) ", editor.text()))
    tell(editor, "playback_paused", {"track_id": ID, "position_sec": 70})
    editor.wait_for_text(" 1:10 ")
    assert editor.lua("return require('lofi.state').position()") == 70
    editor.wait_for_text("⏸ rainy night")


def test_the_clock_of_a_closed_window_stands(player):
    editor, _ = player(status=status(PLAYBACK))
    timers = """
      local count = 0
      vim.uv.walk(function(handle)
        if handle:get_type() == 'timer' and handle:is_active() and handle:get_due_in() <= 1000 then
          count = count + (handle:get_repeat() == 1000 and 1 or 0)
        end
      end)
      return count
    """
    editor.wait(lambda: editor.lua(timers) == 1)
    editor.type("q")
    editor.wait(lambda: editor.lua(timers) == 0)


def test_nothing_playing_says_what_to_do(player):
    editor, _ = player(status=status(IDLE), playlist_get=[{"reply": EMPTY}])
    editor.wait_for_text("Nothing plays.")
    editor.wait_for_text("<Space> plays the newest track, r starts the radio")
    tell(editor, "playlist_changed", PLAYLIST)
    editor.wait_for_text("<Space> plays the playlist")
    editor.type("l")
    editor.wait(lambda: "nothing plays" in editor.last_line())
    assert_calm(editor)


def test_a_missing_daemon_is_told_in_the_window(open_editor):
    editor = open_editor(["/nowhere/lofi-daemon"])
    editor.command("LofiPlayer")
    editor.wait_for_text("daemon.cmd names /nowhere/lofi-daemon")
    assert_calm(editor)


def test_the_end_of_the_daemon_is_told_in_the_window_and_a_key_starts_it_again(player):
    editor, daemon = player(toggle=[{"reply": PAUSED}], stop=[{"exit": 1}])
    editor.type("x")
    editor.wait_for_text("The daemon has ended; the next command starts it")
    editor.type("p")
    editor.wait_for_text("rainy night")
    assert daemon.starts() == 2
    assert_calm(editor)


def test_a_missing_device_is_told_with_its_reason(player):
    no_device = IDLE | {"state": "no_device", "message": "PortAudio finds no sound device; plug one in.",
                        "playlist_index": 0}  # fmt: skip
    editor, _ = player(status=status(IDLE), toggle=[{"reply": no_device}])
    editor.type(" ")
    editor.wait_for_text("✗ rainy night")
    editor.wait_for_text("no device")
    editor.wait_for_text("PortAudio finds no sound device; plug")


def test_waiting_for_a_device_is_no_pause_of_the_users(player):
    waiting = PAUSED | {"state": "waiting", "message": "The sound device went away; the music goes on here."}
    editor, _ = player(status=status(waiting))
    editor.wait_for_text("waiting, synth")
    editor.wait_for_text("The sound device went away")
    tell(editor, "playback_resumed", {"track_id": ID, "position_sec": 60})
    editor.wait_for_text("playing, synth")
    assert "went away" not in editor.text()


KEYS = [
    ("<Space>", "toggle", {}),
    ("p", "toggle", {}),
    ("n", "skip", {}),
    ("N", "previous", {}),
    ("l", "seek", {"position_sec": 70}),
    ("<Right>", "seek", {"position_sec": 70}),
    ("2h", "seek", {"position_sec": 40}),
    ("<Left>", "seek", {"position_sec": 50}),
    ("+", "volume_set", {"level": pytest.approx(0.75)}),
    ("=", "volume_set", {"level": pytest.approx(0.75)}),
    ("2-", "volume_set", {"level": pytest.approx(0.6)}),
    ("s", "playlist_mode", {"shuffle": True}),
    ("o", "playlist_mode", {"loop": "all"}),
    ("c", "crossfade_set", {"duration_sec": 8}),
    ("r", "radio_start", {}),
    ("f", "track_favorite", {"track_id": ID, "favorite": True}),
    ("G<CR>", "play", {"track_id": LATER}),
    ("d", "audio_devices", {}),
    ("x", "stop", {}),
]


def test_each_key_asks_the_daemon(player):
    replies = {method: PAUSED for _, method, _ in KEYS} | {"audio_devices": {"devices": [], "chosen": ""}}
    replies["track_favorite"] = TRACK
    editor, daemon = player(**{method: [{"reply": reply}] for method, reply in replies.items()})
    editor.wait_for_text("paused, synth")
    for count, (key, method, params) in enumerate(KEYS):
        tell(editor, "playback_seeked", {"track_id": ID, "position_sec": 60})
        tell(editor, "volume_changed", {"level": 0.7})
        before = sum(method == other for _, other, _ in KEYS[:count])
        editor.type(key)
        editor.wait(lambda method=method, before=before: len(daemon.heard(method)) > before)
        assert daemon.heard(method)[-1] == params, key
    assert_calm(editor)


def test_the_radio_key_ends_a_radio_that_is_on(player):
    editor, daemon = player(status=status(PAUSED, radio=RADIO), radio_stop=[{"reply": RADIO | {"active": False}}])
    editor.wait_for_text("same prompt: late jazz")
    editor.type("r")
    editor.wait(lambda: daemon.heard("radio_stop"))
    assert not daemon.heard("radio_start")


def test_volume_keys_add_up_and_stop_at_the_ends(player):
    editor, daemon = player(volume_set=[{"reply": {"level": 1}}])
    editor.type("+++++++")
    editor.wait_for_text(" 100 %")
    editor.wait(lambda: len(daemon.heard("volume_set")) == 7)
    assert [params["level"] for params in daemon.heard("volume_set")][-3:] == [pytest.approx(0.95), 1, 1]


def test_a_heart_comes_with_the_favourite_and_goes_with_it(player):
    editor, _ = player(track_favorite=[{"reply": TRACK | {"favorite": True}}])
    editor.wait_for_text("paused, synth")
    editor.type("f")
    editor.wait_for_text("♥")
    tell(editor, "library_changed", {"changed": [TRACK], "removed": [], "reset": False})
    editor.wait(lambda: "♥" not in editor.text())


def test_what_comes_next_follows_loop_and_shuffle(player):
    editor, _ = player()
    for change, said in [
        ({"loop": "one"}, "the same again"),
        ({"shuffle": True}, "any of 3 tracks"),
        ({"index": 2}, "nothing"),
        ({"index": 2, "loop": "all"}, "rainy night"),
    ]:
        tell(editor, "playlist_changed", PLAYLIST | change)
        editor.wait(lambda said=said: said in line_with(editor, "Next"))


def test_a_click_on_a_bar_goes_there(player):
    editor, daemon = player(seek=[{"reply": PAUSED}], volume_set=[{"reply": {"level": 0.25}}])
    line_with(editor, "Volume")
    rows = editor.text().splitlines()
    row = next(i for i, line in enumerate(rows) if "Volume" in line)
    column = rows[row].index("█")
    editor.request("nvim_input_mouse", "left", "press", "", 0, row - 2, column + 20)
    editor.wait(lambda: daemon.heard("seek"))
    assert daemon.heard("seek") == [{"position_sec": 90}]
    editor.request("nvim_input_mouse", "left", "press", "", 0, row, column + 5)
    editor.wait(lambda: daemon.heard("volume_set"))
    assert daemon.heard("volume_set") == [{"level": 0.25}]
    editor.request("nvim_input_mouse", "left", "press", "", 0, 15, 2)  # elsewhere a click is a click
    editor.wait("vim.bo.filetype == ''")


def test_other_views_open_from_it(player):
    editor, _ = player(queue_status=[{"reply": {"current": None, "pending": []}}],
                       cache_list=[{"reply": {"tracks": [], "total": 0}}])  # fmt: skip
    editor.type("Q")
    editor.wait("vim.bo.filetype == 'lofi-queue'")
    editor.wait_for_text("Nothing is being made and nothing waits.")
    editor.type("q")
    editor.wait("vim.bo.filetype == 'lofi-player'")
    editor.type("L")
    editor.wait("vim.bo.filetype == 'lofi-library'")


def test_it_closes_and_leaves_nothing_behind(player):
    editor, _ = player()
    closed = "#vim.api.nvim_list_wins() == 1 and vim.fn.bufexists('lofi://player') == 0"
    editor.type("q")
    editor.wait(closed)
    editor.command("LofiPlayer")
    editor.wait_for_text("crossfade")
    editor.type("<Esc>")
    editor.wait(closed)
    editor.lua("require('lofi').player()")
    editor.wait_for_text("crossfade")
    editor.command("LofiPlayer")
    editor.wait(closed)
    tell(editor, "playback_started", {"track_id": ID, "position_sec": 0, "duration_sec": 180})
    assert editor.messages() == []


def test_the_keys_are_listed(player):
    editor, _ = player()
    editor.type("g?")
    editor.wait_for_text("<Space> p  pause or play")
    editor.wait_for_text("q <Esc>    close")


def test_on_a_narrow_ascii_screen_everything_fits(player):
    editor, _ = player({"ascii": True}, columns=40, status=status(PLAYBACK, generation=JOB, radio=RADIO))
    line = line_with(editor, "> rainy night")
    assert line.startswith("| >")
    assert "[#" in line_with(editor, "Volume")
    frame = [line for line in editor.text().splitlines() if "|" in line]
    assert all(len(line) == 40 and line.endswith("|") for line in frame if line.isascii())
    assert all(line.isascii() or "深" in line for line in editor.text().splitlines())
    assert_calm(editor)


def test_it_moves_with_the_corner_of_the_screen(player):
    editor, _ = player()
    editor.request("nvim_ui_try_resize", 70, 24)
    editor.wait(lambda: editor.text().splitlines()[0].endswith("╮") and len(editor.text().splitlines()[0]) == 70)
