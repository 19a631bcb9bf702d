"""What `lofi generate` can ask ACE-Step for, and `lofi latents`, with a worker that is a puppet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PUPPET = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """Files by the names of ACE-Step's, as its own program lays them out."""
    for name in ("config.json", "model.safetensors", "silence_latent.pt"):
        for folder in ("acestep-v15-turbo", "vae", "Qwen3-Embedding-0.6B"):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_text("{}")
    monkeypatch.setenv("LOFI_ACE_STEP_MODEL_PATH", str(tmp_path))


def lofi(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*PUPPET, *words], env=os.environ, input=stdin, capture_output=True, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(words, done.returncode, out, err)


def made(*words: str, stdin: bytes = b"") -> dict:
    """The track that `lofi generate` made."""
    done = lofi("generate", "latent", "--backend", "ace_step_15", "--json", *words, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])["tracks"][0]


def test_a_song_its_latents_and_what_goes_on_from_them(tmp_path):
    (tmp_path / "song.txt").write_bytes("\ufeff[verse]\r\nRün\r\n".encode())
    track = made(
        "--lyrics", str(tmp_path / "song.txt"), "--language", "de", "--scheduler", "sde", "--shift", "2", "--batch",
        "2", "--checkpoint-step", "3",
    )  # fmt: skip
    asked = {"lyrics": "[verse]\nRün", "vocal_language": "de", "scheduler": "sde", "shift": 2, "checkpoint_step": 3}
    assert asked.items() <= track["params"].items()
    listed = {row.split("\t")[0]: row.split("\t") for row in lofi("latents").stdout.splitlines()}
    final, checkpoint = (listed[track[name][:12]] for name in ("latent_id", "latent_checkpoint_id"))
    assert [row[4] for row in (final, checkpoint)] == ["-", "3"]
    assert lofi("latents", "pin", track["latent_id"][:8]).returncode == 0
    assert lofi("latents").stdout.count("\t*\t") == 1
    again = made("--latent", track["latent_id"][:8], "--t-start", "0.4", "--item", "1")
    used = {"init_latent_id": track["latent_id"], "t_start": 0.4, "resume_sample_index": 1}
    assert used.items() <= again["params"].items()
    sung = made("--lyrics", "-", stdin=b"la la\n")
    assert sung["params"]["lyrics"] == "la la"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--lyrics", "nowhere.txt"), 2, "cannot be read (No such file"),
        (("--lyrics", "-"), 2, "no words in -"),
        (("--latent", "abcdef", "--t-start", "0.5"), 3, "abcdef"),
        (("--t-start", "1.5"), 2, "t_start must lie between 0 and 1"),
        (("--scheduler", "warp"), 2, "choose one of euler, heun, pingpong, sde"),
    ],
)
def test_what_does_not_fit_is_a_sentence(words, code, sentence):
    done = lofi("generate", "latent", "--backend", "ace_step_15", *words)
    assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr
