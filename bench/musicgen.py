"""MusicGen: ours against transformers, on random weights of musicgen-small's published sizes.

Usage: python bench/musicgen.py [--seconds 30] [--device cpu|cuda] [--json]. Needs the extra musicgen, 3 GB of temporary
disk and, for 30 seconds on two quiet cores, six minutes. Prints a table and, last, one line of JSON; with --json only
that line. Each way runs in a process of its own, on the same weights, prompt, seed and settings (sampling, top-k 50,
guidance 3). Speeds are tokens (frames of 20 ms) a second: 50 is real time. Targets: int8 ≥ 3 × transformers over a
30-second clip, float32 ≥ 1.3 × with the same tokens.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

FRAME_RATE = 50
PLACES = (50, 500, 1450)
AROUND = 40
SEED = 7
PROMPT = "rain piano"
CACHE_BYTES = {"float32": 4.0, "bfloat16": 2.0, "int8": 1 + 4 / 64}
"""A number in the attention cache; int8 has a scale for every 64."""
OURS = tuple(CACHE_BYTES)


def make(folder: Path) -> None:
    """Random weights in the published layout."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        EncodecConfig,
        GenerationConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    torch.manual_seed(0)
    text = T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12)
    codec = EncodecConfig(
        sampling_rate=32_000, num_filters=64, upsampling_ratios=[8, 5, 4, 4], codebook_size=2048, hidden_size=128,
        codebook_dim=128, use_causal_conv=False, use_conv_shortcut=False, target_bandwidths=[2.2],
    )  # fmt: skip
    config = MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=MusicgenDecoderConfig().to_dict()
    )
    model = MusicgenForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        do_sample=True, guidance_scale=3.0, decoder_start_token_id=2048, pad_token_id=2048, bos_token_id=2048
    )
    model.save_pretrained(folder)
    unknown = "<unk>"
    words = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, unknown: 2, "rain": 3, "piano": 4}, unk_token=unknown))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": unknown}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def digest(codes: Any) -> str:
    return hashlib.sha256(codes.to("cpu").contiguous().numpy().tobytes()).hexdigest()


def speeds(times: list[float]) -> dict[str, float]:
    """Tokens a second around each place, and over the whole."""
    found = {
        str(place): round(AROUND / (times[place + AROUND] - times[place]), 2)
        for place in PLACES
        if place + AROUND < len(times)
    }
    return {**found, "whole": round((len(times) - 1) / (times[-1] - times[0]), 2)}


def transformers_way(folder: Path, frames: int, device: str) -> dict[str, Any]:
    import torch
    from transformers import MusicgenForConditionalGeneration

    model = MusicgenForConditionalGeneration.from_pretrained(folder).eval().to(device)
    kept: list[Any] = []
    decode = model.audio_encoder.decode

    def decode_and_keep(codes: Any, *arguments: Any, **named: Any) -> Any:
        kept.append(codes[0])
        kept.append(time.perf_counter())
        return decode(codes, *arguments, **named)

    model.audio_encoder.decode = decode_and_keep
    times: list[float] = []
    forward = model.decoder.forward

    def timed(*arguments: Any, **named: Any) -> Any:
        times.append(time.perf_counter())
        return forward(*arguments, **named)

    model.decoder.forward = timed
    torch.manual_seed(SEED)
    began = time.perf_counter()
    model.generate(input_ids=torch.tensor([[3, 4]], device=device), max_length=frames + 4)
    ended = time.perf_counter()
    return {
        "tokens_per_sec": speeds(times[1:]),
        "digest": digest(kept[0]),
        "codec_sec": ended - kept[1],
        "whole_sec": ended - began,
        "first_audio_sec": ended - began,
    }


