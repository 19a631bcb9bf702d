"""The last stage: fades, loudness, limiter. Works in place on float32 [frames, 2]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...audio.loudness import integrated_lufs, true_peak_dbtp
from .units import RATE, Samples, amplitude, joined

TARGET_LUFS = -16.0
CEILING_DBTP = -1.0

# Meters differ by a tenth of a decibel in how they interpolate, and 16 bits add their rounding.
_MARGIN_DB = 0.2
_SAMPLE_CEILING_DB = -1.5
_CLOSE_ENOUGH_LU = 0.1
_ATTEMPTS = 4

_HOP = 32
_LOOKAHEAD = 5  # hops: the gain is down 3.6 ms before the peak
_RELEASE_DB_PER_SECOND = 40.0
_BLOCK = 65_536
_FADE_IN_SECONDS = 0.010
_FADE_OUT_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Level:
    """What was reached. ``lufs`` is None for silence."""

    lufs: float | None
    true_peak_db: float


def master(
    audio: Samples,
    *,
    raise_level: bool = True,
    companions: Sequence[Samples] = (),
    step: Callable[[], None] = lambda: None,
) -> Level:
    """Fade, bring to −16 LUFS with true peaks below −1 dBTP.

    ``companions`` (stems) get the same gain at every sample. ``raise_level=False`` leaves audio that is
    softer than the target as soft as it is: a track without music is not to become a roar of hiss.
    ``step`` is called every few milliseconds of work.
    """
    buffers = (audio, *companions)
    _fade(buffers)
    lufs = integrated_lufs(audio, RATE, step=step)
    if lufs is None:
        _scale(buffers, 1.0)
        return Level(None, true_peak_dbtp(audio, step=step))
    ceiling_db, peak, excess = _SAMPLE_CEILING_DB, float("-inf"), 0.0
    for _ in range(_ATTEMPTS):
        gain_db = TARGET_LUFS - lufs
        if not raise_level:
            gain_db = min(gain_db, 0.0)
        limited = _limit(buffers, amplitude(gain_db), amplitude(ceiling_db), step)
        lufs = integrated_lufs(audio, RATE, step=step) if limited else lufs + gain_db
        assert lufs is not None
        peak = true_peak_dbtp(audio, within_db=3.0, step=step)
        excess = max(peak - (CEILING_DBTP - _MARGIN_DB), 0.0)
        if excess == 0 and (not limited or abs(TARGET_LUFS - lufs) < _CLOSE_ENOUGH_LU):
            break
        ceiling_db -= excess
    if excess:
        _scale(buffers, amplitude(-excess))
    return Level(lufs - excess, peak - excess)


def _fade(buffers: Sequence[Samples]) -> None:
    frames = len(buffers[0])
    rise = min(int(_FADE_IN_SECONDS * RATE), frames // 4)
    fall = min(int(_FADE_OUT_SECONDS * RATE), frames // 5)
    up = (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, rise))).astype(np.float32)[:, None]
    down = np.cos(np.linspace(0, np.pi / 2, fall)).astype(np.float32)[:, None] ** 2
    for buffer in buffers:
        buffer[:rise] *= up
        buffer[frames - fall :] *= down
        buffer[-1:] = 0


def _scale(buffers: Sequence[Samples], factor: float) -> None:
    for buffer in buffers:
        for start in range(0, len(buffer), _BLOCK):
            buffer[start : start + _BLOCK] *= np.float32(factor)


def _limit(buffers: Sequence[Samples], gain: float, ceiling: float, step: Callable[[], None]) -> bool:
    """Apply ``gain`` with no sample above ``ceiling``; whether the limiter had anything to do.

    Look-ahead limiter: the lowest gain wanted nearby, recovering at a fixed rate in dB, smoothed by a Hann
    window that is shorter than the look-ahead, so that no peak passes before the gain is down.
    """
    audio = buffers[0]
    peaks = _hop_peaks(audio) * np.float32(gain)
    over = peaks > ceiling
    if not over.any():
        for buffer in buffers:
            for start in range(0, len(buffer), _BLOCK):
                buffer[start : start + _BLOCK] *= np.float32(gain)
                step()
        return False
    wanted_db = np.zeros(len(peaks) + 2 * _LOOKAHEAD + 2)
    middle = slice(_LOOKAHEAD, _LOOKAHEAD + len(peaks))
    wanted_db[middle][over] = 20 * np.log10(ceiling / peaks[over])
    # A gain that recovers by s dB a hop is min over the past of (wanted + s·age): a running minimum.
    slope = _RELEASE_DB_PER_SECOND * _HOP / RATE * np.arange(len(wanted_db))
    held = _windowed_minimum(wanted_db, _LOOKAHEAD)
    held = np.minimum(np.minimum.accumulate(held - slope) + slope, 0.0)
    curve = (10 ** (_smooth(held, _LOOKAHEAD - 1)[_LOOKAHEAD:] / 20) * gain).astype(np.float32)

    for start in range(0, len(audio), _BLOCK):
        first = start // _HOP
        ends = curve[first : first + _BLOCK // _HOP + 1]
        gains = joined(ends, _HOP)
        for buffer in buffers:
            part = buffer[start : start + _BLOCK]
            part *= gains[: len(part), None]
        step()
    return True


def _hop_peaks(audio: Samples) -> Samples:
    hops = -(-len(audio) // _HOP)
    peaks = np.zeros(hops, np.float32)
    whole = len(audio) // _HOP
    shaped = audio[: whole * _HOP].reshape(whole, -1)
    for start in range(0, whole, _BLOCK // _HOP):
        part = shaped[start : start + _BLOCK // _HOP]
        peaks[start : start + len(part)] = np.maximum(part.max(1), -part.min(1))
    if hops > whole:
        peaks[-1] = np.abs(audio[whole * _HOP :]).max()
    return peaks


def _windowed_minimum(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    lowest = values.copy()
    for shift in range(1, radius + 1):
        np.minimum(lowest[shift:], values[:-shift], out=lowest[shift:])
        np.minimum(lowest[:-shift], values[shift:], out=lowest[:-shift])
    return lowest


def _smooth(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Moving average under a Hann window of 2·radius + 1 points."""
    window = np.hanning(2 * radius + 3)[1:-1]
    window /= window.sum()
    padded = np.pad(values, radius, mode="edge")
    total = np.zeros_like(values)
    for weight, shift in zip(window, range(2 * radius + 1), strict=True):
        total += weight * padded[shift : shift + len(values)]
    return total
