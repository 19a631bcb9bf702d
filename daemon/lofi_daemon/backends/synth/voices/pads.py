"""Held sounds: pad and strings, as loops without a seam.

After P. Nasca's PADsynth: each harmonic is a band of frequencies with random phases, which is what an
ensemble of detuned players amounts to; one inverse FFT gives a loop that never repeats audibly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..effects.filters import bell, bins, rolloff, rolloff_below
from ..units import RATE, Samples, hertz
from .tone import noise_loop, stream

_LOOP = 131_072


def pad(pitch: int, velocity: float) -> Samples:
    """A warm analogue pad: few harmonics, wide detune."""
    corner = 900 + 1_300 * velocity

    def colour(hz: Samples) -> Samples:
        return rolloff(hz, corner, 2)

    return _ensemble(pitch, 14, lambda n: float(n**-1.5), 18, colour, kind=6)


def strings(pitch: int, velocity: float) -> Samples:
    """A small section with mutes on: sawtooth-like harmonics through the bodies' formants."""
    corner = 1_800 + 1_600 * velocity

    def colour(hz: Samples) -> Samples:
        body = 0.7 + 0.5 * bell(hz, 480, 0.5) + 0.35 * bell(hz, 1_150, 0.4)
        return body * rolloff(hz, corner, 2) * rolloff_below(hz, 120, 1)

    return _ensemble(pitch, 24, lambda n: 1.0 / n, 26, colour, kind=7)


def _ensemble(
    pitch: int,
    harmonics: int,
    level: Callable[[int], float],
    cents: float,
    colour: Callable[[Samples], Samples],
    kind: int,
) -> Samples:
    """``level`` is each harmonic's share before ``colour``; ``cents`` is how far the players spread."""
    hz = hertz(pitch)
    frequency = bins(_LOOP)
    magnitude = np.zeros(len(frequency), np.float32)
    for n in range(1, harmonics + 1):
        centre = n * hz
        spread = centre * (2 ** (cents / 1200) - 1) + 0.35
        first = max(int((centre - 4 * spread) / RATE * _LOOP), 1)
        last = min(int((centre + 4 * spread) / RATE * _LOOP) + 2, len(frequency))
        if centre > 8_000 or first >= last:
            break
        band = np.exp(-0.5 * ((frequency[first:last] - centre) / spread) ** 2)
        magnitude[first:last] += band * (level(n) / np.sqrt(np.sum(band * band)))
    magnitude *= colour(frequency)
    return noise_loop(stream(kind, pitch), _LOOP, magnitude)
