"""The outline of a track, for drawing: how loud it is and how bright, column by column.

Loads numpy and soundfile, so import it where that may take its time.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from .files import decode, probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

DARKEST_HZ = 100.0
BRIGHTEST_HZ = 8000.0

_WINDOWS_READ = 16  # at once: under a second
_MIN_WINDOW, _MAX_WINDOW = 256, 2048
_WINDOWS_WANTED = 2000
_KEPT = 32  # at most 60 KB each for a track of ten minutes


class Waveform(Struct, frozen=True):
    """``columns`` values each, 0 … 1. ``peaks`` and ``levels`` (RMS) are relative to the track's highest peak.

    ``tones`` is the spectral centroid, 0 at DARKEST_HZ and below, 1 at BRIGHTEST_HZ and above, logarithmic between.
    """

    columns: int
    duration_sec: float
    peaks: list[float]
    levels: list[float]
    tones: list[float]


class _Outline(Struct, frozen=True):
    """Of each window of the track: its peak, mean square, centroid times weight, and that weight."""

    frames: int
    sample_rate: int
    window: int
    peak: Audio
    power: Audio
    brightness: Audio
    weight: Audio


def waveform(path: Path, columns: int) -> Waveform:
    """Blocks for as long as it takes to decode ``path``, unless that was done lately. Raises DamagedFile, OSError."""
    status = path.stat()
    outline = _outline(path, status.st_mtime_ns, status.st_size)
    edges = np.arange(columns + 1) * (outline.frames / outline.window) / columns
    first = np.minimum(edges[:-1].astype(int), len(outline.peak) - 1)
    last = np.maximum(np.minimum(np.ceil(edges[1:]).astype(int), len(outline.peak)), first + 1)
    spans = [slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    loudest = float(outline.peak.max())
    scale = 1.0 / loudest if loudest > 0 else 0.0
    peaks = [_unit(scale * outline.peak[span].max()) for span in spans]
    levels = [_unit(scale * outline.power[span].mean() ** 0.5) for span in spans]
    tones = [_tone(outline.brightness[span].sum(), outline.weight[span].sum()) for span in spans]
    return Waveform(columns, outline.frames / outline.sample_rate, peaks, levels, tones)


def _unit(value: float) -> float:
    return round(min(max(float(value), 0.0), 1.0), 3)


def _tone(brightness: float, weight: float) -> float:
    if weight <= 0:
        return 0.0
    hertz = max(float(brightness / weight), DARKEST_HZ)
    return _unit(np.log(hertz / DARKEST_HZ) / np.log(BRIGHTEST_HZ / DARKEST_HZ))


@functools.lru_cache(maxsize=_KEPT)
def _outline(path: Path, changed_ns: int, size: int) -> _Outline:
    """``changed_ns`` and ``size`` tell one content of ``path`` from the next."""
    info = probe(path)
    window = _MIN_WINDOW
    while window < _MAX_WINDOW and info.frames > 2 * window * _WINDOWS_WANTED:
        window *= 2
    hann = np.hanning(window).astype(np.float32)
    hertz = np.fft.rfftfreq(window, 1 / info.sample_rate).astype(np.float32)
    parts = [_measure(block, window, hann, hertz) for block in decode(path, _WINDOWS_READ * window)]
    peak, power, brightness, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Outline(info.frames, info.sample_rate, window, peak, power, brightness, weight)


def _measure(block: Audio, window: int, hann: Audio, hertz: Audio) -> tuple[Audio, Audio, Audio, Audio]:
    """See ``_Outline``; a last window that is not full is filled with silence."""
    count = -(-len(block) // window)
    if len(block) < count * window:
        block = np.concatenate([block, np.zeros((count * window - len(block), block.shape[1]), np.float32)])
    channels = [np.ascontiguousarray(channel).reshape(count, window) for channel in block.T]
    peak = np.maximum.reduce([np.abs(channel).max(axis=1) for channel in channels])
    power = np.mean([np.einsum("ij,ij->i", channel, channel) / window for channel in channels], axis=0)
    mono = functools.reduce(np.add, channels)
    magnitude = np.abs(np.fft.rfft(mono * hann, axis=1)).astype(np.float32)
    # Between magnitude and power: by magnitude the vinyl's hiss decides (0.76–0.90 all through a track), by power
    # the bass does (0.32–0.48); this tells the parts of a track apart best (0.48–0.71).
    weight = magnitude * np.sqrt(magnitude)
    return peak, power.astype(np.float32), weight @ hertz, weight.sum(axis=1)
