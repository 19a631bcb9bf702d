"""The whole daemon, spoken to in raw lines. The worker is a puppet here, so that jobs last as long as a test needs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.raw_daemon import PUPPET, REAL, RawDaemon

from lofi_daemon import config


@pytest.fixture
def daemon(tmp_path):
    with RawDaemon(tmp_path / "cache") as daemon:
        yield daemon


def generate(daemon, prompt, **more):
    return daemon.result("generate", {"prompt": prompt, **more})


def test_ping_says_who_is_there(daemon):
    reply = daemon.result("ping")
    assert reply["status"] == "ok"
    assert reply["protocol"] == 1
    assert reply["pid"] == daemon.process.pid
    assert reply["version"]


def test_the_front_loads_nothing_heavy():
    code = """
import sys, lofi_daemon.app, lofi_daemon.__main__
heavy = ("torch", "transformers", "diffusers", "scipy", "numpy", "soundfile", "sounddevice")
print([m for m in heavy if m in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_track_is_made_kept_and_found(daemon):
    reply = generate(daemon, "steps 3", seed=7)
    assert reply["status"] == "generating"
    assert (reply["position"], reply["seed"], reply["backend"]) == (0, 7, "synth")
    assert len(reply["track_id"]) == 64
    assert reply["track_ids"] == [reply["track_id"]]
    done = daemon.end_of(reply["job_id"])
    assert done["method"] == "generation_complete"
    params = done["params"]
    assert params["cached"] is False
    assert params["track_id"] == params["tracks"][0]["id"] == reply["track_id"]
    assert Path(params["path"]).exists()
    assert daemon.result("cache_get", {"track_id": reply["track_id"][:8]})["id"] == reply["track_id"]
    assert daemon.result("cache_list")["total"] == 1


def test_the_second_time_it_comes_from_the_library_and_still_completes_once(daemon):
    first = generate(daemon, "steps 1", seed=7)
    daemon.end_of(first["job_id"])
    again = generate(daemon, "steps 1", seed=7, job_id="again")
    assert (again["status"], again["track_id"]) == ("cached", first["track_id"])
    done = daemon.end_of("again")
    assert done["params"]["cached"] is True
    assert not [m for m in daemon.notifications("generation_started") if m["params"]["job_id"] == "again"]


def test_the_reply_leaves_before_the_first_notification_of_its_job(daemon):
    for i in range(5):
        generate(daemon, "steps 1", seed=1, job_id=f"j{i}")
        daemon.end_of(f"j{i}")
    order = [m["result"]["job_id"] if "id" in m else m["params"].get("job_id") for m in daemon.heard]
    for i in range(5):
        first = order.index(f"j{i}")
        assert "id" in daemon.heard[first]


def test_progress_is_monotone_and_below_100(daemon):
    job = generate(daemon, "steps 60")["job_id"]
    daemon.end_of(job)
    told = [m["params"] for m in daemon.notifications("generation_progress")]
    percents = [p["percent"] for p in told]
    assert percents == sorted(percents)
    assert percents[-1] <= 99
    assert {5 * (p // 5) for p in percents} >= set(range(0, 100, 5))
    assert {"job_id", "track_id", "current_step", "total_steps", "eta_sec", "stage_index", "stages"} <= told[0].keys()


def test_one_runs_five_wait_the_sixth_is_refused(daemon):
    running = generate(daemon, "deaf")["job_id"]
    positions = [generate(daemon, f"steps {i}", job_id=f"w{i}")["position"] for i in range(1, 6)]
    assert positions == [1, 2, 3, 4, 5]
    error = daemon.error("generate", {"prompt": "steps 9"})
    assert error["data"]["code"] == "QUEUE_FULL"
    status = daemon.result("queue_status")
    assert status["current"]["job_id"] == running
    assert [p["job_id"] for p in status["pending"]] == ["w1", "w2", "w3", "w4", "w5"]
    assert daemon.result("queue_clear") == {"cleared": 5}
    for i in range(1, 6):
        assert daemon.end_of(f"w{i}")["method"] == "generation_cancelled"


def test_priorities_decide_who_is_next(daemon, go):
    running = generate(daemon, "steps 2 hold")["job_id"]
    for name, priority in [("l", "low"), ("n1", "normal"), ("h", "high"), ("n2", "normal")]:
        generate(daemon, "steps 1", priority=priority, job_id=name)
    go()
    for name in ("l", "n1", "h", "n2"):
        daemon.end_of(name)
    order = [m["params"]["job_id"] for m in daemon.notifications("generation_started")]
    assert order == [running, "h", "n1", "n2", "l"]


def test_a_request_for_a_track_in_the_making_joins_that_job(daemon, go):
    first = generate(daemon, "steps 2 hold", seed=3)
    second = generate(daemon, "steps 2 hold", seed=3, job_id="mine")
    go()
    assert second["job_id"] == first["job_id"]
    daemon.end_of(first["job_id"])
    assert len(daemon.notifications("generation_complete")) == 1


def test_a_running_job_stops_at_its_next_step(daemon):
    reply = generate(daemon, "steps 1000")
    daemon.wait(lambda m: m.get("method") == "generation_progress" and m["params"]["percent"] > 0)
    assert daemon.result("cancel", {"track_id": reply["track_id"][:10]}) == {"cancelled": True, "was_generating": True}
    end = daemon.end_of(reply["job_id"])
    assert end["method"] == "generation_cancelled"
    assert 0 < end["params"]["at_step"] < 1000
    assert generate(daemon, "steps 1")["status"] == "generating"


def test_a_deaf_backend_is_ended_the_hard_way_and_the_worker_comes_back(daemon):
    reply = generate(daemon, "deaf")
    daemon.wait(lambda m: m.get("method") == "generation_progress")
    daemon.result("cancel", {"job_id": reply["job_id"]})
    assert daemon.end_of(reply["job_id"])["method"] == "generation_cancelled"
    again = generate(daemon, "steps 1")
    assert daemon.end_of(again["job_id"])["method"] == "generation_complete"


def test_a_crashed_worker_fails_its_job_and_the_next_one_works(daemon):
    reply = generate(daemon, "crash")
    end = daemon.end_of(reply["job_id"])
    assert (end["method"], end["params"]["code"]) == ("generation_error", "MODEL_INFERENCE_FAILED")
    assert daemon.end_of(generate(daemon, "steps 1")["job_id"])["method"] == "generation_complete"


def test_a_backend_failure_keeps_its_name(daemon):
    end = daemon.end_of(generate(daemon, "fail MODEL_LOAD_FAILED")["job_id"])
    assert (end["method"], end["params"]["code"]) == ("generation_error", "MODEL_LOAD_FAILED")


@pytest.mark.parametrize("target", [{"job_id": "nobody"}, {"track_id": "abcdef12"}, {"track_id": "ab"}])
def test_cancelling_what_is_not_there_is_a_named_error(daemon, target):
    assert daemon.error("cancel", target)["data"]["code"] == "JOB_NOT_FOUND"


def test_cancel_without_a_name_says_what_it_wants(daemon):
    assert daemon.error("cancel", {})["data"]["code"] == "INVALID_PARAMS"


@pytest.mark.parametrize(
    ("method", "params", "name", "field"),
    [
        ("generate", {}, "INVALID_PROMPT", "prompt"),
        ("generate", {"prompt": ""}, "INVALID_PROMPT", "prompt"),
        ("generate", {"prompt": "x" * 513}, "INVALID_PROMPT", "prompt"),
        ("generate", {"prompt": 7}, "INVALID_PARAMS", "prompt"),
        ("generate", {"prompt": "x", "duration_sec": 601}, "INVALID_DURATION", "duration_sec"),
        ("generate", {"prompt": "x", "duration_sec": "long"}, "INVALID_PARAMS", "duration_sec"),
        ("generate", {"prompt": "x", "backend": "suno"}, "INVALID_BACKEND", "backend"),
        ("generate", {"prompt": "x", "scheduler": "euler"}, "INVALID_SCHEDULER", "scheduler"),
        ("generate", {"prompt": "x", "seed": -1}, "INVALID_SEED", "seed"),
        ("generate", {"prompt": "x", "priority": "urgent"}, "INVALID_PARAMS", "priority"),
        ("generate", {"prompt": "x", "job_id": "no spaces"}, "INVALID_PARAMS", "job_id"),
        ("generate", {"prompt": "x", "job_id": ""}, "INVALID_PARAMS", "job_id"),
        ("generate", {"prompt": "x", "tempo": 80}, "INVALID_PARAMS", "tempo"),
        ("generate", {"prompt": "x", "backend": "musicgen"}, "BACKEND_NOT_INSTALLED", "backend"),
        ("generate", {"prompt": "x", "backend": "musicgen", "duration_sec": 999}, "INVALID_DURATION", "duration_sec"),
        ("cache_get", {"track_id": "zz"}, "INVALID_TRACK_ID", None),
        ("cache_get", {"track_id": "../../etc/passwd"}, "INVALID_TRACK_ID", None),
        ("cache_get", {}, "INVALID_PARAMS", "track_id"),
        ("cache_delete", {"track_id": "f" * 64}, "INVALID_TRACK_ID", None),
        ("cache_list", {"limit": 201}, "INVALID_PARAMS", "limit"),
        ("cache_list", {"sort": "smell"}, "INVALID_PARAMS", "sort"),
        ("play", {}, "INVALID_TRACK_ID", None),
        ("play", {"track_id": "abcdef"}, "INVALID_TRACK_ID", None),
        ("volume_set", {"level": 1.5}, "INVALID_PARAMS", "level"),
        ("volume_set", {"level": -0.1}, "INVALID_PARAMS", "level"),
        ("volume_set", {}, "INVALID_PARAMS", "level"),
        ("unload_backend", {"backend": "suno"}, "INVALID_BACKEND", "backend"),
        ("ping", {"loud": True}, "INVALID_PARAMS", "loud"),
        ("sing", {}, "METHOD_NOT_FOUND", None),
        ("pipeline_run", {}, "INVALID_PARAMS", "stages"),
        ("latent_list", {"limit": 0}, "INVALID_PARAMS", "limit"),
        ("seek", {"position_sec": -1}, "INVALID_PARAMS", "position_sec"),
        ("seek", {"position_sec": "late"}, "INVALID_PARAMS", "position_sec"),
        ("crossfade_set", {"duration_sec": 31}, "INVALID_PARAMS", "duration_sec"),
        ("crossfade_set", {}, "INVALID_PARAMS", "duration_sec"),
        ("playlist_add", {}, "INVALID_PARAMS", "track_id"),
        ("playlist_add", {"track_id": "abcdef"}, "INVALID_TRACK_ID", "track_id"),
        ("playlist_remove", {"track_id": "abcdef"}, "INVALID_TRACK_ID", "track_id"),
        ("playlist_mode", {"loop": "twice"}, "INVALID_PARAMS", "loop"),
        ("playlist_mode", {"shuffle": 1}, "INVALID_PARAMS", "shuffle"),
        ("separate", {"track_id": "x"}, "METHOD_NOT_FOUND", None),
    ],
)
def test_bad_input_gets_its_named_error_and_the_daemon_goes_on(daemon, method, params, name, field):
    error = daemon.error(method, params)
    assert error["data"]["code"] == error["data"]["error_code"] == name
    if field:
        assert error["data"]["field"] == field
    assert "Traceback" not in json.dumps(error)
    assert daemon.result("ping")["status"] == "ok"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not json\n", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"p\xff\xfeing"}\n', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"y" * (9 << 20) + b'"}}\n', -32600),
        (b'{"id":99}\n', -32600),
    ],
)
def test_bad_lines_are_answered_and_the_next_one_is_read(daemon, line, code):
    daemon.write(line)
    assert daemon.wait(lambda m: "error" in m)["error"]["code"] == code
    assert daemon.result("ping")["status"] == "ok"


