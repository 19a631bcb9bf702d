"""MusicGen as a user lives with it: a real Neovim, the real daemon and worker, a tiny model from a hub on localhost."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from e2e.conftest import card, open_editor  # noqa: F401  the fixtures
from support.editor import assert_calm, heard, wait_for_event
from support.fake_hub import COMMIT, FakeHub

from lofi_daemon.jobs.eta import MEANINGFUL_SEC

LONG = 200.0
"""Seconds: torch is imported, on a machine that has other things to do."""
pytestmark = pytest.mark.timeout(600)

DAEMON = [sys.executable, "-m", "lofi_daemon"]
MAIN = "import sys; from lofi_daemon.cli import main; sys.exit(main())"
REPO = "facebook/musicgen-small"
BIG = "model.safetensors"
RECORD_STATUS = """
_G.statuses = {}
require('lofi').on('backend_status', function(data)
  table.insert(_G.statuses, data.backend .. ' ' .. data.model .. ': ' .. data.status .. ', ' .. data.weights)
end)
"""


@pytest.fixture(autouse=True)
def compiled(isolated, built):
    """The C step, where the daemon of this test looks for it."""
    from lofi_daemon.backends.musicgen.native import build

    build.folder().parent.mkdir(parents=True)
    build.folder().symlink_to(built)


@pytest.fixture
def hub(mono, monkeypatch):
    with FakeHub({REPO: {path.name: path.read_bytes() for path in mono.folder.iterdir()}}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def cached(mono, tmp_path, monkeypatch):
    """The model where Hugging Face's own library would have put it; its folder."""
    home = tmp_path / "hub" / "models--facebook--musicgen-small"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    snapshot = home / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for path in mono.folder.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


def put_cursor(editor, text):
    assert editor.lua("return vim.fn.search(..., 'w')", text), editor.text()


def line_with(editor, text):
    return next((line for line in editor.text().splitlines() if text in line), "")


def statuses(editor):
    return editor.lua("return _G.statuses")


def notices(editor):
    return [data["message"] for data in heard(editor, "LofiNotice")]


def test_from_not_installed_to_music_that_is_heard_while_it_is_made(open_editor, hub, card, brake):  # noqa: F811
    hub.tricks[BIG] = ["slow 10000"]
    environment = card.env | brake.env
    editor = open_editor(DAEMON, columns=110, environment=environment, player={"output": "sounddevice"}, worker_nice=0)
    editor.lua("vim.ui.select = function(items, opts, choose) choose(items[1], 1) end")
    editor.lua(RECORD_STATUS)
    editor.command("LofiBackends")
    editor.wait(lambda: "not installed" in line_with(editor, "MusicGen"))
    put_cursor(editor, "small")
    editor.type("d")
    editor.wait(hub.stalled.is_set)
    editor.wait(lambda: "downloading" in line_with(editor, "MusicGen"))
    hub.go_on.set()
    editor.wait(lambda: "ready" in line_with(editor, "MusicGen"))
    editor.type("q")
    before = len(statuses(editor))

    request = "slow piano backend=musicgen model=small temperature=0.9 top_k=100 duration=30 seed=4"
    with brake.on():
        editor.command(f"LofiGenerate {request}")
        editor.command("LofiBackends")
        editor.wait(lambda: "loading" in line_with(editor, "MusicGen"))
        editor.wait(lambda: any("loading musicgen small" in line for line in editor.seen))
        editor.wait(lambda: "in memory" in editor.text(), LONG)
        editor.wait("require('lofi').status().playback.state == 'playing'", LONG)
        time.sleep(MEANINGFUL_SEC)
        assert not heard(editor, "LofiDone")
    assert statuses(editor)[before:] == ["musicgen small: loading, ready", "musicgen small: ready, ready"]
    done = wait_for_event(editor, "LofiDone")[0]
    progress = heard(editor, "LofiProgress")
    assert any(data.get("eta_sec") for data in progress)
    assert progress[-1]["total_steps"] > 30 * 10
    track = done["tracks"][0]
    assert track["model_version"].startswith(f"musicgen-small@{COMMIT[:12]}/int8/")
    assert (track["params"]["temperature"], track["params"]["top_k"], track["duration_sec"]) == (0.9, 100, 30)
    put_cursor(editor, "MusicGen")
    editor.type("u")
    editor.wait(lambda: "in memory" not in editor.text())
    assert_calm(editor)


def test_auto_takes_it_and_what_is_missing_or_damaged_is_a_sentence(open_editor, cached):  # noqa: F811
    editor = open_editor(DAEMON, columns=200, auto_play=False, player={"output": "none"}, worker_nice=0)
    editor.command("LofiGenerate rain model=medium")
    editor.wait_for_text("The weights of MusicGen medium are not here")
    for seed in (1, 2):
        editor.command(f"LofiGenerate rain duration=5 seed={seed} guidance_scale=1")
        editor.wait(lambda seed=seed: len(heard(editor, "LofiDone")) == seed, LONG)
    assert heard(editor, "LofiDone")[0]["backend"] == "musicgen"
    assert sum(notice.startswith("MusicGen makes the music") for notice in notices(editor)) == 1

    first = heard(editor, "LofiDone")[0]["track_id"]
    editor.command(f"LofiGenerate rain stage=continue source={first[:8]} duration=5 seed=1 guidance_scale=1")
    track = wait_for_event(editor, "LofiDone", 3)[2]["tracks"][0]
    assert (track["params"]["src_audio_id"], track["parent_ids"]) == (first, [first])
    assert f"stage=continue source={first} overlap=2" in editor.lua(
        "return require('lofi.library.again').line(...)", track
    )
    editor.lua("require('lofi.library.again').vary(...)", track)
    other = wait_for_event(editor, "LofiDone", 4)[3]["tracks"][0]
    assert other["params"]["src_audio_id"] == first and other["seed"] != 1

    editor.command("LofiBackends")
    editor.wait(lambda: line_with(editor, "MusicGen"))
    editor.type("q")
    completed = editor.lua("return vim.fn.getcompletion('LofiGenerate rain model=stereo-m', 'cmdline')")
    assert completed == ["model=stereo-medium", "model=stereo-melody"]

    weights = cached / BIG
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[: len(content) // 2])
    editor.lua("require('lofi').request('unload_backend', { backend = 'musicgen' })")
    editor.command("LofiGenerate rain duration=5 seed=3")
    editor.wait(lambda: heard(editor, "LofiError"), LONG)
    problem = heard(editor, "LofiError")[-1]
    assert problem["code"] == "MODEL_LOAD_FAILED"
    assert "lofi download musicgen" in problem["message"]
    editor.wait(lambda: "This MusicGen model is damaged" in editor.last_line())
    editor.command("LofiGenerate rain duration=5 seed=3 backend=synth")
    wait_for_event(editor, "LofiDone", 5)
    assert_calm(editor)


def test_the_selftest_of_random_weights_finds_all_but_music(cached):
    command = [sys.executable, "-c", MAIN, "selftest", "musicgen", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 0, findings
    text = "\n".join(finding["text"] for finding in findings)
    for said in (
        "loads in",
        "int8 on cpu",
        "logits differ",
        "sound in parts",
        "5 s of music",
        "spectral flatness",
        "a continuation",
    ):
        assert said in text
