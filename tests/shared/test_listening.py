"""A shell that steers the music of the shared daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOFI = (sys.executable, str(Path(__file__).parents[1] / "cli" / "puppet_lofi.py"))


def lofi(*words: str) -> str:
    done = subprocess.run([*LOFI, *words], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def now() -> dict:
    return json.loads(lofi("status", "--json"))


def test_a_radio_begun_in_a_shell_plays_on_when_the_shell_has_left(runtime, card):
    assert lofi("radio", "long night", "--duration", "60", "--backend", "synth").startswith("Radio: long night")
    with runtime.bridge() as editor:
        editor.wait(lambda _: now()["playback"]["state"] == "playing")
        assert editor.result("status")["radio"]["prompt"] == "long night"
        assert "radio       " in lofi("status")
        first = now()["playback"]["track_id"]
        editor.wait(lambda _: now()["radio"]["next_track_id"])
        assert lofi("skip").startswith("playing 0:0")
        second = now()["playback"]["track_id"]
        assert second != first
        lofi("radio", "--stop")
        assert now()["playback"]["state"] == "playing"
        assert lofi("stop") == "stopped\n"


def test_a_playlist_is_steered_from_a_shell(runtime, card):
    ids = [json.loads(lofi("generate", f"long {name}", "--json").splitlines()[-1])["track_id"] for name in "ab"]
    lofi("playlist", "add", *ids)
    with runtime.bridge() as editor:
        assert editor.result("play")["track_id"] == ids[0]
        assert lofi("pause").startswith("paused 0:")
        assert f"paused 0:30 / 1:00  {ids[0][:12]}  long a" in lofi("seek", "0:30")
        assert "paused 0:20" in lofi("seek", "-10")
        assert lofi("resume").startswith("playing 0:")
        assert ids[1][:12] in lofi("skip")
        assert ids[0][:12] in lofi("previous")
        assert lofi("volume", "40") == "40 %\n"
        assert editor.result("volume_get")["level"] == 0.4
        assert lofi("crossfade", "3") == lofi("crossfade") == "3 s\n"
        assert lofi("loop", "all") == lofi("loop") == "loop all, shuffle off\n"
        assert [line.split("\t")[0] for line in lofi("playlist").splitlines()] == [">", "-"]
        assert json.loads(lofi("playlist", "rm", ids[1], "--json"))["tracks"][0]["track_id"] == ids[0]
        assert lofi("focus", "25", "5") == "Work for 25:00.\n"
        assert lofi("focus", "off") == "The focus timer is off.\n"
        assert lofi("sleep", "30").startswith("The music ends in 30:00")
        assert "coding\t" in lofi("radio", "--list")
