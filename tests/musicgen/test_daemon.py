"""The whole daemon with a tiny model that it fetched itself, through raw lines. Most tests share one daemon: its worker
takes seconds to import torch."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.fake_hub import COMMIT, FakeHub
from support.raw_daemon import REAL, RawDaemon
from support.sound_card import SoundCards

from lofi_daemon.jobs.eta import MEANINGFUL_SEC

REPO = "facebook/musicgen-small"
LONG = 200.0
"""Seconds: torch is imported, on a machine that has other things to do."""
VERSION = f"musicgen-small@{COMMIT[:12]}/int8/"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def home(mono, built, tmp_path_factory):
    """Where its folders are: the C step is compiled, the models folder is empty."""
    home = tmp_path_factory.mktemp("home")
    (home / "cache" / "lofi.nvim").mkdir(parents=True)
    (home / "cache" / "lofi.nvim" / "native").symlink_to(built)
    return home


@pytest.fixture(scope="module")
def env(home, mono):
    files = {path.name: path.read_bytes() for path in mono.folder.iterdir()} | {"pytorch_model.bin": b"a pickle"}
    with FakeHub({REPO: files}) as hub:
        yield {"HF_ENDPOINT": hub.url, "XDG_CACHE_HOME": str(home / "cache"), "LOFI_MODEL_PATH": str(home / "models")}


@pytest.fixture(scope="module")
def daemon(home, env, brake):
    cards = SoundCards(home, "card", speed=1.0)
    settings = ("worker_nice=0", "player.output=sounddevice")
    with RawDaemon(home / "library", REAL, *settings, env=env | cards.env | brake.env) as daemon:
        fetch(daemon)
        yield daemon
    cards.close()


def fetch(daemon):
    daemon.result("download_backend", {"backend": "musicgen"})
    daemon.wait(lambda m: m.get("method") == "backend_status" and m["params"]["status"] == "ready")


def backend(daemon):
    return next(one for one in daemon.result("get_backends")["backends"] if one["type"] == "musicgen")


def generate(daemon, seconds=5, **more):
    return daemon.result("generate", {"prompt": "slow piano", "duration_sec": seconds, "seed": 1} | more)


def finished(daemon, job):
    end = daemon.end_of(job["job_id"], LONG)
    assert end["method"] == "generation_complete", end
    return end["params"]


def progress(daemon, job):
    told = [m["params"] for m in daemon.notifications("generation_progress")]
    return [one for one in told if one["job_id"] == job["job_id"]]


def begun(daemon, job):
    """Waits until it is at it."""
    daemon.wait(lambda m: m.get("method") == "generation_progress" and m["params"]["job_id"] == job["job_id"], LONG)


def worker_of(daemon):
    done = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in done.stdout.splitlines()]
    mine = (int(row[0]) for row in rows if int(row[1]) == daemon.process.pid and "engine.worker" in row[2])
    return next(mine, None)


def test_the_composer_plays_until_the_weights_are_here(tmp_path, env):
    with RawDaemon(tmp_path / "library", REAL, f"model_path={tmp_path / 'models'}", env=env) as daemon:
        before = backend(daemon)
        assert (before["status"], before["weights"][0]["status"]) == ("not_installed", "absent")
        refused = daemon.error("generate", {"prompt": "x", "backend": "musicgen"})
        assert refused["data"]["code"] == "BACKEND_NOT_INSTALLED"
        assert "lofi download musicgen" in refused["message"]
        assert generate(daemon)["backend"] == "synth"
        fetch(daemon)
        after = backend(daemon)
        assert (after["status"], after["weights"][0]["status"]) == ("ready", "ready")
        assert not list(Path(after["weights"][0]["path"]).glob("*.bin")), "no pickle is fetched"
        assert generate(daemon, job_id="neural")["backend"] == "musicgen"


def test_auto_means_musicgen_now_which_is_heard_while_it_is_made(daemon, brake):
    with brake.on():
        job = generate(daemon, 60, auto_play=True)
        assert job["backend"] == "musicgen"
        daemon.wait(lambda m: m.get("method") == "playback_started", LONG)
        time.sleep(MEANINGFUL_SEC)
    done = finished(daemon, job)
    told = progress(daemon, job)
    percents = [one["percent"] for one in told]
    assert percents == sorted(percents) and len(set(percents)) > 5
    assert any(one["eta_sec"] for one in told)
    assert told[-1]["total_steps"] == 600 + 3 * 3, "tokens, and the delays of three windows"
    (track,) = done["tracks"]
    assert (track["backend"], track["duration_sec"], track["sample_rate"]) == ("musicgen", 60, 6400)
    assert track["model_version"].startswith(VERSION)
    assert track["lm_metadata"] == {"precision": "int8"}
    asked = ("model", "guidance_scale", "temperature", "top_k", "top_p")
    assert [track["params"][name] for name in asked] == ["small", 3.0, 1.0, 50, 1.0]
    assert daemon.result("status")["engine"]["loaded"] == ["musicgen"]


def test_the_same_request_is_answered_from_the_library_however_it_is_put(daemon):
    job = generate(daemon, 5, seed=20)
    finished(daemon, job)
    put = generate(daemon, 5, seed=20, backend="musicgen", model="small", guidance_scale=3, top_k=50, top_p=1)
    assert (put["status"], put["track_id"]) == ("cached", job["track_id"])
    assert generate(daemon, 5, seed=20, top_k=49)["track_id"] != job["track_id"]


def test_a_batch_is_tracks_that_their_seeds_make_alone(daemon):
    both = finished(daemon, generate(daemon, 5, seed=30, batch_size=2))["tracks"]
    alone = generate(daemon, 5, seed=31)
    assert (alone["status"], alone["track_id"]) == ("cached", both[1]["id"])


def test_a_track_goes_on_from_another_and_says_so(daemon):
    first = finished(daemon, generate(daemon, 5, seed=35))["tracks"][0]
    wish = {"stage_type": "continue", "src_audio_id": first["id"][:8]}
    (track,) = finished(daemon, generate(daemon, 6, seed=36, **wish))["tracks"]
    params = track["params"]
    assert (params["stage_type"], params["src_audio_id"], params["overlap_sec"]) == ("continue", first["id"], 2)
    assert (track["parent_ids"], track["duration_sec"]) == ([first["id"]], 6)
    again = {"seed": 36, "stage_type": "continue", "src_audio_id": first["id"]}
    assert generate(daemon, 6, **again, overlap_sec=2)["status"] == "cached"
    assert generate(daemon, 6, **again, overlap_sec=1)["track_id"] != track["id"]
    unknown = {"prompt": "rain", "stage_type": "continue", "src_audio_id": "abcdef01"}
    error = daemon.error("generate", unknown)["data"]
    assert (error["code"], error["field"]) == ("INVALID_TRACK_ID", "src_audio_id")


def test_a_stage_of_a_pipeline_goes_on_from_what_another_backend_made(daemon):
    shared = {"prompt": "rain", "seed": 39, "duration_sec": 6}
    stages = [{"backend": "synth", "preview": True}, {"backend": "musicgen", "stage_type": "continue", "src_stage": 0}]
    run = daemon.result("pipeline_run", {"shared": shared, "stages": stages})
    (track,) = finished(daemon, run)["tracks"]
    ends = [m["params"] for m in daemon.notifications("stage_complete") if m["params"]["job_id"] == run["job_id"]]
    (source,) = ends[0]["tracks"]
    assert (source["backend"], track["backend"], track["parent_ids"]) == ("synth", "musicgen", [source["id"]])
    assert track["params"]["src_audio_id"] == source["id"]
    wish = shared | {"backend": "musicgen", "stage_type": "continue", "src_audio_id": source["id"]}
    assert daemon.result("generate", wish)["status"] == "cached", "from the library it is the same track"
    refused = daemon.error("generate", wish | {"src_latent_id": "abcdef"})
    assert refused["data"]["field"] == "src_latent_id" and "not from a latent" in refused["message"]


def test_what_continues_the_track_that_plays_waits_for_its_end(daemon):
    first = generate(daemon, 5, seed=37, auto_play=True)
    daemon.wait(lambda m: m.get("method") == "playback_started" and m["params"]["track_id"] == first["track_id"], LONG)
    finished(daemon, first)
    wish = {"stage_type": "continue", "src_audio_id": first["track_id"]}
    second = generate(daemon, 5, seed=38, auto_play=True, **wish)
    daemon.wait(lambda m: m.get("method") == "playback_started" and m["params"]["track_id"] == second["track_id"], LONG)
    ended = [m["params"] for m in daemon.notifications("playback_ended")]
    assert {"track_id": first["track_id"], "reason": "finished"} in ended
    daemon.result("stop")


def test_the_radio_goes_on_from_the_track_it_made(daemon):
    def made():
        ends = [m["params"]["tracks"][0] for m in daemon.notifications("generation_complete")]
        return [track for track in ends if track["prompt"] == "radio" and track["backend"] == "musicgen"]

    daemon.result("radio_start", {"prompt": "radio", "backend": "musicgen", "duration_sec": 5})
    daemon.wait(lambda m: len(made()) >= 3, LONG)
    first, second, third = made()[:3]
    assert "src_audio_id" not in first["params"]
    assert [second["parent_ids"], third["parent_ids"]] == [[first["id"]], [second["id"]]]
    daemon.result("stop")
    daemon.wait(lambda m: m.get("method") == "radio_changed" and not m["params"]["active"])


def test_a_cancel_ends_it_at_once_and_the_model_stays(daemon, brake):
    with brake.on():
        job = generate(daemon, 120, seed=40)
        begun(daemon, job)
        worker = worker_of(daemon)
        assert daemon.result("cancel", {"job_id": job["job_id"]}) == {"cancelled": True, "was_generating": True}
    assert daemon.end_of(job["job_id"])["method"] == "generation_cancelled"
    finished(daemon, generate(daemon, 5, seed=41))
    assert worker_of(daemon) == worker


def test_a_killed_worker_fails_its_job_and_the_next_is_made(daemon, brake):
    with brake.on():
        job = generate(daemon, 120, seed=50)
        begun(daemon, job)
        os.kill(worker_of(daemon), signal.SIGKILL)
    failed = daemon.end_of(job["job_id"])["params"]
    assert (failed["code"], "killed" in failed["message"]) == ("MODEL_INFERENCE_FAILED", True)
    assert daemon.result("status")["engine"]["loaded"] == []
    finished(daemon, generate(daemon, 5, seed=51))


def test_unloading_frees_it_and_the_next_request_loads_it_again(daemon):
    finished(daemon, generate(daemon, 5, seed=61))
    assert daemon.result("unload_backend", {"backend": "musicgen"}) == {"unloaded": ["musicgen"]}
    assert daemon.result("status")["engine"]["loaded"] == []
    assert daemon.result("unload_backend", {"backend": "musicgen"}) == {"unloaded": []}
    finished(daemon, generate(daemon, 5, seed=60))


def test_another_precision_is_another_track_and_the_idle_model_leaves(daemon, home, env):
    (known,) = finished(daemon, generate(daemon, 5, seed=70))["tracks"]
    settings = ("worker_nice=0", "musicgen_precision=float32", "idle_unload_min=0.005")
    with RawDaemon(home / "other", REAL, *settings, env=env) as other:
        (track,) = finished(other, generate(other, 5, seed=70))["tracks"]
        assert track["id"] != known["id"]
        assert track["model_version"] == known["model_version"].replace("/int8/", "/float32/")
        while worker_of(other) or other.result("status")["engine"]["loaded"]:
            time.sleep(0.05)
