"""A worker that does what the prompt says, for testing the host and the daemon without a real backend.

"steps N …": N steps of 10 ms, then done · "deaf": never looks at cancels · "crash": dies by SIGSEGV after one step ·
"long": one step, then a track of a minute instead of a tenth of a second · "fail NAME": reports that named error ·
"chatter": prints garbage on the link first, then does one step.
It writes an honest little FLAC file for each track.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from lofi_daemon.audio.files import write_track
from lofi_daemon.engine.link import (
    Cancel,
    Cancelled,
    Done,
    Failed,
    Progress,
    Ready,
    Run,
    Started,
    Unloaded,
    decode_to_worker,
    encode,
)  # fmt: skip
from lofi_daemon.model import Track

cancelled = set()
link = os.dup(1)
os.dup2(2, 1)


def say(message):
    os.write(link, encode(message))


def run(job: Run) -> None:
    params = job.stages[0]
    word, _, rest = params.prompt.partition(" ")
    say(Started(job.job_id, "puppet"))
    if word == "chatter":
        os.write(link, b"Loading weights: 100%\n")
    if word == "fail":
        say(Failed(job.job_id, rest, "The puppet was told to fail."))
        return
    steps = int(rest.split()[0].rstrip(",")) if word == "steps" else 10_000 if word == "deaf" else 1
    for step in range(steps):
        time.sleep(0.01)
        if word != "deaf" and job.job_id in cancelled:
            say(Cancelled(job.job_id, step, steps))
            return
        say(Progress(job.job_id, step + 1, steps))
        if word == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
    seconds = 60.0 if word == "long" else 0.1
    tracks = []
    for track_id in job.track_ids[0]:
        track = Track(
            id=track_id, path="", prompt=params.prompt, duration_sec=seconds, sample_rate=8000, channels=1,
            seed=params.seed, backend=params.backend, model_version=job.model_versions[0], generation_time_sec=0.0,
            created_at="2026-01-01T00:00:00.000Z", params=params, lufs=-16.0,
        )  # fmt: skip
        name = f"{track_id}.{job.audio_format}"
        silence = np.zeros((round(seconds * 8000), 1), np.float32)
        write_track(Path(job.staging) / name, silence, 8000, track, job.audio_format)
        tracks.append(Track(**{field: getattr(track, field) for field in track.__struct_fields__} | {"path": name}))
    say(Done(job.job_id, tuple(tracks)))


def main() -> None:
    say(Ready(os.getpid()))
    for line in sys.stdin.buffer:
        command = decode_to_worker(line)
        if isinstance(command, Cancel):
            cancelled.add(command.job_id)
        elif isinstance(command, Run):
            threading.Thread(target=run, args=(command,), daemon=True).start()
        else:
            say(Unloaded(("synth",)))


main()
