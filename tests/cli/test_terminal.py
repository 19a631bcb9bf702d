"""`lofi` on a terminal: the line that moves, its manners, and Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.sound import FloatArray, click_threshold, largest_step, sine
from support.sound_card import FRAME, SoundCard

from lofi_daemon import config
from lofi_daemon.audio.files import write_track
from lofi_daemon.library.tracks import Tracks
from lofi_daemon.model import StageParams, Track

LOFI = (sys.executable, str(Path(__file__).with_name("puppet_lofi.py")))
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """`lofi` on a terminal of its own; ``text`` is all it has written so far."""

    def __init__(self, *words: str, columns: int = 80, **env: str) -> None:
        self.text = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
                os.execve(LOFI[0], [*LOFI, *words], os.environ | {"TERM": "xterm"} | env)
            os._exit(127)

    def press(self, key: str) -> None:
        os.write(self._fd, key.encode())

    def read_until(self, wanted: str, timeout: float = 60.0) -> None:
        end = time.monotonic() + timeout
        while wanted not in self.text:
            assert time.monotonic() < end, f"{wanted!r} never came: {self.text!r}"
            self._read()

    def end(self) -> int:
        """The exit code."""
        while self._read():
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        os.close(self._fd)
        assert "Traceback" not in self.text
        return code

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux's way of saying that the other end is closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    @property
    def lines(self) -> list[str]:
        """What stays on the screen."""
        lines = []
        for line in ESCAPES.sub("", self.text).split("\r\n"):
            cells: list[str] = []
            for piece in line.split("\r"):
                cells[: len(piece)] = piece
            lines.append("".join(cells).rstrip())
        return [line for line in lines if line]


def frames(screen: Screen) -> list[str]:
    """Every state of the progress line."""
    return [piece for piece in re.split(r"[\r\n]+", ESCAPES.sub("", screen.text)) if piece.startswith("Composing")]


def test_progress_is_one_line_that_never_goes_back_and_leaves_nothing_behind():
    screen = Screen("generate", "steps 40")
    assert screen.end() == 0
    percents = [int(match[1]) for frame in frames(screen) if (match := re.search(r"(\d+) %", frame))]
    assert len(percents) > 5 and percents == sorted(percents)
    assert not any("Composing" in line for line in screen.lines)
    assert screen.lines[-1].endswith(".flac")


def test_progress_never_wraps_however_narrow_the_terminal():
    for columns in (30, 14):
        screen = Screen("generate", "steps 20", columns=columns)
        assert screen.end() == 0
        assert frames(screen) and max(map(len, frames(screen))) < columns


def test_colour_goes_with_no_color_and_the_line_still_moves():
    assert "\x1b[32m" in finished("generate", "steps 5").text
    plain = finished("generate", "steps 5", NO_COLOR="1")
    assert "\x1b" not in plain.text
    assert "\rComposing" in plain.text


def finished(*words: str, **env: str) -> Screen:
    screen = Screen(*words, **env)
    assert screen.end() == 0
    return screen


def test_a_dumb_terminal_gets_plain_lines():
    screen = finished("generate", "steps 20", TERM="dumb")
    assert "\x1b" not in screen.text
    assert all(line.startswith("Composing") for line in re.findall(r"Composing[^\r\n]*(?=\r\n)", screen.text))
    assert not re.search(r"\rComposing", screen.text.replace("\r\n", "\n"))


def test_a_notice_stays_above_the_line_that_moves():
    screen = finished("generate", "steps 20")
    assert screen.lines[0].startswith("No neural backend")


def test_ctrl_c_cancels_the_generation():
    screen = Screen("generate", "steps 100000")
    screen.read_until("Composing")
    screen.press("\x03")
    assert screen.end() == 130
    assert screen.lines[-1] == "Cancelled."


def test_ctrl_c_as_json_ends_with_the_cancellation():
    screen = Screen("generate", "steps 100000", "--json", columns=2000)
    screen.read_until("generation_progress")
    screen.press("\x03")
    assert screen.end() == 130
    assert '"event": "generation_cancelled"' in screen.lines[-1]


def test_a_table_is_cut_to_the_width_and_a_prompt_cannot_steer_the_terminal():
    finished("generate", "steps 1", "--seed", "1")
    finished("generate", "evil \x1b[2J 音楽 " + "rain " * 50, "--seed", "2")
    screen = finished("list", columns=70)  # type: ignore[arg-type]
    assert "\x1b" not in screen.text
    assert screen.lines[0].split() == ["ID", "LENGTH", "FAV", "BACKEND", "CREATED", "PROMPT"]
    assert len(screen.lines) == 3
    assert any(line.endswith("…") for line in screen.lines)
    assert max(map(len, screen.lines)) <= 70


@pytest.fixture
def card(tmp_path):
    card = SoundCard(tmp_path)
    yield card
    card.close()


@pytest.fixture
def long_track(isolated) -> Track:
    """A sine of 20 s in the library, in which a cut would be heard as a click."""
    seconds, rate, identity = 20.0, 48_000, "ab" * 32
    track = Track(
        id=identity, path="", prompt="a long sine", duration_sec=seconds, sample_rate=rate, channels=2, seed=1,
        backend="synth", model_version="synth-1", generation_time_sec=0.1, created_at="2026-11-21T06:30:00.000Z",
        params=StageParams(backend="synth", prompt="a long sine", duration_sec=seconds, seed=1),
    )  # fmt: skip
    tracks = Tracks(config.load().settings.cache_root)
    staged = tracks.staging() / f"{identity}.flac"
    write_track(staged, sine(seconds), rate, track, "flac")
    kept = tracks.commit(track, staged)
    tracks.close()
    return kept


def play(card: SoundCard, *words: str) -> Screen:
    return Screen("play", *words, PUPPET_OUTPUT="sounddevice", **card.env)


def listen(card: SoundCard, screen: Screen) -> tuple[int, FloatArray]:
    """The exit code, and what was still on its way to the speakers."""
    heard = b""
    with ThreadPoolExecutor() as pool:
        leaving = pool.submit(screen.end)
        while (taken := card.take()) or not leaving.done():
            heard += taken
            if not taken:
                time.sleep(0.001)
    return leaving.result(), np.frombuffer(heard[: len(heard) // FRAME * FRAME], "<f4").reshape(-1, 2)


def test_play_shows_the_position_and_ends_with_the_track(card):
    finished("generate", "steps 1")
    screen = play(card)
    screen.read_until("Playing 0:00 / 0:00")
    code, heard = listen(card, screen)
    assert (code, len(heard) >= 4800) == (0, True)
    assert not any("Playing" in line for line in screen.lines)


def test_ctrl_c_fades_the_music_out(card, long_track):
    screen = play(card, long_track.id[:12])
    screen.read_until("Playing 0:0")
    screen.read_until("/ 0:20")
    heard = card.read(24_000)
    assert np.abs(heard).max() > 0.05
    screen.press("\x03")
    code, rest = listen(card, screen)
    heard = np.concatenate([heard, rest])
    assert code == 130
    assert np.abs(heard[-48:]).max() == 0
    assert largest_step(heard) < click_threshold()


def test_play_as_json_tells_the_start_and_the_end(card, long_track):
    screen = play(card, "--json")
    screen.read_until("playback_started")
    card.read(4800)
    screen.press("\x03")
    assert listen(card, screen)[0] == 130
    assert '"reason": "stopped"' in screen.lines[-1]
