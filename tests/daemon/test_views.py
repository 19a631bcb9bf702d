"""What the editor's views ask and hear, in raw lines."""

from pathlib import Path

import pytest
from support.raw_daemon import RawDaemon
from support.shared_daemon import shared_runtime


@pytest.fixture
def daemon(tmp_path):
    with RawDaemon(tmp_path / "cache") as daemon:
        yield daemon


def make(daemon, **more):
    reply = daemon.result("generate", {"prompt": "steps 1", **more})
    return daemon.end_of(reply["job_id"])["params"]["tracks"][0]


def told(daemon, condition):
    return daemon.wait(lambda m: m.get("method") == "library_changed" and condition(m["params"]))["params"]


def test_a_library_view_hears_of_every_change(daemon):
    track = make(daemon, seed=7)
    assert told(daemon, lambda p: p["changed"]) == {"changed": [track], "removed": [], "reset": False}
    marked = daemon.result("track_favorite", {"track_id": track["id"]})
    assert told(daemon, lambda p: p["changed"] == [marked])["changed"][0]["favorite"] is True
    daemon.result("cache_delete", {"track_id": track["id"]})
    assert told(daemon, lambda p: p["removed"])["removed"] == [track["id"]]
    other = make(daemon, seed=8)
    daemon.result("cache_clear", {})
    assert told(daemon, lambda p: p["removed"] == [other["id"]])


def test_several_are_deleted_at_once_and_told_once(daemon):
    one, two = make(daemon, seed=1)["id"], make(daemon, seed=2)["id"]
    assert daemon.result("cache_delete", {"track_ids": [one, two[:16], "f" * 64]}) == {"deleted": [one, two]}
    assert told(daemon, lambda p: p["removed"])["removed"] == [one, two]
    for params in ({}, {"track_id": one, "track_ids": [two]}):
        assert daemon.error("cache_delete", params)["data"]["code"] == "INVALID_PARAMS"


def test_a_file_that_is_gone_is_told_when_it_is_asked_for(daemon):
    track = make(daemon)
    Path(track["path"]).unlink()
    assert daemon.error("cache_get", {"track_id": track["id"]})["data"]["code"] == "INVALID_TRACK_ID"
    assert told(daemon, lambda p: p["removed"] == [track["id"]])


def test_every_client_of_a_shared_daemon_hears_of_a_change(tmp_path, monkeypatch):
    with shared_runtime(tmp_path / "cache", monkeypatch) as runtime, runtime.bridge() as one, runtime.bridge() as two:
        two.result("ping")
        track = make(one)
        assert told(two, lambda p: p["changed"])["changed"] == [track]


def test_a_job_moves_within_the_line(daemon):
    running = daemon.result("generate", {"prompt": "deaf"})["job_id"]
    for name in ("a", "b", "c"):
        daemon.result("generate", {"prompt": f"steps 1 {name}", "job_id": name})
    queue = daemon.result("queue_move", {"job_id": "c", "position": 1})
    assert [job["job_id"] for job in queue["pending"]] == ["c", "a", "b"]
    assert daemon.result("queue_status") == queue
    assert daemon.notifications("queue_changed")[-1]["params"] == {"pending": 3}
    assert daemon.error("queue_move", {"job_id": running, "position": 1})["data"]["code"] == "JOB_NOT_FOUND"
    error = daemon.error("queue_move", {"job_id": "a", "position": 4})
    assert (error["data"]["code"], error["data"]["field"]) == ("INVALID_PARAMS", "position")
    assert error["message"] == "position must be between 1 and 3."


def test_a_waveform_is_drawn_of_what_is_in_the_library(daemon):
    track = make(daemon, prompt="long")
    drawn = daemon.result("track_waveform", {"track_id": track["id"][:8], "columns": 40})
    assert (drawn["track_id"], drawn["columns"], drawn["duration_sec"]) == (track["id"], 40, 60.0)
    assert [len(drawn[name]) for name in ("peaks", "levels", "tones")] == [40, 40, 40]


@pytest.mark.parametrize("columns", [0, 501, 2.5, "40", None])
def test_a_waveform_has_1_to_500_columns(daemon, columns):
    error = daemon.error("track_waveform", {"track_id": "0" * 64, "columns": columns})
    assert (error["data"]["code"], error["data"]["field"]) == ("INVALID_PARAMS", "columns")


def test_a_damaged_or_missing_file_has_no_waveform_and_says_so(daemon):
    track = make(daemon)
    Path(track["path"]).write_bytes(b"no audio")
    error = daemon.error("track_waveform", {"track_id": track["id"], "columns": 10})
    assert error["data"]["code"] == "UNSUPPORTED"
    assert error["message"].endswith("Delete the track and generate it again.")
    Path(track["path"]).unlink()
    assert (
        daemon.error("track_waveform", {"track_id": track["id"], "columns": 10})["data"]["code"] == "INVALID_TRACK_ID"
    )
