"""What instruments are made of: phases, envelopes, partials and noise. All float32, mono unless said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from ..effects.filters import bins
from ..units import RATE, Samples

TAU = np.float32(2 * np.pi)

_GRID = 256


def seconds(frames: int) -> Samples:
    """Time of each sample."""
    return np.arange(frames, dtype=np.float32) / np.float32(RATE)


def turns(hz: float, frames: int) -> Samples:
    """Phase in turns. Kept below a few turns: a float32 that counted them all would grow noisy with time."""
    coarse = np.arange(-(-frames // _GRID)) * (_GRID * hz / RATE)
    coarse -= np.floor(coarse)
    fine = np.arange(_GRID) * (hz / RATE)
    phase: Samples = np.add.outer(coarse.astype(np.float32), fine.astype(np.float32)).reshape(-1)[:frames]
    return phase


def decay(frames: int, tau: float) -> Samples:
    """e^(−t/τ), τ in seconds."""
    fine = np.exp(-np.arange(_GRID) / (tau * RATE))
    coarse = np.exp(-np.arange(-(-frames // _GRID)) * (_GRID / (tau * RATE)))
    coarse[coarse < 1e-15] = 0  # denormal numbers are slow
    fall: Samples = np.multiply.outer(coarse.astype(np.float32), fine.astype(np.float32)).reshape(-1)[:frames]
    return fall


def ease_in(samples: Samples, attack: float) -> None:
    """Raised-cosine attack of ``attack`` seconds, in place: a tone that starts at full level clicks."""
    frames = min(len(samples), max(int(attack * RATE), 2))
    samples[:frames] *= (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, frames))).astype(np.float32)


def ease_out(samples: Samples, release: float) -> None:
    """Raised-cosine end of ``release`` seconds, in place."""
    frames = min(len(samples), max(int(release * RATE), 2))
    samples[-frames:] *= (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, frames))).astype(np.float32)


def partials(hz: Sequence[float], tau: Sequence[float], level: Sequence[float], frames: int) -> Samples:
    """Σ levelᵢ·e^(−t/τᵢ)·sin(2π·hzᵢ·t).

    A damped sinusoid at coarse + fine time is the product of two complex numbers, so the whole sum is one
    matrix product of real and imaginary parts. Through einsum, not BLAS: its result must not depend on
    the number of threads.
    """
    rate = np.array([2j * np.pi * f - 1 / t for f, t in zip(hz, tau, strict=True)]) / RATE
    fine = np.exp(rate[:, None] * np.arange(_GRID))
    coarse = np.exp(rate * (_GRID * np.arange(-(-frames // _GRID)))[:, None]) * np.array(level)
    coarse[np.abs(coarse) < 1e-12] = 0  # denormal numbers are slow
    left = np.concatenate([coarse.imag, coarse.real], axis=1).astype(np.float32)
    right = np.concatenate([fine.real, fine.imag], axis=0).astype(np.float32)
    total: Samples = np.einsum("ap,pk->ak", left, right).reshape(-1)[:frames]
    return total


Shape = Callable[[Samples], Samples]
"""Magnitude as a function of frequency in Hz."""


def noise(rng: np.random.Generator, frames: int, shape: Shape) -> Samples:
    """White noise through ``shape`` (zero phase), scaled to an RMS of 1."""
    size = next_fast_len(frames, real=True)
    white = rfft(rng.random(size, dtype=np.float32) - np.float32(0.5))
    coloured: Samples = irfft(white * shape(bins(size)), size)[:frames]
    return coloured / rms(coloured)


def noise_loop(rng: np.random.Generator, size: int, magnitude: Samples) -> Samples:
    """Noise with this spectrum and random phases, RMS 1: its end joins its start without a seam.

    ``magnitude`` has ``size // 2 + 1`` bins.
    """
    phase = rng.random(len(magnitude), dtype=np.float32) * TAU
    spectrum = np.empty(len(magnitude), np.complex64)
    np.multiply(magnitude, np.cos(phase), out=spectrum.real)
    np.multiply(magnitude, np.sin(phase), out=spectrum.imag)
    loop: Samples = irfft(spectrum, size)
    return loop / rms(loop)


def rms(samples: Samples) -> np.float32:
    """Never 0, so that it may be divided by."""
    return np.float32(max(np.sqrt(np.mean(samples * samples, dtype=np.float64)), 1e-9))


def peak(samples: Samples) -> np.float32:
    """Never 0, so that it may be divided by."""
    return np.float32(max(float(samples.max()), -float(samples.min()), 1e-9))


def stream(*name: int) -> np.random.Generator:
    """Randomness that belongs to an instrument, not to a track: it sounds alike in all of them."""
    return np.random.default_rng([0x10F1, *name])
