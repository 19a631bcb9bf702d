"""`lofi` as it is called from a script: a real daemon, its worker a puppet, every stream a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOFI = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))


class Done:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        assert "Traceback" not in self.out + self.err

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]


def lofi(*words: str, **env: str) -> Done:
    return Done(
        subprocess.run(
            [*LOFI, *words],
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    )


@pytest.fixture
def track() -> dict:
    return lofi("generate", "steps 1", "--seed", "1", "--json").events[-1]["tracks"][0]


def test_generate_prints_the_path_alone_on_stdout_and_the_rest_on_stderr():
    done = lofi("generate", "steps", "30", "--seed", "7")
    assert done.code == 0
    path = Path(done.out.removesuffix("\n"))
    assert path.is_absolute() and path.is_file()
    percents = [int(line.split()[1]) for line in done.err.splitlines() if line.startswith("Composing")]
    assert percents == sorted(set(percents)) and len(percents) > 3
    assert "seed 7" in done.err
    assert "\x1b" not in done.err and "\r" not in done.err


def test_the_same_request_again_comes_from_the_library():
    first = lofi("generate", "steps 1", "--seed", "7")
    second = lofi("generate", "steps 1", "--seed", "7")
    assert second.out == first.out
    assert "Already in the library" in second.err


def test_generate_as_json_is_one_event_a_line_from_acceptance_to_the_end():
    done = lofi("generate", "steps 5", "--seed", "18446744073709551615", "--duration", "20", "--json")
    names = [event["event"] for event in done.events]
    assert names[0] == "accepted" and names[-1] == "generation_complete"
    assert "generation_started" in names and "generation_progress" in names
    assert done.events[0]["seed"] == "18446744073709551615"
    assert done.events[-1]["tracks"][0]["params"]["duration_sec"] == 20
    assert done.err == ""


def test_generate_sends_what_was_asked_for():
    done = lofi(
        *(
            "generate",
            "steps 1",
            "--bpm",
            "75",
            "--key",
            "D minor",
            "--backend",
            "synth",
            "--priority",
            "high",
            "--json",
        )
    )
    params = done.events[-1]["tracks"][0]["params"]
    assert (params["bpm"], params["keyscale"], params["backend"]) == (75, "D minor", "synth")


def test_generate_can_export_at_once(tmp_path):
    target = tmp_path / "loop.wav"
    done = lofi("generate", "steps 1", "--out", str(target))
    assert done.code == 0
    assert done.out == f"{target}\n"
    assert target.read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("generate", "x", "--duration", "4000"), 2, "seconds"),
        (("generate", "x", "--seed", "9" * 5000), 2, "seed"),
        (("generate", "x", "--seed", "seven"), 2, "seed"),
        (("generate", " "), 2, "prompt is empty"),
        (("generate", "x", "--backend", "nope"), 2, "no backend"),
        (("generate", "x", "--backend", "musicgen"), 1, "MusicGen"),
        (("generate", "fail MODEL_INFERENCE_FAILED"), 1, "told to fail"),
        (("generate", "crash"), 1, "worker"),
        (("info", "abcdef012345"), 3, "abcdef012345"),
        (("rm", "abcdef012345"), 3, "abcdef012345"),
        (("export", "abcdef012345", "x.wav"), 3, "abcdef012345"),
        (("play", "abcdef012345"), 3, "abcdef012345"),
        (("play",), 3, "library is empty"),
        (("list", "--sort", "loudness"), 2, "loudness"),
    ],
)
def test_what_goes_wrong_is_one_sentence_on_stderr_and_a_telling_code(words, code, sentence):
    done = lofi(*words)
    assert done.code == code
    (line,) = [line for line in done.err.splitlines() if line.startswith("lofi: ")]
    assert sentence in line
    assert done.out == ""


def test_with_json_the_error_is_also_a_document_on_stdout():
    done = lofi("info", "abcdef012345", "--json")
    assert done.code == 3
    assert done.json["error"]["name"] == "INVALID_TRACK_ID"
    assert done.json["error"]["message"] in done.err


@pytest.mark.parametrize(
    "words",
    [(), ("sing",), ("generate",), ("generate", "x", "--bpm", "fast"), ("generate", "x", "--priority", "urgent"),
     ("list", "--limit", "0"), ("rm",), ("export", "abcdef")],
)  # fmt: skip
def test_a_wrong_command_line_is_code_2(words):
    done = lofi(*words)
    assert done.code == 2
    assert "usage: lofi" in done.err


def test_list_in_a_pipe_is_tab_separated_and_whole(track):
    lofi("favorite", track["id"][:8])
    done = lofi("list")
    assert done.out == f"{track['id'][:12]}\t{track['duration_sec']:g}\t*\tsynth\t{track['created_at']}\tsteps 1\n"
    assert lofi("list", "nothing", "like", "it").out == ""


def test_list_goes_on_over_pages_up_to_its_limit(monkeypatch, track):
    for seed in "234":
        lofi("generate", "steps 1", "--seed", seed)
    assert len(lofi("list", "--limit", "3", "--json").json["tracks"]) == 3
    page = (
        "import sys; from lofi_daemon.cli import library, entry; library.PAGE = 2; sys.exit(entry.main(sys.argv[1:]))"
    )
    done = subprocess.check_output([sys.executable, "-c", page, "list", "--json"], text=True)
    ids = [track["id"] for track in json.loads(done)["tracks"]]
    assert len(ids) == len(set(ids)) == 4


def test_info_tells_every_fact(track):
    text = lofi("info", track["id"][:6]).out
    for fact in (track["id"], track["path"], "steps 1", "synth"):
        assert fact in text
    assert lofi("info", track["id"][:6], "--json").json == track


def test_rm_deletes_what_it_can_and_tells_the_rest(track):
    done = lofi("rm", track["id"][:10], "abcdef012345")
    assert done.code == 3
    assert track["id"][:12] in done.out and "abcdef012345" in done.err
    assert not Path(track["path"]).exists()


def test_rm_as_json_is_one_document(track):
    done = lofi("rm", track["id"], "abcdef012345", "--json")
    assert done.json["deleted"] == [track["id"]]
    assert done.json["errors"][0]["name"] == "INVALID_TRACK_ID"


def test_export_takes_a_path_relative_to_the_shell(track, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = lofi("export", track["id"], "mine", "--format", "wav")
    assert (done.code, done.out) == (0, f"{tmp_path}/mine.wav\n")
    assert (tmp_path / "mine.wav").read_bytes()[:4] == b"RIFF"
    assert lofi("export", track["id"], "mine.wav").code == 2  # nothing is overwritten
    assert lofi("export", track["id"], "nowhere/").code == 2


def test_favorite_marks_and_unmarks(track):
    assert lofi("favorite", track["id"], "--json").json["favorite"] is True
    assert lofi("favorite", track["id"], "--off", "--json").json["favorite"] is False


def test_backends_names_each_with_its_status():
    rows = [line.split("\t") for line in lofi("backends").out.splitlines()]
    assert {row[0]: row[1] for row in rows}["synth"] == "ready"
    assert lofi("backends", "--json").json["default_backend"] == "synth"


def test_play_without_a_device_says_so(track):
    done = lofi("play", track["id"])
    assert done.code == 1
    assert "player.output" in done.err


def test_latents_are_listed_pinned_and_deleted():
    made = lofi("generate", "latent", "--seed", "1", "--json").events[-1]["tracks"][0]["latent_id"]
    (row,) = [line.split("\t") for line in lofi("latents").out.splitlines()]
    assert row[:5] == [made[:12], str(128 * 64 * 4), "-", "turbo", "-"] and row[6] == "latent"
    assert lofi("latents", "pin", row[0]).out == f"{row[0]} is pinned.\n"
    assert lofi("latents", "--json").json["latents"][0]["pinned"] is True
    assert lofi("latents", "unpin", row[0]).out == f"{row[0]} is no longer pinned.\n"
    assert lofi("latents", "rm", made[:8]).out == f"Deleted {row[0]}.\n"
    assert lofi("latents").out == ""
    assert lofi("latents", "rm", made).code == lofi("info", "abcdef").code
    assert "needs an id" in lofi("latents", "pin").err


def test_reindex_finds_the_files_again_without_a_daemon(track):
    cache = Path(track["path"]).parents[2]
    for index in cache.glob("index.sqlite3*"):
        index.unlink()
    done = lofi("reindex", "--json").json
    assert (done["tracks"], done["path"]) == (1, str(cache))
    assert lofi("list", "--json").json["tracks"][0]["id"] == track["id"]


def test_reindex_names_the_files_it_left_out(track):
    Path(track["path"]).write_bytes(b"no music")
    done = lofi("reindex")
    assert done.code == 0
    assert done.out.startswith("0 tracks")
    assert track["path"] in done.err


def test_settings_of_one_call_reach_the_daemon(tmp_path):
    path = lofi("generate", "steps 1", "--set", f"cache.dir={tmp_path / 'mine'}").out
    assert path.startswith(str(tmp_path / "mine"))


def test_a_reader_that_leaves_early_is_no_error(track):
    process = subprocess.Popen([*LOFI, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    process.wait(60)
    assert process.stderr.read() == b""


def test_a_daemon_that_cannot_start_is_code_5():
    """As after an upgrade of Python that broke the environment."""
    code = (
        "import sys; from lofi_daemon.cli import entry; from lofi_daemon.cli.terminal import Terminal;"
        "from lofi_daemon.client import DaemonClient, default_log;"
        "connect = lambda s: DaemonClient(command=(sys.executable, '-c', 'import nothing_like_it'), log=default_log());"
        "sys.exit(entry.run(sys.argv[1:], Terminal.standard(), connect))"
    )
    done = Done(subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, check=False))
    assert done.code == 5
    assert "daemon" in done.err and "daemon.log" in done.err
    log = Path(done.err.rsplit(" ", 1)[1].strip().removesuffix("."))
    assert "nothing_like_it" in log.read_text()


def test_a_bug_is_told_in_a_sentence_too():
    code = (
        "import sys; from lofi_daemon.cli import entry; from lofi_daemon.cli.terminal import Terminal;"
        "connect = lambda s: 1 / 0; sys.exit(entry.run(sys.argv[1:], Terminal.standard(), connect))"
    )
    done = Done(subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, check=False))
    assert done.code == 1
    assert "ZeroDivisionError" in done.err and "LOFI_DEBUG" in done.err


COMMANDS = (
    "generate", "queue", "play", "radio", "pause", "resume", "stop", "skip", "previous", "seek", "volume", "crossfade",
    "status", "playlist", "loop", "shuffle", "sleep", "focus", "list", "info", "rm", "export", "favorite", "latents",
    "devices", "backends", "doctor", "reindex",
)  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_has_examples_and_exit_codes(command):
    done = lofi(*filter(None, (command, "--help")))
    assert done.code == 0
    assert f"  lofi {command}" in done.out
    assert "exit codes:" in done.out and "130" in done.out
    if not command:
        assert all(f"\n    {name}" in done.out for name in COMMANDS)
    else:
        assert "--json" in done.out
