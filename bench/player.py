"""The player: what it costs, how soon it sounds, whether it ever stutters, whether it grows.

Usage: python bench/player.py [--json] [--seconds 60] [--hours 24]. Prints a table and, last, one line of JSON; with
--json only that line.

The daemon plays into a sound card made of a pipe that is emptied in real time and holds 85 ms, as a card would
(Linux: it needs ALSA). An underrun is a moment at which the card wanted samples that were not there; a gap is 10 ms
of silence in the music. While that is counted, the workers of two daemons compose, so that no core is idle. The 24
hours are simulated: the same player on an output that takes samples as fast as they are made.
Targets: ≤ 5 % of a core; with the device open, first sound ≤ 250 ms, of which 85 are the card's; 0 underruns; memory
flat within 5 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

RATE = 48_000
FRAME = 8
TICK_SEC = 0.01
TICK_BYTES = round(RATE * TICK_SEC) * FRAME
PIPE_BYTES = 32 * 1024
TOO_LATE_SEC = 0.06
"""A card's clock does not oversleep. Where this script did, what the pipe then lacks is not the player's fault."""

CPU_WINDOW_SEC = 15.0
WARM_PLAYS = 7


class Card(threading.Thread):
    """Takes 480 frames every 10 ms, and remembers what was wrong with them."""

    def __init__(self, folder: Path) -> None:
        from support.sound_card import SoundCard

        super().__init__(daemon=True)
        self._card = SoundCard(folder, RATE)
        self.env = self._card.env
        self._fd = self._card._fd
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.counting = False
        self.underruns = self.gaps = self.overslept = 0
        self.sounded_at: float | None = None
        self._closed = False

    def run(self) -> None:
        due = time.monotonic()
        silent = True
        while not self._closed:
            due += TICK_SEC
            late = time.monotonic() - due
            if late > TOO_LATE_SEC:
                self.overslept += self.counting
                due = time.monotonic()
            elif late < 0:
                time.sleep(-late)
            data = self._take()
            silent_before, silent = silent, not any(data)
            if not silent and self.sounded_at is None:
                self.sounded_at = time.monotonic()
            if self.counting:
                self.underruns += len(data) < TICK_BYTES and late <= TOO_LATE_SEC
                self.gaps += silent and not silent_before

    def _take(self) -> bytes:
        try:
            return os.read(self._fd, TICK_BYTES)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self._closed = True
        self.join()
        self._card.close()


class Daemon:
    """Its own daemon, spoken to on two pipes; ``on_event`` hears what it says, in a thread."""

    def __init__(self, cache: Path, env: dict[str, str], on_event: Callable[[dict], None] = lambda message: None):
        settings = ["daemon.shared=false", "player.volume=1.0"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lofi_daemon", "--stdio", *(word for s in settings for word in ("--set", s))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | env | {"LOFI_CACHE_PATH": str(cache)},
        )
        self._on_event = on_event
        self._replies: dict[int, dict] = {}
        self._changed = threading.Condition()
        self._ended: set[str] = set()
        self._ids = 0
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, method: str, **params: object) -> int:
        self._ids += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self._ids

    def ask(self, method: str, **params: object) -> dict:
        ident = self.send(method, **params)
        with self._changed:
            self._changed.wait_for(lambda: ident in self._replies, 60)
            reply = self._replies[ident]
        assert "result" in reply, reply
        return reply["result"]

    def make(self, **params: object) -> str:
        """Generate a track and wait for it; its id."""
        job = self.ask("generate", backend="synth", **params)
        with self._changed:
            assert self._changed.wait_for(lambda: job["job_id"] in self._ended, 120), "no track was made"
        return job["track_id"]

    def cpu_sec(self) -> float:
        """Of the front alone."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            message = json.loads(line)
            with self._changed:
                if "id" in message:
                    self._replies[message["id"]] = message
                elif message["method"] == "generation_complete":
                    self._ended.add(message["params"]["job_id"])
                self._changed.notify_all()
            self._on_event(message)


class Composing(Daemon):
    """A daemon whose worker is never out of work once ``feed`` was called."""

    def __init__(self, cache: Path, env: dict[str, str]) -> None:
        self.made = 0
        self._seed = 1000
        self._feeding = False
        super().__init__(cache, env, self._heard)

    def feed(self) -> None:
        self._feeding = True
        for _ in range(3):
            self._next()

    def rest(self) -> None:
        self._feeding = False
        self.ask("queue_clear")

    def _heard(self, message: dict) -> None:
        if message.get("method") == "generation_complete" and self._feeding:
            self.made += 1
            self._next()

    def _next(self) -> None:
        self._seed += 1
        self.send("generate", backend="synth", prompt="dusty beats", duration_sec=240, seed=self._seed)


def leading_silence_sec(path: str) -> float:
    import numpy as np
    import soundfile

    frames, rate = soundfile.read(path, frames=10 * RATE, always_2d=True)
    return float(np.flatnonzero(frames.any(axis=1))[0]) / rate


def first_sound_ms(card: Card, daemon: Daemon, track: str, silence_sec: float) -> float:
    """From ``play`` to the track's first sample leaving the card's buffer."""
    card.sounded_at = None
    started = time.monotonic()
    daemon.ask("play", track_id=track)
    while card.sounded_at is None:
        assert time.monotonic() - started < 20, "nothing sounds"
        time.sleep(0.002)
    return 1000 * (card.sounded_at - started - silence_sec)


