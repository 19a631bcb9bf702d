"""ACE-Step 1.5 as it comes from this package, against diffusers' own parts in float32, on random weights.

    .venv/bin/python bench/acestep.py [--json] [--seconds N] [--steps N]

Weights of the published 2B turbo's shapes are made in memory, nothing is downloaded. Each way runs in a process of its
own, on the same weights, noise and condition: `steps` of the transformer and the sound of the latent that comes of
them, words and their encoding left out. Prints a table and, last, one line of JSON; with --json only that line.
Targets: 30 s of music in 30 s, 3 × diffusers, transformer and autoencoder each 40 dB a call from float32.

`dit_snr_db` and `vae_snr_db` are the worst of several inputs, noise and structured ones; `run_snr_db` is that of the
sound after a whole run, whose steps each add to the error of those before. `resume_half_ratio` is the time of what a
run from t_start 0.5 has left, of the whole on the same grid; `checkpoint_overhead` the time that packing and writing a
checkpoint takes, of a step's.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

SEED = 7
TOKENS = 200
WIDTH = 2048
VAE_FRAMES = 64
WAYS = ("diffusers", "ours")


# ---- the models ------------------------------------------------------------------------------------------------------


def fill(module: Any, dtype: Any, exact: tuple[str, ...] = ()) -> Any:
    """Random weights, the same for each way, of which signals come out as large as they went in."""
    import torch

    for name, parameter in module.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        size, low, high = _spread(name, parameter.shape)
        drawn = torch.empty(size).uniform_(low, high, generator=generator)
        owner, _, leaf = name.rpartition(".")
        setattr(
            module.get_submodule(owner), leaf,
            torch.nn.Parameter(drawn.to(torch.float32 if name.startswith(exact) else dtype), requires_grad=False),
        )  # fmt: skip
    return module.eval()


def _spread(name: str, shape: Any) -> tuple[Any, float, float]:
    """Uniform between these. The transformer's branches weigh as much as what they are added to. The autoencoder's
    convolutions are as torch draws them, so that sound stays between −1 and 1: louder, its 36 snakes turn over several
    times, and a rounding anywhere becomes another sound in any arithmetic."""
    leaf = name.rpartition(".")[2]
    if leaf == "bias":
        return shape, -0.02, 0.02
    if leaf in ("alpha", "beta"):
        return shape, -0.5, 0.5
    if leaf == "scale_shift_table":
        return shape, -1.0, 1.0
    if len(shape) == 1:
        return shape, 0.8, 1.2  # norms
    fan_in = math.prod(shape[1:])
    if "conv_t" in name or "proj_out_conv" in name:
        fan_in = shape[0] * (2 if "conv_t" in name else 1)  # each sample comes from two rows
    reach = math.sqrt((1 if name.startswith(("decoder.", "encoder.")) else 3) / fan_in)
    return shape, -reach, reach


def transformer(dtype: Any) -> Any:
    import torch
    from diffusers import AceStepTransformer1DModel

    with torch.device("meta"):
        made = AceStepTransformer1DModel(is_turbo=True)
    return fill(made, dtype, ("time_embed",))


def autoencoder(fused: bool) -> Any:
    """In float32, as load_vae keeps the decoder; ``fused``: as it comes from there, else as diffusers has it, direction
    and length of each weight apart and put together in each call."""
    import torch
    from diffusers import AutoencoderOobleck

    from acestep_core.v15 import assemble

    with torch.device("meta"):
        made = AutoencoderOobleck(
            encoder_hidden_size=128, downsampling_ratios=[2, 4, 4, 6, 10], channel_multiples=[1, 2, 4, 8, 16],
            decoder_channels=128, decoder_input_channels=64, audio_channels=2, sampling_rate=48_000,
        )  # fmt: skip
    empty = made.to_empty(device="cpu")
    assemble.without_weight_norm(empty, torch.float32)
    filled = fill(empty, torch.float32)
    for part in filled.modules():
        if not fused and isinstance(part, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            torch.nn.utils.weight_norm(part)
    return filled.requires_grad_(False)


# ---- what they are given ---------------------------------------------------------------------------------------------


def given(frames: int) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(SEED)

    def noise(*shape: int) -> Any:
        return torch.randn(shape, generator=generator)

    source, encoder, x = noise(1, 1, 64).expand(1, frames, 64), noise(1, TOKENS, WIDTH), noise(1, frames, 64)
    music = structured(frames)
    return {
        "encoder": encoder,
        "context": torch.cat([source, torch.ones_like(source)], -1),
        "noise": x,
        "calls": [(x, 1.0), (0.6 * x + 0.4 * music, 0.6), (0.1 * x + 0.9 * music, 0.1)],
        "latents": [noise(VAE_FRAMES, 64), structured(VAE_FRAMES)[0]],
    }


def structured(frames: int) -> Any:
    """Something like a loop: slow waves, a bar that repeats, a silence, and three channels far louder than the rest."""
    import torch

    time_, channel = torch.arange(frames).unsqueeze(1), torch.arange(64)
    waves = torch.sin(time_ / (3 + channel) + channel) + (time_ % 50 < 4) * torch.cos(2.0 * channel)
    waves[frames // 3 : frames // 2] = 0.02
    waves[:, ::21] *= 6
    return waves.float().unsqueeze(0)


# ---- the two ways ----------------------------------------------------------------------------------------------------


class Clock:
    """Wall time, and the processor's: the one that other programs on the machine change least."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __call__(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def diffusers_way(seconds: int, steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    import torch

    from acestep_core import schedules

    inputs = given(seconds * 25)
    model, vae = transformer(torch.float32), autoencoder(False)

    def velocity(x: Any, t: float) -> Any:
        at = torch.full((1,), t)
        return model(x, at, at, inputs["encoder"], inputs["context"], return_dict=False)[0]

    def decode(latent: Any) -> Any:
        return vae.decode(latent.transpose(1, 2), return_dict=False)[0][0]

    velocity(inputs["noise"], 1.0)  # what is made on first use
    clock, x, grid = Clock(), inputs["noise"], schedules.shifted(steps, 3.0)
    for t, after in pairwise(grid):
        x = x - (t - after) * velocity(x, t)
    dit = clock()
    sound = decode(x)
    whole = clock()
    outputs = {
        "calls": [velocity(*call) for call in inputs["calls"]],
        "sounds": [decode(latent.unsqueeze(0)) for latent in inputs["latents"]],
        "latent": x,
        "sound": sound,
    }
    return figures(dit, whole), outputs


