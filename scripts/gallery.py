"""Eight prompts, forty seconds each, as audio and as one sheet of spectrograms in gallery/: `make gallery`."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from lofi_daemon.audio.loudness import loudness_range
from lofi_daemon.backends.synth.composer import compose
from lofi_daemon.backends.synth.keyscale import KeyScale
from lofi_daemon.backends.synth.render import Mastered, render
from lofi_daemon.backends.synth.score import Score
from lofi_daemon.backends.synth.voices.bank import NoteBank

SECONDS = 40.0
PROMPTS = (
    "rainy night, mellow rhodes, 75 bpm",
    "jazzy cafe morning, upright bass and brushes",
    "90s boom bap, dusty vinyl, head nod",
    "lofi house, upbeat, 118 bpm",
    "ambient space drift, no drums",
    "sad piano ballad in D minor",
    "guitar on the beach, ocean waves",
    "snow, felt piano and strings, storm outside",
)
FOLDER = Path(__file__).resolve().parent.parent / "gallery"

_WINDOW = 4_096
_HOP = 1_024
_ROWS = 220
_LOWEST_HZ, _HIGHEST_HZ = 30.0, 16_000.0


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    bank = NoteBank()
    figure, grid = plt.subplots(4, 2, figsize=(16, 17), layout="constrained", facecolor="#14121a")
    for number, (prompt, axes) in enumerate(zip(PROMPTS, grid.flat, strict=True), start=1):
        score = compose(prompt, SECONDS, number)
        track = render(score, bank=bank)
        soundfile.write(FOLDER / f"{number}.flac", track.audio, track.sample_rate)
        caption = describe(score, track)
        draw(axes, track, score, f"{number}  {prompt}", caption)
        print(f"{number}  {prompt}: {caption}")
    sheet = FOLDER / "sheet.png"
    figure.savefig(sheet, dpi=75)
    print(sheet)


def describe(score: Score, track: Mastered) -> str:
    """One line of what was measured."""
    loudness = "silent" if track.lufs is None else f"{track.lufs:.1f} LUFS"
    return (
        f"{score.style.replace('_', ' ')}, {score.bpm:.1f} bpm, {KeyScale(score.tonic, score.mode).name}, "
        f"{loudness}, {track.true_peak_db:.1f} dBTP, "
        f"LRA {loudness_range(track.audio, track.sample_rate):.1f} LU"
    )


def draw(axes: Axes, track: Mastered, score: Score, title: str, caption: str) -> None:
    """Level in dB over time and log frequency, the sections marked below."""
    picture = spectrogram(track.audio.mean(axis=1), track.sample_rate)
    top = float(picture.max())
    axes.imshow(
        picture, origin="lower", aspect="auto", cmap="magma", vmin=top - 75, vmax=top,
        extent=(0, score.duration, np.log10(_LOWEST_HZ), np.log10(_HIGHEST_HZ)),
    )  # fmt: skip
    axes.set_title(f"{title}\n{caption}", loc="left", color="white", fontsize=11)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{10**y / 1000:g}k" if y >= 3 else f"{10**y:.0f}"))
    axes.set_yticks(np.log10([60, 120, 250, 500, 1_000, 2_000, 4_000, 8_000]))
    axes.tick_params(colors="#bbbbbb", labelsize=9)
    for section in score.sections:
        axes.axvline(section.start, color="white", alpha=0.25, linewidth=0.8)
        axes.text(section.start + 0.3, np.log10(11_500), section.name, color="white", alpha=0.8, fontsize=9)


def spectrogram(mono: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """dB, [rows of equal ratio in frequency, frames]."""
    frames = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) ** 2
    hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _ROWS)
    at = hz / rate * _WINDOW
    low = at.astype(int)
    share = at - low
    rows = power[:, low] * (1 - share) + power[:, low + 1] * share
    return np.asarray(10 * np.log10(rows.T + 1e-12))


if __name__ == "__main__":
    sys.exit(main())
