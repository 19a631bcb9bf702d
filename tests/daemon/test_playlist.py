"""The playlist and the player's commands on the wire, with the real front and no sound device."""

import sys

import pytest
from support.made_tracks import committed
from support.raw_daemon import RawDaemon

from lofi_daemon.library.tracks import Tracks

COMMAND = (sys.executable, "-m", "lofi_daemon", "--stdio", "--set", "player.output=none", "--set", "player.resume=true")


@pytest.fixture
def tracks(tmp_path):
    library = Tracks(tmp_path)
    made = [committed(library, seed=seed, prompt=f"track {seed}") for seed in range(4)]
    library.close()
    return made


def ids(playlist):
    return [track["track_id"] for track in playlist["tracks"]]


def test_tracks_are_listed_moved_removed_and_every_change_is_told(tmp_path, tracks):
    a, b, c, d = (track.id for track in tracks)
    with RawDaemon(tmp_path, COMMAND) as daemon:
        playlist = daemon.result("playlist_add", {"track_ids": [a, b[:12]]})
        assert playlist == {
            "tracks": [
                {"track_id": a, "prompt": "track 0", "duration_sec": 0.5},
                {"track_id": b, "prompt": "track 1", "duration_sec": 0.5},
            ],
            "index": None,
            "loop": "off",
            "shuffle": False,
        }
        assert ids(daemon.result("playlist_add", {"track_id": c, "next": True})) == [c, a, b]
        assert ids(daemon.result("playlist_remove", {"track_id": a[:8]})) == [c, b]
        assert daemon.result("playlist_mode", {"loop": "all", "shuffle": True})["loop"] == "all"
        assert ids(daemon.result("playlist_get")) == [c, b]
        state = daemon.result("play", {"track_id": d})
        assert (state["state"], state["playlist_length"]) == ("no_device", 3)
        assert daemon.result("crossfade_set", {"duration_sec": 3})["crossfade_sec"] == 3.0
        assert ids(daemon.result("playlist_clear")) == []
        told = [ids(message["params"]) for message in daemon.notifications("playlist_changed")]
        assert [len(one) for one in told] == [2, 3, 2, 2, 3, 0]


def test_a_playlist_outlives_the_daemon(tmp_path, tracks):
    with RawDaemon(tmp_path, COMMAND) as daemon:
        daemon.result("playlist_add", {"track_ids": [track.id for track in tracks]})
        daemon.result("playlist_mode", {"loop": "one"})
        daemon.result("volume_set", {"level": 0.25})
    with RawDaemon(tmp_path, COMMAND) as daemon:
        daemon.wait(lambda message: message.get("method") == "playlist_changed")
        playlist = daemon.result("playlist_get")
        assert (ids(playlist), playlist["loop"]) == ([track.id for track in tracks], "one")
        assert daemon.result("volume_get") == {"level": 0.25}


def test_a_track_that_is_gone_from_the_disk_is_said_and_leaves_playlist_and_library(tmp_path, tracks):
    command = (*COMMAND[:-2], "--set", "player.crossfade_sec=0")
    with RawDaemon(tmp_path, command) as daemon:
        daemon.result("playlist_add", {"track_ids": [tracks[0].id]})
        (tmp_path / "tracks" / tracks[0].id[:2] / f"{tracks[0].id}.flac").unlink()
        daemon.result("play")
        notice = daemon.wait(lambda message: message.get("method") == "engine_notice" and "gone" in str(message))
        assert tracks[0].id in notice["params"]["message"]
        assert ids(daemon.result("playlist_get")) == []
        assert daemon.result("cache_list")["total"] == 3