def test_a_request_cut_into_single_bytes_is_read(daemon):
    for byte in b'{"jsonrpc":"2.0","id":"slow","method":"ping"}\n':
        daemon.write(bytes([byte]))
    assert daemon.wait(lambda m: m.get("id") == "slow")["result"]["status"] == "ok"


def test_status_tells_of_every_room(daemon):
    reply = generate(daemon, "deaf")
    daemon.wait(lambda m: m.get("method") == "generation_progress")
    status = daemon.result("status")
    assert status["generation"]["job_id"] == reply["job_id"]
    assert status["queue"] == {"pending": []}
    assert status["sleep"] == {"ends_in_sec": None}
    assert status["focus"]["active"] is False
    assert status["playback"]["state"] in ("stopped", "no_device")
    assert status["cache"]["count"] == 0
    assert status["engine"] == {"device": "puppet", "execution_mode": "gpu_allowed", "loaded": ["synth"]}


def test_backends_are_told_as_they_are(daemon):
    reply = daemon.result("get_backends")
    by_type = {b["type"]: b for b in reply["backends"]}
    assert set(by_type) == {"synth", "musicgen", "ace_step", "ace_step_15"}
    assert by_type["synth"]["status"] == "ready"
    assert by_type["musicgen"]["status"] == "not_installed"
    assert by_type["musicgen"]["message"]
    assert reply["default_backend"] == "synth"
    for backend in reply["backends"]:
        assert {"name", "min_duration_sec", "max_duration_sec", "sample_rate", "model_version"} <= backend.keys()


