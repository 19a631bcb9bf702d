"""The sample rate, and the conversions every room of the renderer shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 44_100

Samples = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


def amplitude(db: float) -> float:
    """Decibels to a linear factor."""
    return float(10.0 ** (db / 20.0))


def hertz(pitch: float) -> float:
    """MIDI number to frequency, equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def joined(points: Samples, hop: int) -> Samples:
    """Straight lines through ``points``, ``hop`` samples apart; ends before the last of them."""
    ramp = np.arange(hop, dtype=np.float32) / np.float32(hop)
    lines: Samples = points[:-1, None] + (points[1:] - points[:-1])[:, None] * ramp
    return lines.reshape(-1)


def cyclic(loop: Samples, start: int, frames: int) -> Samples:
    """``frames`` samples of an endless ``loop`` ([n] or [n, channels]) from ``start`` on, as a new array."""
    size = len(loop)
    pieces, at = [], start % size
    while frames > 0:
        length = min(size - at, frames)
        pieces.append(loop[at : at + length])
        at, frames = 0, frames - length
    return np.concatenate(pieces)
