"""The composer: how many seconds of music a second of one core makes, and how much memory that takes.

Usage: python bench/synth.py [--json]. Prints a table and, last, one line of JSON; with --json only that line.
Each row is a fresh process with a cold note cache, held to one thread. Compose and render are in the
figure, the interpreter's start and imports are not (they have a column), nor is writing the file.
Targets: ≥ 60 × real time from two minutes on, ≥ 40 × for a first track of 30 s.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

SECONDS = (30, 120, 240, 600)
PROMPTS = (
    "rainy night, mellow rhodes, 75 bpm",
    "lofi house with strings and bells",
    "sad felt piano ballad",
)
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM", "BLIS")}


def measure_here(prompt: str, seconds: int) -> dict[str, float]:
    """In this process, which must be fresh."""
    started = time.process_time(), time.perf_counter()
    from lofi_daemon.backends.synth.composer import compose
    from lofi_daemon.backends.synth.render import render

    loaded = time.process_time(), time.perf_counter()
    score = compose(prompt, seconds, 7)
    composed = time.process_time()
    track = render(score)
    done = time.process_time(), time.perf_counter()
    assert len(track.audio) == seconds * track.sample_rate
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "import_s": loaded[0] - started[0],
        "compose_s": composed - loaded[0],
        "cpu_s": done[0] - loaded[0],
        "wall_s": done[1] - loaded[1],
        "peak_mb": peak * (1 if sys.platform == "darwin" else 1024) / 1e6,
    }


def measure(seconds: int) -> dict[str, float]:
    """Medians over the prompts, each in a process of its own; ``slowest_x`` is the worst of them."""
    runs = []
    for prompt in PROMPTS:
        command = [sys.executable, __file__, "--one", prompt, str(seconds)]
        output = subprocess.check_output(command, text=True, env=os.environ | ONE_THREAD)
        runs.append(json.loads(output))
    row = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    row["cpu_x"] = seconds / row["cpu_s"]
    row["wall_x"] = seconds / row["wall_s"]
    row["slowest_x"] = seconds / max(run["cpu_s"] for run in runs)
    row["peak_mb"] = max(run["peak_mb"] for run in runs)
    return {name: round(value, 3 if name.endswith("_s") else 1) for name, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--one", nargs=2, metavar=("PROMPT", "SECONDS"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        print(json.dumps(measure_here(wanted.one[0], int(wanted.one[1]))))
        return
    results = {}
    if not wanted.json:
        print(f"{'track':>8} {'import s':>9} {'compose s':>10} {'CPU s':>7} {'wall s':>7} {'× CPU':>7} {'× wall':>7} "
              f"{'slowest':>8} {'peak MB':>8}")  # fmt: skip
    for seconds in SECONDS:
        row = results[str(seconds)] = measure(seconds)
        if not wanted.json:
            print(f"{seconds:>6} s {row['import_s']:>9.2f} {row['compose_s']:>10.3f} {row['cpu_s']:>7.2f} "
                  f"{row['wall_s']:>7.2f} {row['cpu_x']:>7.0f} {row['wall_x']:>7.0f} {row['slowest_x']:>8.0f} "
                  f"{row['peak_mb']:>8.0f}")  # fmt: skip
    print(json.dumps({"bench": "synth", "seconds": results}))


if __name__ == "__main__":
    main()
