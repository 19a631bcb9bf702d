"""A worker that does what the prompt says, for testing the host and the daemon without a real backend.

"steps N …": N steps of 10 ms, then done · "steps N hold": stands still half-way until there is a file ~/go ·
"deaf": never looks at cancels · "crash": dies by SIGSEGV after one step ·
"long": one step, then a track of a minute instead of a tenth of a second · "fail NAME": reports that named error ·
"chatter": prints garbage on the link first, then does one step ·
"stream SPEED [hold AT] [fail AT | crash AT]": makes ``sound.swell`` at that many times real time and lets it be
heard; at AT seconds of audio it waits for ~/go, fails or dies.
"latent": keeps a latent of its seed's noise, or of what it starts from, and a checkpoint if one was asked for ·
"latent die TIMES [cancelled]": leaves an automatic checkpoint and dies, so many times (a file in
``LOFI_PUPPET_DEATHS`` counts), or once it has been cancelled.
It writes an honest little FLAC file for each track.
"""

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy
from sound import swell

from lofi_daemon.audio.files import write_track
from lofi_daemon.backends.base import LatentMade
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
from lofi_daemon.errors import LofiError
from lofi_daemon.model import Track
from lofi_daemon.stages import latents
from lofi_daemon.stages.stream import Stream

STREAM_RATE = 48_000
GO = Path.home() / "go"

cancelled = set()
remembered = latents.Latents()
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
    if word == "stream":
        stream(job, rest.split())
        return
    if word == "latent":
        try:
            latent(job, rest.split())
        except LofiError as error:
            say(Failed(job.job_id, error.name, error.message))
        return
    if word == "fail":
        say(Failed(job.job_id, rest, "The puppet was told to fail."))
        return
    steps = int(rest.split()[0].rstrip(",")) if word == "steps" else 10_000 if word == "deaf" else 1
    half = steps // 2 if rest.split()[1:2] == ["hold"] else None
    for step in range(steps):
        if step == half:
            hold(job)
        time.sleep(0.01)
        if word != "deaf" and job.job_id in cancelled:
            say(Cancelled(job.job_id, step, steps))
            return
        say(Progress(job.job_id, step + 1, steps))
        if word == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(60)  # the signal may take another thread, and this one would go on meanwhile
    seconds = 60.0 if word == "long" else 0.1
    keep(job, job.track_ids[0], np.zeros((round(seconds * 8000), 1), np.float32), 8000)


def hold(job: Run) -> None:
    while not GO.exists() and job.job_id not in cancelled:
        time.sleep(0.005)


def latent(job: Run, words) -> None:
    params = job.stages[0]
    remembered.begin(job.latents)
    own = latents.StageLatents(job, 0, say, lambda: datetime.now(UTC))
    values = np.random.default_rng(int(params.seed)).standard_normal((params.batch_size, 128, 64)).astype(np.float32)
    if params.init_latent_id:
        values = safetensors.numpy.load(remembered.latent(params.init_latent_id).blob)["latent"]
    left = own.left_off(job.left_off) if job.left_off else None
    made = LatentMade(safetensors.numpy.save({"latent": values}), params.model or "turbo", (1.0, 0.5, 0.0), 2)
    if words:
        deaths = Path(os.environ["LOFI_PUPPET_DEATHS"])
        with deaths.open("a") as file:
            file.write("-" if left is None else str(left.record.checkpoint_step))
        if deaths.stat().st_size <= int(words[1]):
            own._next_save = 0.0
            own.checkpoint(lambda: msgspec.structs.replace(made, checkpoint_step=1))
            while words[2:] == ["cancelled"] and job.job_id not in cancelled:
                time.sleep(0.005)
            os.kill(os.getpid(), signal.SIGKILL)
    if params.checkpoint_step is not None:
        own.keep(msgspec.structs.replace(made, checkpoint_step=params.checkpoint_step))
    own.keep(made)
    remembered.remember(own.made)
    say(Progress(job.job_id, 2, 2))
    keep(job, job.track_ids[0], np.zeros((800, 1), np.float32), 8000, own)


def keep(job: Run, track_ids, audio, rate, own=None) -> None:
    params, tracks = job.stages[0], []
    for item, track_id in enumerate(track_ids):
        track = Track(
            id=track_id, path="", prompt=params.prompt, duration_sec=len(audio) / rate, sample_rate=rate,
            channels=audio.shape[1], seed=params.seed, backend=params.backend,
            model_version=job.equipment[0].model_version, generation_time_sec=0.0,
            created_at="2026-01-01T00:00:00.000Z", params=params, lufs=-16.0,
        )  # fmt: skip
        track = own.on_track(track, item) if own else track
        name = f"{track_id}.{job.audio_format}"
        write_track(Path(job.staging) / name, audio, rate, track, job.audio_format)
        tracks.append(Track(**{field: getattr(track, field) for field in track.__struct_fields__} | {"path": name}))
    say(Done(job.job_id, tuple(tracks), own.files() if own else ()))


def stream(job: Run, words) -> None:
    params = job.stages[0]
    speed, at = float(words[0]), dict(zip(words[1::2], map(float, words[2::2]), strict=True))
    audio, began = swell(params.duration_sec), time.monotonic()
    out = Stream(job.job_id, Path(job.staging), job.track_ids[0][0], say)
    for start in range(0, len(audio), STREAM_RATE // 4):
        second = start / STREAM_RATE
        if second >= at.get("hold", len(audio)):
            hold(job)
            began, at = time.monotonic() - second / speed, at | {"hold": len(audio)}
        if job.job_id in cancelled:
            say(Cancelled(job.job_id, start, len(audio)))
            return
        if second >= at.get("fail", len(audio)):
            say(Failed(job.job_id, "MODEL_INFERENCE_FAILED", "The puppet was told to fail."))
            return
        if second >= at.get("crash", len(audio)):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(max(0.0, began + (second + 0.25) / speed - time.monotonic()))
        out.append(audio[start : start + STREAM_RATE // 4], STREAM_RATE)
    out.end(audio)
    keep(job, job.track_ids[0], audio, STREAM_RATE)


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