def our_way(seconds: int, steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    import torch

    from acestep_core import schedules
    from acestep_core.native import build, kernels
    from acestep_core.noise import SeededNoise
    from acestep_core.sampler import Condition, Settings, Step, sample
    from acestep_core.stored import pack
    from acestep_core.v15 import vae as autoencoders
    from acestep_core.v15.modules import Denoiser

    try:
        fast = kernels.load()
    except build.CannotBuildError as error:
        print(f"Without kernels: {error}", file=sys.stderr)
        fast = None
    inputs = given(seconds * 25)
    model, vae = transformer(torch.bfloat16), autoencoder(True)
    denoiser = Denoiser(model, torch.zeros(1, 1, WIDTH), fast)
    condition = Condition(inputs["encoder"], inputs["context"])

    def decode(latent: Any) -> Any:
        return torch.cat(list(autoencoders.decode(vae, latent, kernels=fast)), -1)

    def run(grid: Any, on_step: Callable[[Step], None] | None = None) -> Any:
        noise = SeededNoise(SEED, 1, seconds * 25)
        settings = Settings(grid, distilled=True)
        return sample(denoiser, settings, condition, noise, start=inputs["noise"], on_step=on_step).latent

    denoiser.velocity(inputs["noise"], 1.0, Condition(inputs["encoder"].clone(), inputs["context"]))
    clock = Clock()
    latent = run(schedules.shifted(steps, 3.0))
    dit = clock()
    sound = decode(latent[0])
    whole = clock()

    even = schedules.shifted(steps, 1.0)
    clock = Clock()
    run(schedules.truncate(even, 0.5))
    half = clock()
    written: list[float] = []

    def write(step: Step) -> None:
        begun = time.process_time()
        with tempfile.NamedTemporaryFile() as file:
            file.write(pack(step.checkpoint()))
            os.fsync(file.fileno())
        written.append(time.process_time() - begun)

    run(even[-2:], write)
    outputs = {
        "calls": [denoiser.velocity(*call, condition) for call in inputs["calls"]],
        "sounds": [decode(latent) for latent in inputs["latents"]],
        "latent": latent,
        "sound": sound,
    }
    more = {
        "resume_half_ratio": half[1] / dit[1],
        "checkpoint_overhead": written[0] / (dit[1] / steps),
        "kernels": denoiser.fast,
    }
    return {**figures(dit, whole), **more}, outputs


def figures(dit: tuple[float, float], whole: tuple[float, float]) -> dict[str, Any]:
    return {
        "whole_sec": whole[0], "dit_sec": dit[0], "vae_sec": whole[0] - dit[0],
        "whole_cpu_sec": whole[1], "dit_cpu_sec": dit[1], "vae_cpu_sec": whole[1] - dit[1],
    }  # fmt: skip


# ---- side by side ----------------------------------------------------------------------------------------------------


def snr(made: Any, exact: Any) -> float:
    error = made.double() - exact.double()
    return float(10 * (exact.double().square().sum() / error.square().sum()).log10())


def compare(folder: Path) -> dict[str, Any]:
    """In dB, and how large the signals were, without which that would say little."""
    import torch

    exact, made = (torch.load(folder / f"{way}.pt") for way in WAYS)

    def each(name: str) -> list[float]:
        return [round(snr(one, other), 1) for one, other in zip(made[name], exact[name], strict=True)]

    return {
        "dit_snr_db": min(each("calls")),
        "vae_snr_db": min(each("sounds")),
        "run_snr_db": round(snr(made["sound"], exact["sound"]), 1),
        "run_latent_snr_db": round(snr(made["latent"], exact["latent"]), 1),
        "dit_snr_db_each": each("calls"),
        "vae_snr_db_each": each("sounds"),
        "velocity_std": [round(float(v.std()), 3) for v in exact["calls"]],
        "sound_std": [round(float(v.std()), 3) for v in exact["sounds"]],
    }


def one(way: str, folder: Path, seconds: int, steps: int) -> dict[str, Any]:
    """In a process of its own, for its memory's sake."""
    print(f"{way} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-W", "ignore", __file__, "--seconds", str(seconds), "--steps", str(steps)]
    ours = {"OMP_WAIT_POLICY": "PASSIVE"} if way == "ours" else {}  # as the daemon starts its worker
    done = subprocess.run(
        [*command, "--one", way, str(folder)], stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ours}
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=int, default=30, help="length of the music")
    parser.add_argument("--steps", type=int, default=8, help="steps of the transformer")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        way, folder = wanted.one[0], Path(wanted.one[1])
        import torch

        with torch.no_grad():
            if way == "compare":
                print(json.dumps(compare(folder)))
                return
            found, outputs = (diffusers_way if way == "diffusers" else our_way)(wanted.seconds, wanted.steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        torch.save(outputs, folder / f"{way}.pt")
        print(json.dumps({**found, "peak_mb": round(peak / 1e6)}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        found = {way: one(way, Path(scratch), wanted.seconds, wanted.steps) for way in (*WAYS, "compare")}
    report(found, wanted.seconds, wanted.steps, wanted.json)


def report(found: dict[str, dict[str, Any]], seconds: int, steps: int, only_json: bool) -> None:
    base, ours = (found[way] for way in WAYS)
    summary = {
        "bench": "acestep",
        "seconds": seconds,
        "steps": steps,
        "ratio_vs_diffusers": round(base["whole_sec"] / ours["whole_sec"], 2),
        "cpu_ratio_vs_diffusers": round(base["whole_cpu_sec"] / ours["whole_cpu_sec"], 2),
        "realtime_factor": round(seconds / ours["whole_sec"], 2),
        "resume_half_ratio": round(ours["resume_half_ratio"], 3),
        "checkpoint_overhead": round(ours["checkpoint_overhead"], 5),
        "kernels": ours["kernels"],
        **found["compare"],
        **{
            way: {name: round(found[way][name], 2) for name in found[way] if name.endswith(("sec", "mb"))}
            for way in WAYS
        },
    }
    if not only_json:
        print(f"{seconds} s of music in {steps} steps; seconds on the clock (and of the processors)")
        for way in WAYS:
            row = found[way]
            print(
                f"{way:<10} transformer {row['dit_sec']:6.1f} ({row['dit_cpu_sec']:6.1f})  sound {row['vae_sec']:6.1f} "
                f"({row['vae_cpu_sec']:6.1f})  whole {row['whole_sec']:6.1f} ({row['whole_cpu_sec']:6.1f})  "
                f"{seconds / row['whole_sec']:4.2f} × real time  {row['peak_mb']} MB"
            )
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
