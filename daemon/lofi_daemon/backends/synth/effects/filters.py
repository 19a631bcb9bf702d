"""Frequency responses, to be multiplied with a spectrum.

Every linear effect of the renderer is a product in the frequency domain, so filters are wanted as
responses on an FFT's bins and never as difference equations. Coefficients: R. Bristow-Johnson, "Cookbook
formulae for audio EQ biquad filter coefficients".
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..units import RATE, Samples, Spectrum

BUTTERWORTH = 1 / np.sqrt(2)


def bins(size: int) -> Samples:
    """Centre frequencies in Hz of the ``size // 2 + 1`` bins of a real FFT."""
    return np.arange(size // 2 + 1, dtype=np.float32) * np.float32(RATE / size)


def lowpass(size: int, hz: float, q: float = BUTTERWORTH) -> Spectrum:
    """12 dB an octave above ``hz``; the response at ``bins(size)``."""
    return _pass(size, hz, q, 1.0)


def highpass(size: int, hz: float, q: float = BUTTERWORTH) -> Spectrum:
    """12 dB an octave below ``hz``; the response at ``bins(size)``."""
    return _pass(size, hz, q, -1.0)


def peaking(size: int, hz: float, db: float, q: float) -> Spectrum:
    """A bell of ``db`` around ``hz``; causal, unlike ``bell``. The response at ``bins(size)``."""
    omega, alpha = _corner(hz, q)
    gain = 10 ** (db / 40)
    above = (1 + alpha * gain, -2 * np.cos(omega), 1 - alpha * gain)
    below = (1 + alpha / gain, -2 * np.cos(omega), 1 - alpha / gain)
    return _response(size, above, below)


Coefficients = tuple[float, float, float]


def _pass(size: int, hz: float, q: float, sign: float) -> Spectrum:
    omega, alpha = _corner(hz, q)
    edge = (1 - sign * np.cos(omega)) / 2
    above = (edge, 2 * sign * edge, edge)
    return _response(size, above, (1 + alpha, -2 * np.cos(omega), 1 - alpha))


def _corner(hz: float, q: float) -> tuple[float, float]:
    omega = 2 * np.pi * min(hz, 0.49 * RATE) / RATE
    return omega, float(np.sin(omega) / (2 * q))


def _response(size: int, above: Coefficients, below: Coefficients) -> Spectrum:
    """Of the biquad with these numerator and denominator coefficients."""
    delay = _delay(size)
    top = delay * above[2]
    top += above[1]
    top *= delay
    top += above[0]
    bottom = delay * below[2]
    bottom += below[1]
    bottom *= delay
    bottom += below[0]
    top /= bottom
    return np.asarray(top, np.complex64)


@lru_cache(maxsize=4)
def _delay(size: int) -> NDArray[np.complex128]:
    """z⁻¹ on the bins. Double precision: the denominator of a low corner nearly vanishes at 0 Hz."""
    return np.asarray(np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size))


def bell(hz: Samples, centre: float, octaves: float) -> Samples:
    """A Gaussian bump of height 1 over log frequency, ``octaves`` wide (standard deviation)."""
    distance = np.log2(np.maximum(hz, np.float32(1.0)) / np.float32(centre)) / np.float32(octaves)
    result: Samples = np.exp(np.float32(-0.5) * distance * distance)
    return result


def rolloff(hz: Samples, corner: float, order: float) -> Samples:
    """Butterworth-like magnitude: 1 below ``corner``, falling ``6·order`` dB an octave above."""
    return _flank(hz / np.float32(corner), order)


def rolloff_below(hz: Samples, corner: float, order: float) -> Samples:
    """Mirror image of ``rolloff``: 1 above ``corner``, falling below."""
    ratio: Samples = np.maximum(hz, np.float32(1.0))
    np.divide(np.float32(corner), ratio, out=ratio)
    return _flank(ratio, order)


def _flank(ratio: Samples, order: float) -> Samples:
    result: Samples = 1 / np.sqrt(1 + ratio ** np.float32(2 * order))
    return result