def test_unload_is_refused_while_generating_and_works_after(daemon, go):
    job = generate(daemon, "steps 2 hold")["job_id"]
    assert daemon.error("unload_backend")["data"]["code"] == "BACKEND_NOT_READY"
    go()
    daemon.end_of(job)
    assert daemon.result("unload_backend") == {"unloaded": ["synth"]}
    assert daemon.result("status")["engine"]["loaded"] == []


def test_what_auto_means_is_said_once(daemon):
    for i in range(2):
        daemon.end_of(generate(daemon, "steps 1", job_id=f"j{i}")["job_id"])
    notices = [m for m in daemon.notifications("engine_notice") if "composer" in m["params"]["message"]]
    assert len(notices) == 1


def test_a_setting_that_does_not_fit_is_said_to_the_client(tmp_path):
    with RawDaemon(tmp_path, PUPPET, "threads=many") as daemon:
        notice = daemon.wait(lambda m: m.get("method") == "engine_notice")
        assert "threads" in notice["params"]["message"]
        assert daemon.result("ping")["status"] == "ok"


def test_a_limit_hook_in_the_config_file_refuses_before_anything_is_queued(tmp_path):
    (tmp_path / "quota.py").write_text(
        "def none(stages):\n    print('noise')\n    raise ValueError('no music on Sundays')\n"
    )
    file = config.config_file()
    file.parent.mkdir(parents=True)
    file.write_text('limit_hook = "quota:none"\n')
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    with RawDaemon(tmp_path / "cache", PUPPET, env=env) as daemon:
        error = daemon.error("generate", {"prompt": "x", "backend": "musicgen"})
        assert error["data"]["code"] == "QUOTA_EXCEEDED"  # asked before whether it is installed
        assert "Sundays" in error["message"]
        assert daemon.error("generate", {"prompt": "x", "duration_sec": 1})["data"]["code"] == "INVALID_DURATION"


