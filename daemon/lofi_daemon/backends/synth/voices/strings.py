"""Plucked strings: muted guitar, upright bass; and the synthetic sub under it."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len

from ..effects.filters import bell, bins, rolloff, rolloff_below
from ..units import RATE, Samples, Spectrum, hertz
from .tone import TAU, decay, ease_in, noise, peak, stream, turns

_PLUCK_POINT = 0.13  # of the string's length: its multiples are missing from the sound
_DISPERSION = np.float32(-2.0)


def guitar(pitch: int, velocity: float, frames: int) -> Samples:
    """A nylon string damped by the palm: the Karplus-Strong loop, solved in the frequency domain.

    1 / (1 − g(ω)·e^(−jωP)) is the loop (Jaffe & Smith 1983). As a spectrum its period P may be any number,
    so the pitch is exact, and g may be whatever decay each frequency should have.
    """
    hz = hertz(pitch)
    t60 = 2.4 * (220 / hz) ** 0.4
    size = next_fast_len(max(frames, int(1.3 * t60 * RATE)), real=True)
    frequency = bins(size)
    lasting = t60 / (1 + (frequency / 1_500) ** 1.3) + 0.02
    loop = np.exp(np.float32(-3 * np.log(10) / hz) / lasting) * _delay(size, RATE / hz)
    pluck = 1 / (1 + 1j * frequency / (1.5 * hz)) / (1 + 1j * frequency / (650 + 1_500 * velocity)) ** 2
    pluck *= 1 - _delay(size, RATE / hz * _PLUCK_POINT)
    body = 1 + 0.7 * bell(frequency, 110, 0.25) + 0.5 * bell(frequency, 215, 0.3) + 0.35 * bell(frequency, 430, 0.4)
    # High partials run ahead of low ones, in the string and in the box: without it each period is one spike.
    pluck *= np.exp(1j * _DISPERSION * np.log2(1 + frequency / 100) ** 2)
    spectrum = pluck * (body * rolloff_below(frequency, 60, 2)) / (1 - loop)
    tone: Samples = irfft(spectrum.astype(np.complex64), size)[:frames]
    tone /= peak(tone)

    scrape = min(frames, int(0.03 * RATE))
    touch = noise(stream(4, pitch), scrape, lambda f: rolloff_below(f, 900, 2) * rolloff(f, 3_200, 2))
    tone[:scrape] += np.float32(0.02 + 0.02 * velocity) * touch * decay(scrape, 0.006)
    ease_in(tone, 0.004)
    return tone


def _delay(size: int, samples: float) -> Spectrum:
    """Response of a delay, of a fraction of a sample too."""
    turned = np.arange(size // 2 + 1) * (samples / size)
    turned -= np.floor(turned)
    angle = turned.astype(np.float32) * -TAU
    response = np.empty(len(angle), np.complex64)
    response.real = np.cos(angle)
    response.imag = np.sin(angle)
    return response


def upright(pitch: int, velocity: float, frames: int) -> Samples:
    """A double bass plucked over the end of the fingerboard: it speaks a little sharp, then settles."""
    hz = hertz(pitch)
    sharp = np.float32((2 ** (18 / 1200) - 1) * 0.03 * hz) * (1 - decay(frames, 0.03))
    phase = (turns(hz, frames) + sharp) * TAU

    length = min(max((55 / hz) ** 0.5, 0.5), 1.3)
    tone: Samples = np.zeros(frames, np.float32)
    for n, tau, level in (
        (1, 1.3, 1.0),
        (2, 0.6, 0.55),
        (3, 0.35, 0.3),
        (4, 0.2, 0.17),
        (5, 0.13, 0.1),
        (6, 0.08, 0.06),
    ):
        strength = level * (0.6 + 0.6 * velocity) ** (n - 1)
        tone += np.float32(strength) * decay(frames, tau * length) * np.sin(phase * np.float32(n))
    # Wood: the string drives the top plate a little into its limits.
    tone *= np.float32(0.9)
    np.tanh(tone, out=tone)

    finger = min(frames, int(0.04 * RATE))
    thump = noise(stream(5, pitch), finger, lambda f: rolloff(f, 900, 2) * rolloff_below(f, 150, 2))
    tone[:finger] += np.float32(0.05) * thump * decay(finger, 0.006)
    ease_in(tone, 0.006)
    return tone


def sub(pitch: int, velocity: float, frames: int) -> Samples:
    """A sine with enough of its octaves to be heard on small speakers."""
    hz = hertz(pitch)
    phase = turns(hz, frames) * TAU
    tone: Samples = np.sin(phase) + np.float32(0.32) * np.sin(2 * phase)
    tone += np.float32(0.05 + 0.16 * velocity) * np.sin(3 * phase) * decay(frames, 0.25)
    tone *= np.float32(0.75) + np.float32(0.25) * decay(frames, 0.8)
    ease_in(tone, 0.008)
    return tone
