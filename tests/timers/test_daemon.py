"""The timers and quiet hours of a real daemon."""

from datetime import datetime, timedelta

import pytest
from support.raw_daemon import PUPPET, RawDaemon
from support.sound_card import SoundCards


def around_now():
    """Quiet hours from an hour ago until in an hour."""
    now, hour = datetime.now(), timedelta(hours=1)
    return f"player.quiet_hours={now - hour:%H:%M}-{now + hour:%H:%M}"


@pytest.fixture
def cards(tmp_path):
    cards = SoundCards(tmp_path, "speakers", speed=2.0)
    yield cards
    cards.close()


def open_daemon(tmp_path, cards, *settings):
    return RawDaemon(tmp_path / "cache", PUPPET, "player.output=sounddevice", *settings, env=cards.env)


def play_long(daemon):
    job = daemon.result("generate", {"prompt": "long night"})
    daemon.end_of(job["job_id"])
    assert daemon.result("play", {"track_id": job["track_id"]})["state"] == "playing"


def test_the_sleep_timer_stops_the_music_and_says_so(tmp_path, cards):
    with open_daemon(tmp_path, cards) as daemon:
        play_long(daemon)
        assert daemon.result("sleep_set", {"minutes": 0.03}) == {"ends_in_sec": 1.8}
        daemon.wait(lambda m: m.get("method") == "playback_ended" and m["params"]["reason"] == "stopped")
        assert daemon.result("status")["playback"]["volume"] == 0.7
        daemon.wait(lambda m: m.get("method") == "sleep_changed" and m["params"]["ends_in_sec"] is None)
        assert daemon.result("sleep_set", {"minutes": None}) == {"ends_in_sec": None}
        assert daemon.error("sleep_set", {"minutes": -1})["data"]["field"] == "minutes"


def test_focus_pauses_in_the_break_and_goes_on_after_it(tmp_path, cards):
    with open_daemon(tmp_path, cards) as daemon:
        play_long(daemon)
        state = daemon.result("focus_start", {"work_min": 0.1, "break_min": 0.1, "rounds": 2})
        assert (state["phase"], state["round"], state["rounds"]) == ("work", 1, 2)
        daemon.wait(lambda m: m.get("method") == "playback_paused")
        daemon.wait(lambda m: m.get("method") == "playback_resumed")
        assert daemon.result("focus_stop")["active"] is False
        daemon.wait(lambda m: m.get("method") == "focus_changed" and not m["params"]["active"])
        phases = [m["params"]["phase"] for m in daemon.notifications("focus_changed")]
        assert phases == ["work", "break", "work", None]
        assert daemon.error("focus_start", {"work_min": 0, "break_min": 5})["data"]["field"] == "work_min"
        assert daemon.error("focus_start", {"work_min": 5})["data"]["field"] == "break_min"


def test_in_quiet_hours_nothing_starts_by_itself_but_by_hand(tmp_path, cards):
    with open_daemon(tmp_path, cards, around_now()) as daemon:
        job = daemon.result("generate", {"prompt": "long night", "auto_play": True})
        daemon.end_of(job["job_id"])
        daemon.wait(lambda m: m.get("method") == "engine_notice" and "quiet hours" in m["params"]["message"])
        assert daemon.result("status")["playback"]["state"] == "stopped"
        assert daemon.result("play")["state"] == "playing"


def test_quiet_hours_that_are_none_are_said(tmp_path):
    with RawDaemon(tmp_path / "cache", PUPPET, "player.quiet_hours=at night") as daemon:
        daemon.wait(lambda m: m.get("method") == "engine_notice" and "22:00-07:00" in m["params"]["message"])