def test_an_unwritable_cache_is_a_named_error_and_the_daemon_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with RawDaemon(tmp_path / "file" / "cache") as daemon:
        reply = daemon.call("generate", {"prompt": "steps 1"})
        if "error" in reply:
            assert reply["error"]["data"]["code"] == "CACHE_WRITE_ERROR"
        else:
            end = daemon.end_of(reply["result"]["job_id"])
            assert end["params"]["code"] == "CACHE_WRITE_ERROR"
        assert "error" in daemon.result("status")["cache"]
        assert daemon.error("cache_list")["data"]["code"] == "CACHE_WRITE_ERROR"
        assert daemon.result("ping")["status"] == "ok"


def test_the_end_of_stdin_ends_the_daemon_even_in_the_middle_of_a_job(tmp_path):
    daemon = RawDaemon(tmp_path)
    daemon.result("generate", {"prompt": "deaf"})
    daemon.wait(lambda m: m.get("method") == "generation_progress")
    daemon.process.stdin.close()
    assert daemon.process.wait(30) == 0


def test_requests_in_a_file_are_all_answered_before_the_end(tmp_path):
    requests = b"".join(
        json.dumps({"jsonrpc": "2.0", "id": i, "method": "cache_stats"}).encode() + b"\n" for i in range(50)
    )
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(requests.rstrip(b"\n"))
    with source.open("rb") as stdin, sink.open("wb") as stdout:
        subprocess.run(REAL, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, check=True, timeout=60)
    assert [json.loads(line)["id"] for line in sink.read_text().splitlines()] == list(range(50))


def test_shutdown_is_answered_then_live_jobs_are_said_to_be_cancelled(daemon):
    job = generate(daemon, "deaf")["job_id"]
    assert daemon.result("shutdown") == {"status": "shutting_down"}
    assert daemon.end_of(job)["method"] == "generation_cancelled"
    assert daemon.process.wait(30) == 0


def test_sigterm_says_goodbye_to_live_jobs_and_leaves(daemon):
    job = generate(daemon, "deaf")["job_id"]
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.end_of(job)["method"] == "generation_cancelled"
    assert daemon.process.wait(30) == 0


def test_prints_and_native_noise_never_reach_the_protocol(tmp_path):
    """Whatever the worker's libraries print, stdout stays JSON lines: RawDaemon fails on anything else."""
    with RawDaemon(tmp_path) as daemon:
        assert daemon.end_of(generate(daemon, "chatter")["job_id"])["method"] == "generation_complete"


def test_a_client_that_does_not_read_does_not_stall_the_daemon(tmp_path):
    """64 MiB of replies nobody reads; the jobs go on all the same."""
    process = subprocess.Popen(
        [*PUPPET, "player.output=none"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"LOFI_CACHE_PATH": str(tmp_path)},
    )  # fmt: skip
    big = json.dumps({"jsonrpc": "2.0", "id": "x" * 100_000, "method": "ping"}).encode() + b"\n"
    process.stdin.write(big * 100)
    request = {"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "steps 1", "seed": 1}}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    end = time.monotonic() + 60
    while not list(tmp_path.glob("tracks/*/*.flac")):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.stdin.close()
    process.stdout.close()
    process.wait(30)