def idle_share() -> tuple[int, int]:
    """Idle and all ticks of all cores so far."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return fields[3] + fields[4], sum(fields[:8])


def measure_at_card(seconds: float) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "card").mkdir()
        card = Card(Path(folder) / "card")
        card.start()
        playing = Composing(Path(folder) / "one", card.env)
        other = Composing(Path(folder) / "two", card.env)
        try:
            track = playing.make(prompt="rainy night with vinyl crackle", duration_sec=round(seconds) + 60, seed=1)
            silence_sec = leading_silence_sec(playing.ask("cache_get", track_id=track)["path"])
            cold_ms = first_sound_ms(card, playing, track, silence_sec)
            warm_ms = []
            for _ in range(WARM_PLAYS):
                playing.ask("stop")
                time.sleep(0.4)
                warm_ms.append(first_sound_ms(card, playing, track, silence_sec))
            time.sleep(6)  # until the decoder is ahead: its rest is the steady state
            before, started = playing.cpu_sec(), time.monotonic()
            time.sleep(CPU_WINDOW_SEC)
            share = (playing.cpu_sec() - before) / (time.monotonic() - started)

            playing.ask("play", track_id=track)
            playing.feed()
            other.feed()
            time.sleep(3)
            idle, ticks = idle_share()
            card.counting = True
            time.sleep(seconds)
            card.counting = False
            idle, ticks = idle_share()[0] - idle, idle_share()[1] - ticks
            state = playing.ask("status")["playback"]["state"]
            playing.rest()
            other.rest()
        finally:
            playing.close()
            other.close()
            card.close()
    return {
        "cpu_percent": round(100 * share, 2),
        "first_sound_cold_ms": round(cold_ms),
        "first_sound_ms": round(statistics.median(warm_ms)),
        "busy_seconds": seconds,
        "busy_percent": round(100 * (1 - idle / ticks), 1),
        "tracks_made_meanwhile": playing.made + other.made,
        "state": state,
        "underruns": card.underruns,
        "gaps": card.gaps,
        "overslept": card.overslept,
    }


def memory_mb() -> float:
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(os.getpid())])) * 1024 / 1e6


async def simulate(hours: float, folder: Path) -> dict:
    """In this process, which must be fresh: eight tracks of three minutes, over and over, crossfaded."""
    import numpy as np
    import soundfile
    from support.pulled_output import PulledOutput

    from lofi_daemon.player.player import Item, Player

    dice = np.random.default_rng(1)
    items = []
    for number in range(8):
        rate = (48_000, 44_100, 32_000)[number % 3]
        path = folder / f"{number}.flac"
        soundfile.write(path, dice.uniform(-0.1, 0.1, (180 * rate, 1 + number % 2)), rate, subtype="PCM_16")
        items.append(Item(f"{number:064x}", str(path), duration_sec=180.0))
    started = [0]
    output = PulledOutput()

    def listen(event: object) -> None:
        started[0] += type(event).__name__ == "PlaybackStarted"

    player = Player(listen, "none", open_output=lambda say: output, crossfade_sec=6.0)
    await player.add(items)
    await player.set_mode(loop="all")
    await player.start()
    block, by_hour, began = 4800, [], time.monotonic()
    deck = player._decks.current
    assert deck
    for at in range(round(hours * 3600 * RATE / block)):
        # A device does not outrun the decoder.
        while any(  # noqa: ASYNC110
            not source.finished and source.available < 2 * block for source in deck.sources.values()
        ):
            await asyncio.sleep(0.0005)
        output.pull(block, block)
        await asyncio.sleep(0)
        if (at + 1) % (3600 * RATE // block) == 0:
            by_hour.append(round(memory_mb(), 1))
    figures = {
        "hours": hours,
        "memory_by_hour_mb": by_hour,
        "memory_growth_mb": round(by_hour[-1] - by_hour[0], 1) if by_hour else 0.0,
        "tracks_played": started[0],
        "state": player.state().state,
        "times_real_time": round(hours * 3600 / (time.monotonic() - began)),
    }
    closing = asyncio.create_task(player.close())
    while not closing.done():
        if not output.closed:
            output.pull(480)
        await asyncio.sleep(0.001)
    return figures


def simulated(hours: float) -> dict:
    command = [sys.executable, __file__, "--simulate", str(hours)]
    return json.loads(subprocess.check_output(command, text=True).splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=60.0, help="of real time with every core busy")
    parser.add_argument("--hours", type=float, default=24.0, help="of simulated playing")
    parser.add_argument("--simulate", type=float, metavar="HOURS", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.simulate is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(simulate(wanted.simulate, Path(folder)))))
        return
    figures: dict = {"bench": "player"}
    rows = []
    if sys.platform == "linux":
        at_card = figures["card"] = measure_at_card(wanted.seconds)
        busy = f"{at_card['busy_seconds']:.0f} s, cores {at_card['busy_percent']:.0f} % busy"
        rows += [
            ("CPU of one core while playing", f"{at_card['cpu_percent']} %", "≤ 5 %"),
            ("play to first sound, device closed", f"{at_card['first_sound_cold_ms']} ms", ""),
            ("play to first sound, device open", f"{at_card['first_sound_ms']} ms", "≤ 250 ms"),
            (f"underruns in {busy}", str(at_card["underruns"]), "0"),
            ("gaps in the music meanwhile", str(at_card["gaps"]), "0"),
        ]
    memory = figures["memory"] = simulated(wanted.hours)
    rows.append(
        (f"growth of memory in {wanted.hours:g} h of playing", f"{memory['memory_growth_mb']} MB", "flat, ≤ 5 MB")
    )
    if not wanted.json:
        for name, value, target in rows:
            print(f"{name:46} {value:>10}   {'target ' + target if target else ''}".rstrip())
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
