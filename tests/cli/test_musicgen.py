"""What `lofi generate` can ask MusicGen for, with a worker that is a puppet; and `lofi selftest`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_hub import COMMIT, musicgen_files

PUPPET = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))
REAL = (sys.executable, "-c", "import sys; from lofi_daemon.cli import main; sys.exit(main())")


def lofi(command: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command, *words], env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def installed(tmp_path, monkeypatch) -> None:
    """Files by the names of MusicGen's, where Hugging Face's own library would have put them."""
    home = tmp_path / "hub" / "models--facebook--musicgen-small"
    snapshot = home / "snapshots" / COMMIT
    for folder in (home / "refs", snapshot):
        folder.mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    for name, content in musicgen_files(100).items():
        (snapshot / name).write_bytes(content)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_a_batch_is_a_path_a_line_and_its_exports_are_numbered(installed, tmp_path):
    words = ("steps 1", "--backend", "musicgen", "--batch", "3", "--seed", "7")
    done = lofi(PUPPET, "generate", *words)
    assert [Path(line).is_file() for line in done.stdout.splitlines()] == [True] * 3
    assert lofi(PUPPET, "generate", *words, "--out", str(tmp_path / "a.wav")).returncode == 0
    assert {path.name for path in tmp_path.glob("*.wav")} == {"a.wav", "a-2.wav", "a-3.wav"}


def test_what_is_asked_for_reaches_the_track(installed):
    done = lofi(
        PUPPET, "generate", "steps 1", "--backend", "musicgen", "--model", "small", "--temperature", "0.9",
        "--top-k", "100", "--top-p", "0.95", "--guidance-scale", "2.5", "--json",
    )  # fmt: skip
    asked = {"model": "small", "temperature": 0.9, "top_k": 100, "top_p": 0.95, "guidance_scale": 2.5}
    params = json.loads(done.stdout.splitlines()[-1])["tracks"][0]["params"]
    assert asked.items() <= params.items()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--model", "huge"), 2, "MusicGen has no model “huge”"),
        (("--model", "medium"), 1, "lofi download musicgen medium"),
        (("--top-p", "1.5"), 2, "top_p must lie between 0 and 1"),
        (("--guidance-scale", "0"), 2, "guidance_scale must lie between 1 and 30"),
        (("--batch", "9"), 2, "batch_size must lie between 1 and 8"),
        (("--bpm", "70"), 2, "MusicGen has no “bpm”"),
    ],
)
def test_what_musicgen_cannot_do_is_a_sentence(installed, words, code, sentence):
    done = lofi(PUPPET, "generate", "steps 1", "--backend", "musicgen", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr


def test_the_composer_passes_its_selftest():
    done = lofi(REAL, "selftest", "synth", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["ok"]
    assert [finding["level"] for finding in told["findings"]] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("musicgen",), 1, "lofi download musicgen"),
        (("musicgen", "huge"), 2, "choose one of small, medium"),
        (("ace_step",), 1, "not part of this version"),
        (("nope",), 2, "no backend"),
    ],
)
def test_a_backend_that_is_not_here_cannot_be_tested(words, code, sentence):
    done = lofi(REAL, "selftest", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
