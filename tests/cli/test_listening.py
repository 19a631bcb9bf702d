"""`lofi` for playlist, radio, devices and timers: what it asks of a daemon at the other end of a pipe, and prints."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.editor import FakeDaemon

from lofi_daemon.cli.entry import run
from lofi_daemon.cli.terminal import Terminal
from lofi_daemon.cli.text import seconds_of
from lofi_daemon.client import DaemonClient

ID, OTHER = "ab" * 32, "cd" * 32
PLAYING = {"state": "playing", "volume": 0.5, "track_id": ID, "position_sec": 65.0, "duration_sec": 180.0}
TRACK = {"id": ID, "prompt": "rainy\x1b night"}
PLAYLIST = {
    "tracks": [
        {"track_id": ID, "prompt": "rainy night", "duration_sec": 62.0},
        {"track_id": OTHER, "prompt": "sunny day", "duration_sec": 180.0},
    ],
    "index": 1,
    "loop": "all",
    "shuffle": False,
}
RADIO = {"active": True, "strategy": "preset_cycle", "prompt": None, "preset": "study", "message": "the composer helps"}
DEVICES = {
    "devices": [
        {"id": "Speakers", "name": "Speakers", "is_default": True, "output": "sounddevice"},
        {"id": "Headphones", "name": "Headphones", "is_default": False, "output": "sounddevice"},
    ],
    "current": "Speakers",
    "chosen": "Headphones",
}
JOB = {
    "job_id": "j1", "track_id": ID, "prompt": "rainy night", "duration_sec": 62.0, "backend": "synth",
    "priority": "normal", "status": "generating", "position": 0, "percent": 40, "eta_sec": 3.0,
}  # fmt: skip
WAITING = JOB | {"job_id": "j2", "track_id": OTHER, "status": "queued", "position": 1, "percent": 0}
QUEUE = {"current": JOB, "pending": [WAITING]}
QUEUED = f"0\t{ID[:12]}\t40\t62\tsynth\trainy night\n1\t{OTHER[:12]}\t0\t62\tsynth\trainy night\n"
FOCUS = {"active": True, "phase": "work", "ends_in_sec": 1500, "round": 1, "rounds": None}
SHARED = [{"reply": {"status": "ok", "version": "fake", "protocol": 1, "pid": 1}}]
LINE = f"playing 1:05 / 3:00  {ID[:12]}  rainy  night\n"


class Shell:
    """Runs `lofi` against a daemon that does what ``script`` says."""

    def __init__(self, folder: Path, **script: object) -> None:
        replies = {"cache_get": [{"reply": TRACK}], "ping": SHARED, "queue_status": [{"reply": QUEUE}]}
        self.daemon = FakeDaemon(folder, replies | script)
        self.code = -1
        self.out = self.err = ""

    def run(self, line: str) -> Shell:
        out, err = io.StringIO(), io.StringIO()
        connect = lambda settings: DaemonClient(command=self.daemon.command)  # noqa: E731
        self.code = run(line.split(), Terminal(out, err, {}), connect)
        self.out, self.err = out.getvalue(), err.getvalue()
        return self


@pytest.mark.parametrize(
    ("line", "method", "params", "result", "printed"),
    [
        ("pause", "pause", {}, PLAYING | {"state": "paused"}, LINE.replace("playing", "paused")),
        ("resume", "resume", {}, PLAYING, LINE),
        ("stop", "stop", {}, {"state": "stopped", "volume": 1}, "stopped\n"),
        ("skip", "skip", {}, PLAYING, LINE),
        ("previous", "previous", {}, PLAYING, LINE),
        ("seek 1:30", "seek", {"position_sec": 90.0}, PLAYING, LINE),
        ("volume 40", "volume_set", {"level": 0.4}, {"level": 0.4}, "40 %\n"),
        ("volume", "volume_get", {}, {"level": 0.4}, "40 %\n"),
        ("crossfade 4.5", "crossfade_set", {"duration_sec": 4.5}, PLAYING | {"crossfade_sec": 4.5}, "4.5 s\n"),
        ("playlist add abab cdcd --next", "playlist_add", {"track_ids": ["abab", "cdcd"], "next": True}, PLAYLIST,
         "Tracks in the playlist: 2.\n"),
        ("playlist rm cdcd", "playlist_remove", {"track_id": "cdcd"}, PLAYLIST, "Tracks in the playlist: 2.\n"),
        ("playlist clear", "playlist_clear", {}, PLAYLIST | {"tracks": []}, "Tracks in the playlist: 0.\n"),
        ("playlist", "playlist_get", {}, PLAYLIST,
         f"-\t{ID[:12]}\t62\trainy night\n>\t{OTHER[:12]}\t180\tsunny day\n"),
        ("loop all", "playlist_mode", {"loop": "all"}, PLAYLIST, "loop all, shuffle off\n"),
        ("loop", "playlist_get", {}, PLAYLIST, "loop all, shuffle off\n"),
        ("shuffle on", "playlist_mode", {"shuffle": True}, PLAYLIST | {"shuffle": True}, "loop all, shuffle on\n"),
        ("queue", "queue_status", {}, QUEUE, QUEUED),
        ("queue move cdcdcd 1", "queue_move", {"job_id": "j2", "position": 1}, QUEUE, QUEUED),
        ("queue cancel j1", "cancel", {"job_id": "j1"}, {"cancelled": True, "was_generating": True}, "Cancelled.\n"),
        ("queue clear", "queue_clear", {}, {"cleared": 1}, "Cancelled: 1.\n"),
        ("radio", "radio_start", {}, RADIO, "Radio: study: the composer helps\n"),
        ("radio late jazz --strategy preset_cycle --preset a --preset b --backend synth --duration 4:00", "radio_start",
         {"prompt": "late jazz", "strategy": "preset_cycle", "presets": ["a", "b"], "backend": "synth",
          "duration_sec": 240.0}, RADIO, "Radio: study: the composer helps\n"),
        ("radio --stop", "radio_stop", {}, RADIO | {"active": False}, "The radio is off.\n"),
        ("radio --list", "presets_list", {}, {"presets": [{"name": "study", "prompt": "piano"}]}, "study\tpiano\n"),
        ("devices", "audio_devices", {}, DEVICES, ">\t*\tSpeakers\n-\t-\tHeadphones (chosen)\n"),
        ("devices head", "audio_device_set", {"device": "head"}, DEVICES,
         ">\t*\tSpeakers\n-\t-\tHeadphones (chosen)\n"),
        ("sleep 30", "sleep_set", {"minutes": 30.0}, {"ends_in_sec": 1800}, "The music ends in 30:00.\n"),
        ("sleep off", "sleep_set", {"minutes": 0.0}, {"ends_in_sec": None}, "The sleep timer is off.\n"),
        ("focus 25 5", "focus_start", {"work_min": 25.0, "break_min": 5.0}, FOCUS, "Work for 25:00.\n"),
        ("focus 25 5 4", "focus_start", {"work_min": 25.0, "break_min": 5.0, "rounds": 4}, FOCUS, "Work for 25:00.\n"),
        ("focus off", "focus_stop", {}, {"active": False}, "The focus timer is off.\n"),
    ],
)  # fmt: skip
def test_a_command_asks_the_daemon_and_prints_what_came_of_it(tmp_path, line, method, params, result, printed):
    shell = Shell(tmp_path, **{method: [{"reply": result}]}).run(line)
    assert (shell.code, shell.out, shell.err) == (0, printed, "")
    assert shell.daemon.heard(method) == [params]
    assert json.loads(shell.run(f"{line} --json").out) == result


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("seek soon", "90, 1:30, +10 or -10"),
        ("seek 1:75", "90, 1:30, +10 or -10"),
        ("volume loud", "percentage"),
        ("playlist add", "needs a track"),
        ("playlist clear abab", "takes no tracks"),
        ("queue move cdcdcd", "needs a place"),
        ("queue cancel", "needs a job"),
        ("queue cancel cdcdcd 1", "Only `move` takes a place"),
        ("queue clear cdcdcd", "takes no job"),
        ("radio jazz --stop", "--stop goes with nothing else"),
        ("radio --duration long", "240 or 4:00"),
        ("sleep soon", "minutes as a number or off"),
        ("focus 25", "how long the break is"),
        ("focus x 5", "work_min as a number"),
    ],
)
def test_a_slip_is_code_2_before_the_daemon_hears_of_it(tmp_path, line, sentence):
    shell = Shell(tmp_path).run(line)
    assert (shell.code, shell.out) == (2, "")
    assert sentence in shell.err
    assert shell.daemon.starts() == 0


@pytest.mark.parametrize(("step", "target"), [("+10", 75.0), ("-10", 55.0), ("-300", 0.0)])
def test_steps_count_from_where_the_track_is(tmp_path, step, target):
    shell = Shell(tmp_path, status=[{"reply": {"playback": PLAYING}}], seek=[{"reply": PLAYING}]).run(f"seek {step}")
    assert shell.code == 0
    assert shell.daemon.heard("seek") == [{"position_sec": target}]


@pytest.mark.parametrize(("step", "level"), [("+5", 0.55), ("-5", 0.45), ("+80", 1.0), ("-80", 0.0)])
def test_the_volume_changes_within_its_range(tmp_path, step, level):
    shell = Shell(tmp_path, volume_get=[{"reply": {"level": 0.5}}], volume_set=[{"reply": {"level": level}}])
    assert shell.run(f"volume {step}").code == 0
    assert shell.daemon.heard("volume_set") == [{"level": pytest.approx(level)}]


def test_no_device_is_an_error_and_a_device_that_is_waited_for_is_told(tmp_path):
    reason = "No device."
    shell = Shell(tmp_path, skip=[{"reply": {"state": "no_device", "volume": 1, "message": reason}}]).run("skip")
    assert shell.code == 1
    assert reason in shell.err
    waiting = PLAYING | {"state": "waiting", "message": "The sound device went away."}
    assert Shell(tmp_path, skip=[{"reply": waiting}]).run("skip").out == "The sound device went away.\n"


def test_an_error_of_the_daemon_keeps_its_exit_code(tmp_path):
    error = {"code": -32014, "message": "There is no track abab.", "data": {"code": "INVALID_TRACK_ID"}}
    shell = Shell(tmp_path, playlist_add=[{"error": error}]).run("playlist add abab")
    assert (shell.code, shell.err) == (3, "lofi: There is no track abab.\n")


def test_status_tells_all_that_goes_on(tmp_path):
    job = {"prompt": "jazz", "percent": 40}
    status = {"playback": PLAYING, "radio": RADIO, "generation": job, "queue": {"pending": [{}, {}]}}
    shell = Shell(tmp_path, status=[{"reply": status}]).run("status")
    assert shell.out.splitlines() == [
        f"music       {LINE.rstrip()}",
        "volume      50 %",
        "radio       study: the composer helps",
        "generating  jazz, 40 %",
        "waiting     2",
    ]


def test_a_radio_of_its_own_daemon_plays_until_ctrl_c(tmp_path):
    notice = ["engine_notice", {"level": "info", "message": "The composer bridges the gap."}]
    script = {"radio_start": [{"reply": RADIO}, {"notify": notice}], "stop": [{"reply": PLAYING}]}
    daemon = FakeDaemon(tmp_path, script)
    code = (
        "import sys; from lofi_daemon.cli.entry import run; from lofi_daemon.cli.terminal import Terminal;"
        "from lofi_daemon.client import DaemonClient;"
        "sys.exit(run(['radio'], Terminal.standard(), lambda s: DaemonClient(command=sys.argv[1:])))"
    )
    command = [sys.executable, "-c", code, *daemon.command]
    lofi = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert lofi.stdout and lofi.stderr
    with lofi:
        assert lofi.stdout.readline() == "Radio: study: the composer helps\n"
        assert lofi.stderr.readline() == "The composer bridges the gap.\n"
        lofi.send_signal(signal.SIGINT)
        assert lofi.wait(60) == 130
    assert daemon.heard("stop") == [{}]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("83", 83), ("12.5", 12.5), ("1:23", 83), ("61:00", 3660), ("1:00:05", 3605), ("1:2", None), ("1:75", None),
     ("1:61:00", None), ("-3", None), ("", None), ("x", None), ("٣", None)],
)  # fmt: skip
def test_times_are_read_as_players_write_them(text, seconds):
    assert seconds_of(text) == seconds
