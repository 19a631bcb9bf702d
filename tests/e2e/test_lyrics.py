"""How words come from an editor to be sung: lines of a buffer, a file, or what fits into a command."""

import json

import pytest
from support.editor import assert_calm

LINES = ["[Verse]", 'Rain on the "window"', "", "[Chorus]", "Ünd schön 雨"]
WORDS = "\n".join(LINES)


@pytest.fixture
def daemon(fake):
    return fake(generate=[{"reply": {"job_id": "$job", "track_id": "ab" * 32, "status": "generating", "position": 0}}])


@pytest.fixture
def editor(open_editor, daemon, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    editor = open_editor(daemon.command, auto_play=False)
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...) vim.bo.modified = false", LINES)
    return editor


def asked(editor, daemon, count=1):
    """The params of the last of so many requests."""
    return editor.wait(lambda: len(found := daemon.heard("generate")) >= count and found)[-1]


@pytest.mark.parametrize(
    ("command", "lyrics"),
    [
        ("%LofiGenerate slow ballad language=de", WORDS),
        ("4,5Lofi generate slow ballad language=de", "[Chorus]\nÜnd schön 雨"),
        ("2LofiAce slow ballad language=de", 'Rain on the "window"'),
        ("1,2Lofi slow ballad language=de", '[Verse]\nRain on the "window"'),
        (r"""LofiGenerate slow ballad language=de lyrics='[Verse]\nRain on the "window"'""",
         '[Verse]\nRain on the "window"'),
    ],
)  # fmt: skip
def test_lines_and_quoted_words_are_sung(editor, daemon, command, lyrics):
    editor.command(command)
    params = asked(editor, daemon)
    assert (params["prompt"], params["vocal_language"], params["lyrics"]) == ("slow ballad", "de", lyrics)
    assert_calm(editor)


def test_a_selection_is_sung_and_the_prompt_may_be_asked_for(editor, daemon):
    editor.lua("vim.ui.input = function(_, done) done('hummed') end")
    editor.type("ggVj:LofiGenerate<CR>")
    params = asked(editor, daemon)
    assert (params["prompt"], params["lyrics"]) == ("hummed", '[Verse]\nRain on the "window"')


def test_a_file_is_read_and_its_name_completes(editor, daemon, tmp_path):
    (tmp_path / "songs of mine").mkdir()
    (tmp_path / "songs of mine" / "rain.txt").write_bytes(
        b"\xef\xbb\xbf" + WORDS.replace("\n", "\r\n").encode() + b"\r\n"
    )
    (tmp_path / "rain.txt").write_text(WORDS)
    completed = editor.lua("return vim.fn.getcompletion('LofiGenerate x lyrics=@ra', 'cmdline')")
    assert completed == ["lyrics=@rain.txt"]
    editor.command('LofiGenerate x lyrics="@songs of mine/rain.txt"')
    assert asked(editor, daemon)["lyrics"] == WORDS
    editor.command(f"LofiGenerate x lyrics=@{tmp_path}/rain.txt")
    assert asked(editor, daemon, 2)["lyrics"] == WORDS
    assert_calm(editor)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("LofiGenerate x lyrics=@nowhere.txt", "ENOENT"),
        ("LofiGenerate x lyrics=@.", "it is a directory"),
        ("LofiGenerate x lyrics=@large.txt", "lyrics have at most 65536"),
        ("LofiGenerate x lyrics=@latin1.txt", "not in UTF-8"),
        ("LofiGenerate x lyrics=@empty.txt", "no words"),
        ("LofiGenerate x lyrics=@nothing.txt", "no words"),
        ("3LofiGenerate x", "no words"),
        ("%LofiGenerate x lyrics=la", "given twice"),
        ("2Lofi pause", "takes no lines"),
    ],
)
def test_what_cannot_be_sung_is_said_and_nothing_is_made(editor, daemon, tmp_path, command, said):
    (tmp_path / "large.txt").write_text("la " * 30_000)
    (tmp_path / "latin1.txt").write_bytes(b"sch\xf6n")
    (tmp_path / "empty.txt").write_text(" \n\n")
    (tmp_path / "nothing.txt").touch()
    editor.command(command)
    editor.wait(lambda: said in "\n".join(editor.messages()) or said in editor.text())
    assert daemon.heard("generate") == []
    assert_calm(editor)


def test_the_lyrics_of_a_track_fit_on_the_command_line_again(editor):
    made_with = {"prompt": "slow ballad", "lyrics": "[Verse]\nRain again", "backend": "ace_step_15"}
    track = {"prompt": "slow ballad", "seed": 7, "params": made_with}
    line, lost = editor.lua(
        "local line, lost = require('lofi.library.again').line(vim.json.decode(...)) return { line, lost }",
        json.dumps(track),
    )
    assert (r'lyrics="[Verse]\nRain again"' in line, lost) == (True, [])
    opts = editor.lua("return (require('lofi.request').parse(...))", line.removeprefix("LofiGenerate "))
    assert opts == {"prompt": "slow ballad", "seed": 7, "lyrics": "[Verse]\nRain again", "backend": "ace_step_15"}


def test_a_track_without_words_is_asked_for_again_without_its_title(editor):
    params = {"prompt": "", "stage_type": "continue", "src_audio_id": "a" * 64, "backend": "musicgen", "seed": 7}
    track = {"prompt": "(continue without words)", "seed": 7, "params": params}
    line, opts = editor.lua(
        """
        local again, lofi, opts = require('lofi.library.again'), require('lofi')
        lofi.generate = function(asked) opts = asked end
        local track = vim.json.decode(...)
        again.vary(track)
        return { (again.line(track)), opts }
        """,
        json.dumps(track),
    )
    assert (opts["prompt"], opts["src_audio_id"], "seed" in opts) == ("", "a" * 64, False)
    assert line == f"LofiGenerate backend=musicgen seed=7 stage=continue source={'a' * 64}"
