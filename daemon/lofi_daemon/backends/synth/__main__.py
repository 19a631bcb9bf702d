"""Compose and render from the shell: ``python -m lofi_daemon.backends.synth "rainy night" --out night.flac``"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import msgspec
import soundfile  # type: ignore[import-untyped]

from ...errors import LofiError
from .composer import compose
from .render import render


def main() -> int:
    parser = argparse.ArgumentParser(prog="lofi_daemon.backends.synth", description=__doc__)
    parser.add_argument("prompt")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bpm", type=int)
    parser.add_argument("--keyscale")
    parser.add_argument("--timesignature")
    parser.add_argument("--out", type=Path, required=True, help="audio file; its suffix says the format")
    parser.add_argument("--stems", type=Path, help="folder for one file per group of instruments")
    parser.add_argument("--score", type=Path, help="JSON file for the notes")
    wanted = parser.parse_args()
    try:
        score = compose(
            wanted.prompt,
            wanted.seconds,
            wanted.seed,
            bpm=wanted.bpm,
            keyscale=wanted.keyscale,
            timesignature=wanted.timesignature,
        )
    except LofiError as error:
        print(error.message, file=sys.stderr)
        return 2
    track = render(score, stems=wanted.stems is not None)
    try:
        soundfile.write(wanted.out, track.audio, track.sample_rate)
        if wanted.stems:
            wanted.stems.mkdir(parents=True, exist_ok=True)
            for name, stem in (track.stems or {}).items():
                soundfile.write(wanted.stems / f"{name}{wanted.out.suffix}", stem, track.sample_rate)
        if wanted.score:
            wanted.score.write_bytes(msgspec.json.format(msgspec.json.encode(dataclasses.asdict(score))))
    except (OSError, soundfile.SoundFileError, TypeError) as error:
        print(f"{wanted.out} could not be written: {error}", file=sys.stderr)
        return 1
    loudness = "silence" if track.lufs is None else f"{track.lufs:.1f} LUFS, {track.true_peak_db:.1f} dBTP"
    print(f"{wanted.out}: {score.style}, {score.bpm:.1f} bpm, {loudness}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