def our_way(folder: Path, frames: int, device: str, precision: str) -> dict[str, Any]:
    from lofi_daemon.backends.base import Equipment
    from lofi_daemon.backends.musicgen import engine
    from lofi_daemon.backends.trial import Trial
    from lofi_daemon.model import StageParams

    codes: list[Any] = []
    original = engine.generate_codes

    def generate_and_keep(*arguments: Any, **named: Any) -> Any:
        for part in original(*arguments, **named):
            codes.append(part)
            yield part

    engine.generate_codes = generate_and_keep  # type: ignore[assignment]

    class Context(Trial):
        def __init__(self) -> None:
            super().__init__(Equipment("bench", (str(folder),), precision, device))
            self.began = time.perf_counter()
            self.times: list[float] = []
            self.done = 0
            self.first = math.nan

        def step(self, done: int, total: int) -> None:
            if done > self.done:  # it is also called while nothing but the sound is waited for
                self.done = done
                self.times.append(time.perf_counter())

        def notice(self, level: str, message: str) -> None:
            print(f"{level}: {message}", file=sys.stderr)

        def audio(self, samples: object, sample_rate: int) -> None:
            if math.isnan(self.first):
                self.first = time.perf_counter() - self.began

    made = engine.make_engine()
    cold = Context()
    made.render(StageParams(backend="musicgen", prompt="rain", duration_sec=1, seed=1), cold)  # loads and compiles
    codes.clear()
    context = Context()
    params = StageParams(backend="musicgen", prompt=PROMPT, duration_sec=frames / FRAME_RATE, seed=SEED)
    made.render(params, context)
    ended = time.perf_counter()
    import torch

    weights = made._loaded._weights  # type: ignore[union-attr]
    return {
        "tokens_per_sec": speeds(context.times),
        "digest": digest(torch.cat(codes, 2)),
        "whole_sec": ended - context.began,
        "first_audio_sec": context.first,
        "first_audio_cold_sec": cold.first,
        "weight_bytes": getattr(weights, "bytes", 0),
        "native": type(weights).__name__ == "Weights",
    }


def quality(folder: Path, device: str) -> dict[str, Any]:
    """int8 (and bfloat16) against float32, on random codes and on a loop of two bars, fed to all alike."""
    import torch

    from lofi_daemon.backends.base import Equipment
    from lofi_daemon.backends.care import threads
    from lofi_daemon.backends.musicgen.loaded import Loaded
    from lofi_daemon.backends.musicgen.native import build
    from lofi_daemon.backends.musicgen.torch_decoder import quantise

    torch.manual_seed(1)
    random = torch.randint(0, 2048, (1, 4, 100))
    inputs = {"random": random, "structured": random[:, :, :25].repeat(1, 1, 4)}
    logits: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for precision in OURS:
        loaded = Loaded(Equipment("", (str(folder),), precision, device), None, print, build.folder(), threads())
        layers = loaded.layers(2, 256)
        layers.text(*loaded.conditions(loaded.text.states(PROMPT), 1, True))
        for name, codes in inputs.items():
            x = loaded.embeddings(codes.repeat(2, 1, 1), 0)
            rows = [layers.forward(x[:, i : i + 1], i).clone() for i in range(codes.shape[2])]
            logits.setdefault(name, {})[precision] = torch.stack(rows)
        layers.close()
        if precision == "float32":
            errors = []
            for layer in range(loaded.config.layers):
                name = f"decoder.model.decoder.layers.{layer}.fc1.weight"
                weight = loaded.checkpoint.tensor(name)
                small, scale = quantise(weight)
                errors.append(float((small * scale[:, None] - weight).norm() / weight.norm()))
            found["layer_error"] = {"median": round(statistics.median(errors), 5), "worst": round(max(errors), 5)}
    for name, by_precision in logits.items():
        exact = by_precision["float32"]
        for precision in ("bfloat16", "int8"):
            other = by_precision[precision]
            difference = torch.nn.functional.kl_div(other.log_softmax(-1), exact.softmax(-1), reduction="none").sum(-1)
            found[f"{precision}_{name}"] = {
                "relative_error": round(float((other - exact).norm() / exact.norm()), 5),
                "same_top_1": round(float((other.argmax(-1) == exact.argmax(-1)).float().mean()), 4),
                "kl_mean": float(f"{float(difference.mean()):.3g}"),
            }
    return found


def bandwidth(device: str) -> dict[str, Any]:
    """Bytes a second that all cores together can read from memory, best of several."""
    import torch

    block = torch.ones(256 * 1024 * 1024, dtype=torch.float32, device=device)
    best = math.inf
    for _ in range(7):
        began = time.perf_counter()
        block.sum().item()
        best = min(best, time.perf_counter() - began)
    return {"bytes_per_sec": block.numel() * 4 / best}


