"""Generation and playback together, heard at a sound card made of a pipe."""

import sys

import numpy as np
import pytest
from support.raw_daemon import RawDaemon
from support.sound_card import SoundCard


@pytest.fixture
def card(tmp_path):
    card = SoundCard(tmp_path)
    yield card
    card.close()


@pytest.fixture
def daemon(tmp_path, card):
    command = (sys.executable, "-m", "lofi_daemon", "--stdio", "--set", "player.output=sounddevice")
    with RawDaemon(tmp_path / "cache", command, env=card.env) as daemon:
        yield daemon


def loud(samples):
    return float(np.abs(samples).max()) > 0.01


REQUEST = {"prompt": "calm ambient", "duration_sec": 5, "seed": 3}


def test_a_finished_track_plays_when_the_request_asked_for_it(daemon, card):
    reply = daemon.result("generate", REQUEST | {"auto_play": True})
    started = daemon.wait(lambda m: m.get("method") == "playback_started")
    assert started["params"]["track_id"] == reply["track_id"]
    assert loud(card.read(48_000))
    order = [m["method"] for m in daemon.notifications()]
    assert order.index("generation_complete") < order.index("playback_started")


def test_a_finished_track_stays_silent_when_it_did_not(daemon):
    job = daemon.result("generate", REQUEST)["job_id"]
    daemon.end_of(job)
    assert daemon.result("status")["playback"]["state"] == "stopped"
    assert not daemon.notifications("playback_started")


def test_a_cached_track_plays_too(daemon):
    daemon.end_of(daemon.result("generate", REQUEST)["job_id"])
    assert daemon.result("generate", REQUEST | {"auto_play": True})["status"] == "cached"
    daemon.wait(lambda m: m.get("method") == "playback_started")


def test_playback_is_steered_and_told(daemon, card):
    track = daemon.end_of(daemon.result("generate", REQUEST)["job_id"])["params"]["track_id"]
    assert daemon.result("play", {"track_id": track[:8]})["state"] == "playing"
    assert loud(card.read(24_000))
    assert daemon.result("toggle")["state"] == "paused"
    assert daemon.result("play")["state"] == "playing"  # without a name it goes on
    assert daemon.result("pause")["state"] == "paused"
    assert daemon.result("resume")["track_id"] == track
    assert daemon.result("volume_set", {"level": 0.25}) == {"level": 0.25}
    assert daemon.result("volume_get") == {"level": 0.25}
    assert daemon.result("stop")["state"] == "stopped"
    daemon.wait(lambda m: m.get("method") == "playback_ended")  # after the reply
    told = [m["method"] for m in daemon.notifications() if m["method"].startswith(("playback", "volume"))]
    assert told == [
        "playback_started", "playback_paused", "playback_resumed", "playback_paused", "playback_resumed",
        "volume_changed", "playback_ended",
    ]  # fmt: skip


def test_play_without_a_name_plays_the_newest_and_a_second_play_does_not_restart_it(daemon, card):
    for seed in (1, 2):
        newest = daemon.end_of(daemon.result("generate", REQUEST | {"seed": seed})["job_id"])["params"]["track_id"]
    assert daemon.result("play")["track_id"] == newest
    card.read(48_000)
    assert daemon.result("play")["position_sec"] > 0.5
    assert len(daemon.notifications("playback_started")) == 1


def test_a_deleted_track_is_a_named_error_and_what_plays_goes_on(daemon, card):
    track = daemon.end_of(daemon.result("generate", REQUEST)["job_id"])["params"]["track_id"]
    gone = daemon.end_of(daemon.result("generate", REQUEST | {"seed": 9})["job_id"])["params"]["track_id"]
    daemon.result("play", {"track_id": track})
    daemon.result("cache_delete", {"track_id": gone})
    assert daemon.error("play", {"track_id": gone})["data"]["code"] == "INVALID_TRACK_ID"
    state = daemon.result("status")["playback"]
    assert (state["state"], state["track_id"]) == ("playing", track)
