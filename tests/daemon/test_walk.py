"""The whole walk with nothing replaced: raw lines, the real front, the real worker, the real composer."""

import json
import subprocess
import sys

import pytest
import soundfile
from support.raw_daemon import REAL, RawDaemon


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def daemon(cache, isolated_session):
    with RawDaemon(cache, REAL) as daemon:
        yield daemon


REQUEST = {"prompt": "rainy night, mellow rhodes", "duration_sec": 8, "seed": 7, "bpm": 75, "keyscale": "D minor"}


@pytest.fixture(scope="module")
def done(daemon):
    job = daemon.result("generate", REQUEST)["job_id"]
    end = daemon.end_of(job)
    assert end["method"] == "generation_complete", end
    return end["params"]


def test_the_track_on_disk_is_what_the_notification_says(done):
    info = soundfile.info(done["path"])
    assert info.format == "FLAC"
    assert info.subtype == "PCM_16"
    assert (info.samplerate, info.channels) == (done["sample_rate"], 2)
    assert info.frames == round(8 * info.samplerate)


def test_the_track_keeps_the_parameters_that_were_really_used(done):
    params = done["tracks"][0]["params"]
    assert (params["seed"], params["bpm"], params["keyscale"]) == (7, 75, "D minor")
    assert params["backend"] == done["backend"] == "synth"
    assert done["model_version"].startswith("synth")
    assert done["lm_metadata"]["bpm"] == 75


def test_the_same_request_gives_the_same_bytes_in_another_library(done, tmp_path):
    with RawDaemon(tmp_path, REAL) as other:
        job = other.result("generate", REQUEST)["job_id"]
        again = other.end_of(job)["params"]
    assert again["track_id"] == done["track_id"]
    ours, _ = soundfile.read(done["path"], dtype="int16")
    theirs, _ = soundfile.read(again["path"], dtype="int16")
    assert (ours == theirs).all()


def test_a_second_daemon_on_the_same_library_finds_the_track(done, cache):
    with RawDaemon(cache, REAL) as second:
        assert second.result("generate", REQUEST)["status"] == "cached"


def test_reindex_brings_the_library_back_from_the_files(done, cache, daemon):
    daemon.result("track_favorite", {"track_id": done["track_id"]})
    before = daemon.result("cache_get", {"track_id": done["track_id"]})
    copy = cache.parent / "copy"
    subprocess.run(["cp", "-r", str(cache), str(copy)], check=True)
    for index in copy.glob("index.sqlite3*"):
        index.unlink()
    with RawDaemon(copy, REAL) as other:
        after = other.result("cache_get", {"track_id": done["track_id"]})
    assert after["path"].startswith(str(copy))
    assert after | {"path": ""} == before | {"path": ""}


def test_a_long_track_can_be_cancelled_while_it_is_composed(daemon):
    job = daemon.result("generate", {"prompt": "ambient rain", "duration_sec": 600})["job_id"]
    daemon.wait(lambda m: m.get("method") == "generation_progress" and m["params"]["job_id"] == job
                and m["params"]["percent"] > 0)  # fmt: skip
    assert daemon.result("cancel", {"job_id": job})["cancelled"]
    assert daemon.end_of(job)["method"] == "generation_cancelled"


def test_the_composer_loads_no_torch():
    code = "import sys, lofi_daemon.backends.synth.engine as e; e.make_engine(); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_full_disk_is_a_named_error_and_the_next_track_works(tmp_path):
    """A file-size limit stands in for the full disk: the write of the track fails in the middle."""
    limited = (
        sys.executable, "-c",
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000));"
        "sys.argv = ['lofi-daemon', '--stdio', '--set', 'player.output=none', *sys.argv[1:]];"
        "runpy.run_module('lofi_daemon', run_name='__main__')",
    )  # fmt: skip
    with RawDaemon(tmp_path, limited) as daemon:
        end = daemon.end_of(daemon.result("generate", {"prompt": "x", "duration_sec": 20})["job_id"])
        assert (end["method"], end["params"]["code"]) == ("generation_error", "CACHE_WRITE_ERROR")
        assert daemon.result("ping")["status"] == "ok"
        assert daemon.result("cache_list")["total"] == 0
        assert not list(tmp_path.glob("tracks/*/*"))


def test_the_published_client_works_unchanged(tmp_path):
    """What willibrandon/lofi.nvim's Lua client does: `--daemon`, `[]` for no parameters, no backend named, and
    it reads track_id, percent, path, duration_sec and backend."""
    command = (sys.executable, "-m", "lofi_daemon", "--daemon", "--set", "player.output=none")
    with RawDaemon(tmp_path, command, env={"LOFI_DEVICE": "auto"}) as daemon:
        daemon.write(b'{"jsonrpc":"2.0","id":901,"method":"get_backends","params":[]}\n')
        backends = daemon.wait(lambda m: m.get("id") == 901)["result"]
        assert backends["default_backend"] in {b["type"] for b in backends["backends"]}
        params = {"prompt": "lofi beats", "duration_sec": 10, "priority": "normal"}
        line = json.dumps({"jsonrpc": "2.0", "id": 902, "method": "generate", "params": params})
        daemon.write(line.encode() + b"\n")
        reply = daemon.wait(lambda m: m.get("id") == 902)["result"]
        assert {"track_id", "status", "position", "seed", "backend"} <= reply.keys()
        end = daemon.end_of(reply["job_id"])["params"]
        assert end["track_id"] == reply["track_id"]
        assert {"path", "duration_sec", "sample_rate", "prompt", "seed", "generation_time_sec", "model_version",
                "backend"} <= end.keys()  # fmt: skip
        progress = daemon.notifications("generation_progress")[-1]["params"]
        assert progress["track_id"] == reply["track_id"]
        assert isinstance(progress["percent"], int)
