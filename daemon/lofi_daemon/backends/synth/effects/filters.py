"""Frequency responses, to be multiplied with a spectrum.

Every linear effect of the renderer is a product in the frequency domain, so filters are wanted as
responses on an FFT's bins and never as difference equations. Coefficients: R. Bristow-Johnson, "Cookbook
formulae for audio EQ biquad filter coefficients".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..units import RATE, Samples, Spectrum

BUTTERWORTH = 1 / np.sqrt(2)


def bins(size: int) -> Samples:
    """Centre frequencies in Hz of the ``size // 2 + 1`` bins of a real FFT."""
    return np.arange(size // 2 + 1, dtype=np.float32) * np.float32(RATE / size)


def lowpass(size: int, hz: float, q: float = BUTTERWORTH) -> Spectrum:
    """12 dB an octave above ``hz``; the response at ``bins(size)``."""
    return _biquad(size, hz, q, np.array([0.5, 1.0, 0.5]), -1.0)


def highpass(size: int, hz: float, q: float = BUTTERWORTH) -> Spectrum:
    """12 dB an octave below ``hz``; the response at ``bins(size)``."""
    return _biquad(size, hz, q, np.array([0.5, -1.0, 0.5]), 1.0)


def _biquad(size: int, hz: float, q: float, shape: NDArray[np.float64], sign: float) -> Spectrum:
    """``shape`` times (1 ∓ cos ω) is the numerator both cookbook filters share."""
    omega = 2 * np.pi * min(hz, 0.49 * RATE) / RATE
    alpha = np.sin(omega) / (2 * q)
    numerator = shape * (1 + sign * np.cos(omega))
    denominator = np.array([1 + alpha, -2 * np.cos(omega), 1 - alpha])
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = (numerator[0] + delay * (numerator[1] + delay * numerator[2])) / (
        denominator[0] + delay * (denominator[1] + delay * denominator[2])
    )
    return response.astype(np.complex64)


def bell(hz: Samples, centre: float, octaves: float) -> Samples:
    """A Gaussian bump of height 1 over log frequency, ``octaves`` wide (standard deviation)."""
    distance = np.log2(np.maximum(hz, 1.0) / centre) / octaves
    return np.exp(-0.5 * distance * distance)


def rolloff(hz: Samples, corner: float, order: float) -> Samples:
    """Butterworth-like magnitude: 1 below ``corner``, falling ``6·order`` dB an octave above."""
    return 1 / np.sqrt(1 + (hz / corner) ** (2 * order))


def rolloff_below(hz: Samples, corner: float, order: float) -> Samples:
    """Mirror image of ``rolloff``: 1 above ``corner``, falling below, 0 at 0 Hz."""
    return 1 / np.sqrt(1 + (corner / np.maximum(hz, 1.0)) ** (2 * order))