WAYS: dict[str, Callable[[Path, int, str], dict[str, Any]]] = {
    "transformers": transformers_way,
    **{name: partial(our_way, precision=name) for name in OURS},
    "quality": lambda folder, frames, device: quality(folder, device),
    "bandwidth": lambda folder, frames, device: bandwidth(device),
}


def one(way: str, folder: Path, frames: int, device: str) -> dict[str, Any]:
    """In a process of its own, for its memory's sake."""
    print(f"{way} …", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--device", device, "--one", way, str(folder), str(frames)]
    ours = {"OMP_WAIT_POLICY": "PASSIVE"} if way in OURS else {}  # as the daemon starts its worker
    quiet = {**os.environ, **ours, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=quiet)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=int, default=30, help="length of the clip")
    parser.add_argument("--folder", type=Path, help="weights made by an earlier run")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="what it is measured on")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        way, folder, frames = wanted.one
        import torch

        with torch.no_grad():
            found = WAYS[way](Path(folder), int(frames), wanted.device)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({**found, "peak_mb": round(peak / 1e6)}))
        return
    frames = wanted.seconds * FRAME_RATE
    with tempfile.TemporaryDirectory() as scratch:
        folder = wanted.folder or Path(scratch)
        if not (folder / "config.json").exists():
            make(folder)
        found = {way: one(way, folder, frames, wanted.device) for way in WAYS}
    report(found, wanted.seconds, wanted.device, wanted.json)


def report(found: dict[str, dict[str, Any]], seconds: int, device: str, only_json: bool) -> None:
    base = found["transformers"]["tokens_per_sec"]["whole"]
    rows = []
    summary: dict[str, Any] = {"bench": "musicgen", "device": device, "seconds": seconds}
    for way in ("transformers", *OURS):
        got = found[way]
        speed = got["tokens_per_sec"]
        row = {
            "tokens_per_sec": speed,
            "ratio_vs_transformers": round(speed["whole"] / base, 2),
            "realtime_factor": round(speed["whole"] / FRAME_RATE, 2),
            "end_to_end_factor": round(seconds / got["whole_sec"], 2),
            "first_audio_sec": round(got["first_audio_sec"], 2),
            "peak_mb": got["peak_mb"],
        }
        if "first_audio_cold_sec" in got:
            row["first_audio_cold_sec"] = round(got["first_audio_cold_sec"], 2)
        if got.get("weight_bytes"):
            # a step at the middle of the clip: all weights, and the cache of 24 layers, 2 sequences, keys and values
            read = got["weight_bytes"] + 24 * 2 * 2 * 1024 * CACHE_BYTES[way] * seconds * FRAME_RATE / 2
            row["of_memory_roofline"] = round(read * speed["whole"] / found["bandwidth"]["bytes_per_sec"], 2)
            row["same_tokens"] = got["digest"] == found["transformers"]["digest"]
        summary[way] = row
        rows.append((way, row))
    told = ("ratio_vs_transformers", "realtime_factor", "end_to_end_factor", "first_audio_sec", "first_audio_cold_sec")
    summary |= {name: summary["int8"][name] for name in told}
    summary["memory_gb_per_sec"] = round(found["bandwidth"]["bytes_per_sec"] / 1e9, 1)
    summary["quality"] = {name: value for name, value in found["quality"].items() if name != "peak_mb"}
    if not only_json:
        print(f"{seconds} s of music, tokens a second at {', '.join(map(str, PLACES))} and over the whole clip")
        for way, row in rows:
            speed = row["tokens_per_sec"]
            places = " ".join(f"{speed.get(str(place), math.nan):6.1f}" for place in PLACES)
            print(
                f"{way:<13} {places} {speed['whole']:6.1f}  {row['ratio_vs_transformers']:5.2f} × transformers  "
                f"end to end {row['end_to_end_factor']:4.2f}  first sound {row['first_audio_sec']:5.1f} s"
                + (f" (cold {row['first_audio_cold_sec']:.1f})" if "first_audio_cold_sec" in row else "")
                + f"  {row['peak_mb']} MB"
                + (f"  roofline {row['of_memory_roofline']:.0%}" if "of_memory_roofline" in row else "")
                + ("" if row.get("same_tokens", True) or way != "float32" else "  TOKENS DIFFER")
            )
        print("quality against float32:", json.dumps(summary["quality"]))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
