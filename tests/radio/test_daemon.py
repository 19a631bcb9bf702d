"""The radio of a real daemon, with the real composer, heard at a sound card."""

import time

import numpy as np
import pytest
from support.raw_daemon import PUPPET, REAL, RawDaemon
from support.sound_card import SoundCards

MOODS = '[presets.mine]\nprompt = "my own mood, rhodes"\nbpm = 80\n[presets.broken]\nbpm = 20\n'
LONGEST_SILENCE_SEC = 0.1


@pytest.fixture
def cards(tmp_path):
    cards = SoundCards(tmp_path, "speakers", speed=2.0)
    yield cards
    cards.close()


@pytest.fixture
def daemon(tmp_path, isolated, cards):
    (isolated / ".config" / "lofi.nvim").mkdir(parents=True)
    (isolated / ".config" / "lofi.nvim" / "config.toml").write_text(MOODS)
    # a worker that stands back is starved where tests run four at a time, and the radio then plays what it has
    settings = ("player.output=sounddevice", "radio.duration_sec=10", "player.crossfade_sec=2", "worker_nice=0")
    with RawDaemon(tmp_path / "cache", REAL, *settings, env=cards.env) as daemon:
        yield daemon


def started(daemon):
    return [m["params"]["track_id"] for m in daemon.notifications("playback_started")]


def radio_said(daemon):
    return [m["params"] for m in daemon.notifications("radio_changed")]


def test_the_music_goes_on_from_track_to_track_without_silence(daemon, cards):
    state = daemon.result("radio_start", {"prompt": "rainy night, mellow rhodes"})
    assert (state["active"], state["strategy"], state["backend"]) == (True, "same_prompt", "synth")
    assert state["prompt"] == "rainy night, mellow rhodes"
    deadline = time.monotonic() + 200
    while len(started(daemon)) < 4:  # a machine that composes slowly is given time: it is no matter of speed here
        cards.pace(3.0 if radio_said(daemon)[-1:] and radio_said(daemon)[-1]["next_track_id"] else 0.2)
        assert time.monotonic() < deadline, radio_said(daemon)
        time.sleep(0.02)
    assert len(set(started(daemon))) == len(started(daemon))
    assert all(m["params"]["job_id"].startswith("radio-") for m in daemon.notifications("generation_complete"))
    assert daemon.result("status")["radio"]["active"] is True

    loud = np.abs(cards.heard("speakers")).max(axis=1) > 1e-4
    first, last = np.flatnonzero(loud)[[0, -1]]
    edges = np.flatnonzero(loud[first : last + 1])
    assert np.diff(edges).max() < LONGEST_SILENCE_SEC * 48_000

    daemon.result("stop")
    daemon.wait(lambda m: m.get("method") == "radio_changed" and not m["params"]["active"])
    assert daemon.result("status")["radio"] is None


def test_stopping_the_radio_lets_the_track_end_and_takes_the_next_one_out(daemon, cards):
    daemon.result("radio_start", {"prompt": "rain"})
    daemon.wait(lambda m: m.get("method") == "radio_changed" and m["params"]["next_track_id"])
    playing = started(daemon)[-1]
    assert daemon.result("radio_stop")["active"] is False
    assert [track["track_id"] for track in daemon.result("playlist_get")["tracks"]][-1] == playing
    cards.pace(8.0)
    end = daemon.wait(lambda m: m.get("method") == "playback_ended" and m["params"]["track_id"] == playing)
    assert end["params"]["reason"] == "finished"


def test_playing_something_else_ends_the_radio_and_says_so(daemon):
    mine = daemon.result("generate", {"prompt": "my choice", "duration_sec": 8})
    daemon.end_of(mine["job_id"])
    daemon.result("radio_start", {"prompt": "rain"})
    daemon.wait(lambda m: m.get("method") == "playback_started")
    daemon.result("play", {"track_id": mine["track_id"]})
    daemon.wait(lambda m: m.get("method") == "radio_changed" and not m["params"]["active"])
    daemon.wait(lambda m: m.get("method") == "engine_notice" and "chose another" in m["params"]["message"])


def test_presets_are_the_daemons_and_the_users(daemon):
    presets = {preset["name"]: preset for preset in daemon.result("presets_list")["presets"]}
    assert len(presets) >= 12
    assert presets["mine"] == {"name": "mine", "prompt": "my own mood, rhodes", "bpm": 80}
    assert "broken" not in presets
    daemon.wait(lambda m: m.get("method") == "engine_notice" and "broken" in m["params"]["message"])


@pytest.mark.parametrize(
    ("params", "name", "field"),
    [
        ({"strategy": "loud"}, "INVALID_PARAMS", "strategy"),
        ({"presets": ["nope"]}, "INVALID_PARAMS", "presets"),
        ({"prompt": "rain", "presets": ["sleepy"]}, "INVALID_PARAMS", "presets"),
        ({"prompt": "rain", "strategy": "preset_cycle"}, "INVALID_PARAMS", "strategy"),
        ({"prompt": " "}, "INVALID_PROMPT", "prompt"),
        ({"prompt": "x" * 513}, "INVALID_PROMPT", "prompt"),
        ({"backend": "tape"}, "INVALID_BACKEND", "backend"),
        ({"backend": "synth", "duration_sec": 601}, "INVALID_DURATION", "duration_sec"),
        ({"duration_sec": -1}, "INVALID_DURATION", "duration_sec"),
        ({"volume": 1}, "INVALID_PARAMS", "volume"),
    ],
)
def test_a_radio_that_cannot_be_is_refused_with_the_fields_name(tmp_path, params, name, field):
    with RawDaemon(tmp_path / "cache") as daemon:
        error = daemon.error("radio_start", params)
        assert (error["data"]["code"], error["data"]["field"]) == (name, field)
        assert daemon.result("status")["radio"] is None


def test_without_a_sound_device_nothing_is_made_endlessly(tmp_path):
    with RawDaemon(tmp_path / "cache", PUPPET) as daemon:
        daemon.result("radio_start", {"prompt": "steps 1"})
        state = daemon.wait(
            lambda m: m.get("method") == "radio_changed" and "no sound device" in (m["params"]["message"] or "")
        )["params"]
        assert state["active"] is True
        assert state["generating"] is False
        for _ in range(3):
            daemon.result("radio_start", {"prompt": "steps 1"})
        assert daemon.result("queue_status") == {"current": None, "pending": []}
        assert len(daemon.notifications("generation_started")) == 1


def test_a_backend_that_is_not_installed_is_stood_in_for_by_the_composer_and_that_is_said(tmp_path):
    with RawDaemon(tmp_path / "cache", PUPPET) as daemon:
        state = daemon.result("radio_start", {"prompt": "steps 1", "backend": "musicgen"})
        assert state["backend"] == "synth"
        daemon.wait(lambda m: m.get("method") == "engine_notice" and "instead of musicgen" in m["params"]["message"])


def test_prefetch_can_be_tuned_within_its_ranges(tmp_path):
    with RawDaemon(tmp_path / "cache") as daemon:
        assert daemon.result("prefetch_config") == {"duration_sec": 180.0, "lead_factor": 1.5}
        assert daemon.result("prefetch_config", {"duration_sec": 60, "lead_factor": 2})["lead_factor"] == 2
        assert daemon.error("prefetch_config", {"lead_factor": 0})["data"]["field"] == "lead_factor"
