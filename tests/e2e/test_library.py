"""The library's buffer: what stands in it, every key of it, and what happens to it while it is open."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from typing import Any

import pytest
from support.editor import PUPPET, assert_calm, heard, wait_for_event
from support.neovim import ROOT, Neovim
from support.shared_daemon import SHARED, shared_runtime

MANY = ROOT / "tests" / "support" / "many_tracks.py"

PROMPTS = ("rainy night, mellow rhodes", "piano ballad", "雨の夜 🌧️ slow\tpiano")
"""The newest last, so that it stands in the first line."""


def make(editor: Neovim, *prompts: str, **options: Any) -> list[str]:
    """Ids, in the order of the prompts."""
    made = []
    for prompt in prompts:
        before = len(heard(editor, "LofiDone"))
        editor.lua("require('lofi').generate(...)", {"prompt": prompt, **options})
        made.append(wait_for_event(editor, "LofiDone", before + 1)[-1]["track_id"])
    return made


def lines(editor: Neovim) -> list[str]:
    return list(editor.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('lofi://library'), 0, -1, false)"))


def titles(editor: Neovim) -> list[str]:
    """The prompts of the lines, from the top."""
    return [re.sub(r"^.*? (now|\d+ (min|h|d|w|mo|y))  ", "", line) for line in lines(editor)]


def library(editor: Neovim) -> list[str]:
    """The ids that the daemon has, the newest first."""
    editor.lua(
        "_G.ids = nil require('lofi').request('cache_list', { limit = 200 }, function(_, r) _G.ids = r.tracks end)"
    )
    return [track["id"] for track in editor.wait("_G.ids ~= nil and (#_G.ids > 0 and _G.ids or { { id = '' } })")]


def opened(editor: Neovim) -> Neovim:
    editor.command("LofiLibrary")
    editor.wait(lambda: ", newest first" in editor.text() and "Asking" not in editor.text())
    return editor


@pytest.fixture
def shelf(editor):
    """The editor with three tracks, its library open; and their ids, the newest first."""
    ids = make(editor, *PROMPTS, seed=7)
    return opened(editor), ids[::-1]


def test_a_track_is_a_line_with_length_backend_age_and_the_whole_prompt(shelf):
    editor, _ = shelf
    assert titles(editor) == ["雨の夜 🌧️ slow piano", "piano ballad", "rainy night, mellow rhodes"]
    assert re.fullmatch(r" +0:00  synth +\d+ mo  piano ballad", lines(editor)[1])  # the puppet's tracks are old
    assert "3 tracks, newest first" in editor.text()
    assert editor.lua("return { vim.bo.filetype, vim.api.nvim_buf_get_name(0), vim.bo.modifiable }") == [
        "lofi-library", "lofi://library", False,
    ]  # fmt: skip


def test_an_empty_library_says_what_to_do(editor):
    editor.command("LofiLibrary")
    editor.wait_for_text("The library is empty.")
    assert ":LofiGenerate rainy night" in editor.text()
    make(editor, "piano")
    editor.wait(lambda: titles(editor) == ["piano"])
    assert_calm(editor)


def test_a_prompt_is_searched_and_a_line_is_yanked_as_in_any_buffer(shelf):
    editor, _ = shelf
    editor.type("/mellow<CR>")
    editor.wait("vim.fn.line('.') == 3")
    editor.type('V"ay')
    assert "rainy night, mellow rhodes" in editor.wait("vim.fn.getreg('a') ~= '' and vim.fn.getreg('a')")


def test_a_track_that_arrives_leaves_the_cursor_on_its_own(shelf):
    editor, _ = shelf
    editor.type("j")
    make(editor, "news")
    editor.wait(lambda: titles(editor)[0] == "news")
    assert editor.lua("return vim.fn.getline('.')").endswith("piano ballad")


def test_a_job_stands_above_the_tracks_until_it_is_done(shelf, go):
    editor, _ = shelf
    editor.type("j")
    editor.lua("require('lofi').generate({ prompt = 'steps 20 hold' })")
    editor.wait(lambda: re.match(r" +\d+ %  generating +\S*  steps 20 hold", lines(editor)[0]))
    assert editor.lua("return vim.fn.getline('.')").endswith("piano ballad")
    editor.type("ggdd")
    editor.wait(lambda: any("it is still being made" in line for line in editor.seen))
    go()
    editor.wait(lambda: len(titles(editor)) == 4 and titles(editor)[0] == "steps 20 hold")
    assert_calm(editor)


def test_deleted_lines_come_back_until_it_is_closed(shelf):
    editor, ids = shelf
    editor.type("ddVjd")
    editor.wait_for_text("Nothing is left.")
    assert "3 deleted" in editor.text()
    assert library(editor) == ids
    editor.type("u")
    editor.wait(lambda: titles(editor) == ["piano ballad", "rainy night, mellow rhodes"])
    editor.type("u")
    editor.wait(lambda: len(titles(editor)) == 3)
    editor.type("u")
    editor.wait_for_text("nothing to bring back")
    editor.type("2dd")
    editor.wait(lambda: titles(editor) == ["rainy night, mellow rhodes"])
    editor.type("q")
    editor.wait_for_text("lofi: 2 tracks deleted")
    assert library(editor) == ids[2:]
    assert_calm(editor)


def test_writing_deletes_for_good_and_leaves_it_open(shelf):
    editor, ids = shelf
    editor.type("dd")
    editor.command("write")
    editor.wait_for_text("lofi: 1 track deleted")
    assert library(editor) == ids[1:]
    assert titles(editor) == ["piano ballad", "rainy night, mellow rhodes"]
    editor.type("u")
    editor.wait_for_text("nothing to bring back")


@pytest.fixture(params=["own", "shared"])
def another(request, open_editor, tmp_path, monkeypatch):
    """``another()``: one more editor with the same library, through a daemon of its own or the shared one."""
    command = [*SHARED] if request.param == "shared" else PUPPET
    with contextlib.ExitStack() as stack:
        if request.param == "shared":
            stack.enter_context(shared_runtime(tmp_path / "cache", monkeypatch))
        yield lambda: open_editor(command, auto_play=False, player={"output": "none"})


def test_leaving_neovim_deletes_and_a_crash_does_not(another):
    editor = another()
    ids = make(editor, "one", "two", "three")
    opened(editor).type("dd")
    editor.wait(lambda: titles(editor) == ["two", "one"])
    editor.kill()
    editor = opened(another())
    assert titles(editor) == ["three", "two", "one"]
    editor.type("2dd")
    editor.wait(lambda: titles(editor) == ["one"])
    editor.leave()
    editor = another()
    editor.wait(lambda: library(editor) == ids[:1])


def test_a_deleted_track_that_is_asked_for_again_stays(shelf):
    editor, ids = shelf
    editor.type("dd")
    editor.wait(lambda: len(titles(editor)) == 2)
    make(editor, PROMPTS[-1], seed=7)
    editor.wait(lambda: len(titles(editor)) == 3)
    editor.type("q")
    editor.wait("vim.fn.bufnr('lofi://library') == -1")
    assert library(editor) == ids


def test_what_another_deletes_disappears(shelf):
    editor, ids = shelf
    editor.lua("require('lofi').request('cache_delete', { track_id = ... })", ids[1])
    editor.wait(lambda: titles(editor) == ["雨の夜 🌧️ slow piano", "rainy night, mellow rhodes"])


def test_favourites_change_in_place(shelf):
    editor, _ = shelf
    editor.type("jf")
    editor.wait(lambda: "♥" in lines(editor)[1])
    assert editor.lua("return vim.fn.line('.')") == 2
    editor.type("ggVGf")  # the first is none yet, so all become one
    editor.wait(lambda: all("♥" in line for line in lines(editor)))
    editor.type("3f")
    editor.wait(lambda: not any("♥" in line for line in lines(editor)))
    assert_calm(editor)


def test_tracks_go_into_the_playlist(shelf):
    editor, ids = shelf
    editor.type("2a")
    editor.wait_for_text("lofi: 2 tracks added, 2 in the playlist")
    editor.type("GA")
    editor.wait_for_text("lofi: 1 track to play next, 3 in the playlist")
    editor.wait("#require('lofi').status().playlist.tracks == 3")
    assert {entry["track_id"] for entry in editor.lua("return require('lofi').status().playlist.tracks")} == set(ids)


def test_paths_are_yanked(shelf):
    editor, ids = shelf
    editor.type('"by')
    assert editor.wait("vim.fn.getreg('b') ~= '' and vim.fn.getreg('b')").endswith(f"{ids[0]}.flac")
    editor.type("2y")
    editor.wait_for_text("yanked the paths of 2 tracks")
    assert [line[-9:] for line in editor.lua("return vim.fn.getreg('\"', 1, true)")] == [
        f"{i[-4:]}.flac" for i in ids[:2]
    ]


@pytest.mark.parametrize("seed", [2**53 - 1, 2**60])  # the largest number on the wire, and a string
def test_parameters_go_back_to_the_command_line(editor, seed):
    make(editor, "slow piano", seed=str(seed), bpm=70, keyscale="D minor", duration_sec=45)
    opened(editor).type("i")
    editor.wait_for_text(str(seed))
    editor.type("qr")
    editor.wait("vim.fn.mode() == 'c'")
    line = editor.lua("return vim.fn.getcmdline()")
    assert line == (f'LofiGenerate slow piano duration=45 backend=synth seed={seed} bpm=70 key="D minor"')
    editor.type("<CR>")  # the same words are the same track
    assert wait_for_event(editor, "LofiDone", 2)[1]["cached"]


def test_a_variation_is_the_same_with_a_new_seed(editor):
    make(editor, "slow piano", seed=7, bpm=70)
    opened(editor).type("v")
    done = wait_for_event(editor, "LofiDone", 2)[1]["tracks"][0]
    assert (done["prompt"], done["params"]["bpm"]) == ("slow piano", 70)
    assert done["seed"] != 7


def test_a_track_is_exported_and_refusals_are_a_sentence(shelf, tmp_path):
    editor, _ = shelf
    (tmp_path / "home" / "Music").mkdir()
    editor.type("x")
    editor.wait_for_text("Export to: ")
    assert editor.lua("return vim.fn.getcmdline()") == f"{tmp_path}/home/Music/"
    editor.type("night.wav<CR>")
    editor.wait_for_text("lofi: exported to")
    assert (tmp_path / "home" / "Music" / "night.wav").read_bytes()[:4] == b"RIFF"
    editor.type("x")
    editor.wait_for_text("Export to: ")
    editor.type("night.wav<CR>")
    editor.wait_for_text("Cannot export to")
    assert_calm(editor)


def test_the_order_can_be_chosen(shelf):
    editor, _ = shelf
    editor.lua("vim.ui.select = function(items, opts, choose) choose(items[2]) end")
    editor.type("s")
    editor.wait(lambda: titles(editor)[0] == "rainy night, mellow rhodes")
    assert "oldest first" in editor.text()
    make(editor, "news")
    editor.wait(lambda: titles(editor)[-1] == "news")


def details(editor: Neovim) -> str:
    return "\n".join(editor.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('lofi://track'), 0, -1, false)"))


def test_details_show_all_of_a_track_and_change_with_it(shelf):
    editor, ids = shelf
    editor.type("ji")
    editor.wait(lambda: ids[1] in details(editor))
    for fact in (" piano ballad", "backend        synth", "seed           7", "LUFS", ".flac", "favourite      no"):
        assert fact in details(editor)
    editor.type("f")
    editor.wait(lambda: "favourite      yes" in details(editor))
    editor.type("y")
    editor.wait_for_text("yanked")
    editor.type("q")
    editor.wait("vim.fn.bufnr('lofi://track') == -1")
    assert editor.lua("return vim.bo.filetype") == "lofi-library"
    assert_calm(editor)


def test_details_lead_to_a_variation_and_to_the_command_line(shelf):
    editor, _ = shelf
    editor.type("ji")
    editor.wait(lambda: "LUFS" in details(editor))
    editor.type("v")
    editor.wait(lambda: titles(editor).count("piano ballad") == 2)
    editor.type("i")
    editor.wait(lambda: "LUFS" in details(editor))
    editor.type("r")
    editor.wait("vim.fn.getcmdline():find('LofiGenerate piano ballad', 1, true)")
    editor.type("<Esc>")
    assert_calm(editor)


def test_a_track_without_a_latent_cannot_be_taken_up_again_and_says_so(shelf):
    editor, _ = shelf
    editor.type("t")
    editor.wait_for_text("it has no latent to go on from")
    assert_calm(editor)


def test_the_outline_rises_and_falls_with_the_sound(editor):
    make(editor, "stream 100", duration_sec=5)  # a swell
    opened(editor).type("i")
    editor.wait(lambda: "█" in details(editor))
    columns = list(zip(*(line[1:].ljust(82) for line in details(editor).splitlines()[2:6]), strict=True))
    heights = [sum(" ▁▂▃▄▅▆▇█".index(cell) for cell in column) for column in columns]
    assert max(heights) > 28
    assert min(heights) < 20
    assert editor.lua("""
      local groups = {}
      for _, piece in ipairs(require('lofi.library.wave').draw({ columns = 3, peaks = { 1, 1, 1 },
          levels = { 1, 1, 1 }, tones = { 0, 0.5, 1 } })[1]) do
        groups[#groups + 1] = piece[2]
      end
      return groups
    """) == ["LofiWave1", "LofiWave3", "LofiWave5"]


def test_without_sound_play_says_so(shelf):
    editor, _ = shelf
    editor.type("<CR>")
    editor.wait_for_text("Sound is off")
    assert_calm(editor)


def clock(editor):
    """Of the track that plays, as its line shows it."""
    found = re.search(r"♪.* (\d:\d\d) / 1:00", editor.text())
    return found[1] if found else ""


def test_what_plays_is_marked_and_its_clock_moves(open_editor, card):
    editor = open_editor(PUPPET, environment=card.env, auto_play=False, player={"output": "sounddevice"})
    make(editor, "long one", "long two")
    opened(editor).type("j<CR>")
    editor.wait(lambda: clock(editor))
    for _ in range(2):
        shown = clock(editor)
        editor.wait(lambda shown=shown: clock(editor) > shown)
    editor.type("p")
    editor.wait(lambda: "⏸" in lines(editor)[1])
    editor.type("i")
    editor.wait(lambda: re.search(r"[█░]+  0:\d\d / 1:00", editor.text()))
    editor.type("qk<CR>")
    editor.wait(lambda: lines(editor)[0].startswith("♪") and lines(editor)[1].startswith(" "))


def test_a_deleted_track_that_plays_goes_on_to_its_end(open_editor, card):
    editor = open_editor(PUPPET, environment=card.env, auto_play=False, player={"output": "sounddevice"})
    (track,) = make(editor, "long one")
    opened(editor).type("<CR>")
    editor.wait("require('lofi').status().playback.state == 'playing'")
    editor.type("dd:w<CR>")
    editor.wait_for_text("lofi: 1 track deleted")
    at = editor.lua("return require('lofi.state').position()")
    editor.wait(f"require('lofi.state').position() > {at} + 1")
    assert editor.lua("return require('lofi').status().playback.track_id") == track


def test_the_lines_stay_when_the_daemon_dies_and_are_true_again_when_it_is_back(shelf):
    editor, _ = shelf
    pid = editor.wait("(require('lofi').status().daemon or {}).pid")
    os.kill(pid, signal.SIGKILL)
    editor.wait_for_text("out of date, R asks again")
    assert len(titles(editor)) == 3
    make(editor, "back again")
    editor.wait(lambda: titles(editor)[0] == "back again" and len(titles(editor)) == 4)
    assert "out of date" not in editor.text()
    assert_calm(editor)


def test_without_a_daemon_it_says_why(open_editor, tmp_path):
    editor = open_editor([str(tmp_path / "nothing")])
    editor.command("LofiLibrary")
    editor.wait_for_text("The library cannot be shown.")
    editor.type("R")
    assert_calm(editor)


def test_ascii_draws_no_other_character(open_editor):
    editor = open_editor(PUPPET, auto_play=False, player={"output": "none"}, ascii=True)
    make(editor, "piano")
    opened(editor).type("f")
    editor.wait(lambda: "*" in lines(editor)[0])
    editor.type("i")
    editor.wait(lambda: "LUFS" in details(editor))
    assert editor.text().isascii(), editor.text()
    assert details(editor).isascii()


def test_the_keys_are_listed(shelf):
    editor, _ = shelf
    editor.type("g?")
    editor.wait_for_text("bring back what was deleted last")
    for key in ("<CR>", "dd {Visual}d", "a", "A", "f", "u", "y", "i", "r", "v", "t", "x", "s", "R", "q"):
        assert re.search(rf"│ {re.escape(key)} +\w", editor.text()), key


def test_ten_thousand_tracks(open_editor):
    editor = open_editor([sys.executable, str(MANY), "10000"])
    editor.command("LofiLibrary")
    editor.wait(lambda: titles(editor)[0].endswith("no. 9999"))
    editor.type("5j")  # the rest comes meanwhile
    editor.wait(lambda: "10000 tracks" in editor.text() and "are here" not in editor.text())
    assert editor.lua("return vim.api.nvim_buf_line_count(0)") == 10_000
    assert [re.search(r"\d+ (min|w)", line)[0] for line in lines(editor)[:9999:9998]] == ["10 min", "9 w"]
    assert editor.lua("return vim.fn.line('.')") == 6
    editor.lua("require('lofi').request('ping', { come = 30 })")
    editor.wait("vim.api.nvim_buf_line_count(0) == 10030")
    assert editor.lua("return vim.fn.getline('.')").endswith("no. 9994")
    editor.type("/no\\. 17$<CR>")
    editor.wait("vim.fn.getline('.'):find('no. 17', 1, true)")
    editor.type("f")
    editor.wait("vim.fn.getline('.'):find('♥', 1, true)")
    editor.type("dd")
    editor.wait("vim.api.nvim_buf_line_count(0) == 10029")
    editor.type("u")
    editor.wait("vim.fn.getline('.'):find('no. 17', 1, true)")
    assert_calm(editor)


def test_from_the_command_line_window_it_says_what_to_do(editor):
    editor.command("nnoremap K <Cmd>LofiLibrary<CR>")
    editor.type("q:")
    editor.wait("vim.fn.getcmdwintype() == ':'")
    editor.type("K:q<CR>")
    editor.wait(editor.messages)
    assert editor.messages() == ["lofi: close the command-line window first."]
    assert_calm(editor)
