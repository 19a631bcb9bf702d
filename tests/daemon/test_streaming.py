"""A track heard while it is made, at a sound card made of a pipe that takes samples in real time."""

import time

import numpy as np
import pytest
from support.raw_daemon import PUPPET, RawDaemon
from support.sound import click_threshold, largest_step, swell
from support.sound_card import SoundCards

RATE = 48_000
FADE = 960


@pytest.fixture
def cards(tmp_path):
    cards = SoundCards(tmp_path, "card", speed=1.0)
    yield cards
    cards.close()


@pytest.fixture
def daemon(tmp_path, cards):
    with RawDaemon(tmp_path / "cache", PUPPET, "player.output=sounddevice", "player.volume=1", env=cards.env) as daemon:
        yield daemon


def generate(daemon, prompt, seconds, **more):
    request = {"prompt": prompt, "duration_sec": seconds, "seed": 1, "auto_play": True} | more
    return daemon.result("generate", request)


def told(daemon, method):
    return daemon.wait(lambda m: m.get("method") == method)["params"]


def sounding(heard):
    """The first frame that sounds, and the end of the last one."""
    loud = np.flatnonzero(heard.any(axis=1))
    return loud[0], loud[-1] + 1


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_silent(cards):
    """Until nothing has sounded for a quarter of a second, after something has."""
    wait_until(lambda: len(heard := cards.heard("card")) > RATE // 4 and not heard[-RATE // 4 :].any())


def test_it_sounds_before_it_is_made_and_goes_on_as_the_librarys_track(daemon, cards, go):
    job = generate(daemon, "stream 20 hold 5", 6)
    told(daemon, "playback_started")
    assert not daemon.notifications("generation_complete")
    assert daemon.result("seek", {"position_sec": 600})["position_sec"] < 6
    assert daemon.result("seek", {"position_sec": 0})["state"] == "playing"
    go()
    at = len(cards.heard("card"))
    track = daemon.end_of(job["job_id"])["params"]["tracks"][0]
    assert told(daemon, "playback_ended") == {"track_id": track["id"], "reason": "finished"}
    assert len(daemon.notifications("playback_started")) == 1
    wait_silent(cards)
    heard, music = cards.heard("card"), swell(6.0)
    begin = at + np.flatnonzero((heard[at:] == music[2 * FADE]).all(axis=1))[0] - 2 * FADE
    np.testing.assert_array_equal(heard[begin + FADE : begin + len(music) - FADE], music[FADE:-FADE])
    assert largest_step(heard) < click_threshold()
    assert daemon.result("cache_list")["total"] == 1
    assert daemon.result("play", {"track_id": track["id"]})["state"] == "playing"


def test_a_maker_that_stalls_is_waited_for_once_without_a_click_or_a_lost_sample(daemon, cards, go):
    job = generate(daemon, "stream 20 hold 3", 8)
    wait_until(lambda: cards.heard("card").any())
    wait_silent(cards)
    go()
    daemon.end_of(job["job_id"])
    assert told(daemon, "playback_ended")["reason"] == "finished"
    wait_silent(cards)
    heard, music = cards.heard("card"), swell(8.0)
    begin, end = sounding(heard)
    assert largest_step(heard) < click_threshold()
    quiet = np.flatnonzero(~heard[begin:end].any(axis=1)) + begin
    assert len(quiet) > RATE // 10 and quiet[-1] - quiet[0] + 1 == len(quiet), "one gap"
    start = begin + FADE - np.flatnonzero((music == heard[begin + FADE]).all(axis=1))[0]
    before, after = quiet[0], quiet[-1] + 1
    np.testing.assert_array_equal(
        heard[begin + FADE : before - FADE], music[begin + FADE - start : before - FADE - start]
    )
    place = np.flatnonzero((music == heard[after + FADE]).all(axis=1))[0]
    assert abs(place - FADE - (before - start)) <= 2, "on where it stopped; the fade's outermost frame is silent"
    np.testing.assert_array_equal(heard[after + FADE : end - 2 * FADE], music[place : place + end - after - 3 * FADE])


@pytest.mark.parametrize(
    ("words", "ending", "reason"),
    [
        ("fail 3", "generation_error", "error"),
        ("crash 3", "generation_error", "error"),
        ("", "generation_cancelled", "stopped"),
    ],
)
def test_what_will_not_be_finished_fades_out_and_is_said_once(daemon, cards, go, words, ending, reason):
    job = generate(daemon, f"stream 20 hold 3 {words}".strip(), 12)
    told(daemon, "playback_started")
    wait_until(lambda: cards.heard("card").any())
    if words:
        go()
    else:
        daemon.result("cancel", {"job_id": job["job_id"]})
    assert daemon.end_of(job["job_id"])["method"] == ending
    assert told(daemon, "playback_ended") == {"track_id": job["track_id"], "reason": reason}
    wait_silent(cards)
    assert largest_step(cards.heard("card")) < click_threshold()
    state = daemon.result("status")["playback"]
    assert (state["state"], state["playlist_length"]) == ("stopped", 0)
    assert len(daemon.notifications("playback_ended")) == 1
    assert not [m for m in daemon.notifications("engine_notice") if "broke off" in m["params"]["message"]]


def test_a_listener_who_stopped_it_does_not_hear_it_again_when_it_is_finished(daemon, go):
    job = generate(daemon, "stream 20 hold 5", 6)
    told(daemon, "playback_started")
    daemon.result("stop")
    go()
    daemon.end_of(job["job_id"])
    assert daemon.result("pause")["state"] == "stopped"  # after whatever the end set off: commands keep their order
    assert len(daemon.notifications("playback_started")) == 1


def test_what_nobody_asked_to_hear_stays_silent(daemon):
    daemon.end_of(generate(daemon, "stream 20", 6, auto_play=False)["job_id"])
    assert not daemon.notifications("playback_started")


def test_quiet_hours_hold_for_what_is_being_made_too(tmp_path, cards):
    settings = ("player.output=sounddevice", "player.quiet_hours=00:00-23:59")
    with RawDaemon(tmp_path / "cache", PUPPET, *settings, env=cards.env) as daemon:
        daemon.end_of(generate(daemon, "stream 4", 6)["job_id"])
        daemon.wait(lambda m: m.get("method") == "engine_notice" and "quiet hours" in m["params"]["message"])
        assert not daemon.notifications("playback_started")
