"""The front: start to the first reply (of a daemon of one's own, of a shared one that has to start, and of a shared
one that runs), memory, reply to a cached generate, and what is not imported.

Usage: python bench/front.py [--json]. Prints a table and, last, one line of JSON; with --json only that line.
Targets: first reply ≤ 150 ms, ≤ 60 MB before the first play, ≤ 90 MB after, cached reply ≤ 5 ms, no torch.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAVY = ("torch", "transformers", "diffusers", "scipy", "numpy", "soundfile", "sounddevice")
STARTS = 15
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Modules are compiled once, as on a user's machine."""
CACHED = 200


class Daemon:
    """A raw client: a clock around a write and a readline measures the daemon, not a client library."""

    def __init__(self, cache: str, *settings: str, shared: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lofi_daemon", "--stdio", *(word for s in settings for word in ("--set", s))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT | {"LOFI_CACHE_PATH": cache, "LOFI_DAEMON_SHARED": str(shared), "XDG_RUNTIME_DIR": cache},
        )

    def ask(self, method: str, **params: object) -> dict:
        assert self.process.stdin and self.process.stdout
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.wait(lambda message: "id" in message)

    def wait(self, wanted) -> dict:
        assert self.process.stdout
        while not wanted(message := json.loads(self.process.stdout.readline())):
            pass
        return message

    def memory_mb(self) -> float:
        if sys.platform == "linux":
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        else:
            kib = int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(self.process.pid)]))
        return kib * 1024 / 1e6

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(5)


def first_reply_ms(cache: str, shared: bool = False) -> tuple[float, int]:
    """And the pid of the one that answered."""
    started = time.perf_counter()
    daemon = Daemon(cache, shared=shared)
    pid = daemon.ask("ping")["result"]["pid"]
    elapsed = time.perf_counter() - started
    daemon.close()
    return 1000 * elapsed, pid


def starts(cache: str) -> dict[str, list[float]]:
    """Milliseconds to the first reply of each kind of start, sorted. The first of all, which compiles, is left out."""
    own = [first_reply_ms(cache)[0] for _ in range(STARTS + 1)]
    cold = []
    for _ in range(STARTS):
        elapsed, pid = first_reply_ms(cache, shared=True)
        cold.append(elapsed)
        end(pid)
    _, pid = first_reply_ms(cache, shared=True)
    warm = [first_reply_ms(cache, shared=True)[0] for _ in range(STARTS)]
    end(pid)
    return {"": sorted(cold), "_running": sorted(warm), "_own": sorted(own[1:])}


def end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    while alive(pid):
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def heavy_imports() -> list[str]:
    code = f"import sys, lofi_daemon.app; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


def measure() -> dict:
    with tempfile.TemporaryDirectory() as cache:
        firsts = starts(cache)
        daemon = Daemon(cache)
        daemon.ask("ping")
        request = {"prompt": "rainy night, mellow rhodes", "duration_sec": 5, "seed": 1, "backend": "synth"}
        job = daemon.ask("generate", **request)["result"]["job_id"]
        daemon.wait(lambda m: m.get("method") == "generation_complete" and m["params"]["job_id"] == job)
        before_play = daemon.memory_mb()
        replies = []
        for _ in range(CACHED):
            started = time.perf_counter()
            reply = daemon.ask("generate", **request)
            replies.append(1000 * (time.perf_counter() - started))
            assert reply["result"]["status"] == "cached", reply
        playing = daemon.ask("play")["result"]
        time.sleep(2)
        after_play = daemon.memory_mb()
        daemon.close()
    return {
        **{f"first_reply{kind}_ms": round(statistics.median(times), 1) for kind, times in firsts.items()},
        **{f"first_reply{kind}_best_ms": round(times[0], 1) for kind, times in firsts.items()},
        "memory_before_play_mb": round(before_play, 1),
        "memory_after_play_mb": round(after_play, 1),
        "playback": playing["state"],
        "cached_reply_ms": round(statistics.median(replies), 2),
        "cached_reply_worst_ms": round(max(replies), 2),
        "heavy_imports": heavy_imports(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    arguments = parser.parse_args()
    figures = measure()
    if not arguments.json:
        rows = [
            ("first reply, daemon of its own", f"{figures['first_reply_own_ms']} ms", "≤ 150 ms"),
            ("first reply, shared, started by us", f"{figures['first_reply_ms']} ms", "≤ 150 ms"),
            ("first reply, shared, running", f"{figures['first_reply_running_ms']} ms", "≤ 150 ms"),
            ("memory before the first play", f"{figures['memory_before_play_mb']} MB", "≤ 60 MB"),
            (f"memory after a play ({figures['playback']})", f"{figures['memory_after_play_mb']} MB", "≤ 90 MB"),
            ("reply to a cached generate", f"{figures['cached_reply_ms']} ms", "≤ 5 ms"),
            ("heavy imports in the front", ", ".join(figures["heavy_imports"]) or "none", "none"),
        ]
        for name, value, target in rows:
            print(f"{name:36} {value:>12}   target {target}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
