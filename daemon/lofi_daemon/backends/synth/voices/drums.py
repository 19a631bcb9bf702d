"""The kit. Each function returns one hit, peak 1, already eased in and out; ``take`` picks its noise."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from ..effects.filters import bell, bins, rolloff, rolloff_below
from ..units import RATE, Samples
from .tone import TAU, Shape, decay, ease_in, ease_out, noise, partials, peak, rms, seconds, stream

# Ratios of the partials of a thin cymbal struck on its bow; any inharmonic crowd does.
_CYMBAL = (1.0, 1.342, 1.521, 1.787, 2.093, 2.331, 2.713, 3.137, 3.557, 4.019)


def kick(velocity: float, take: int) -> Samples:
    frames = int(0.42 * RATE)
    t = np.arange(frames) / RATE
    phase = 53 * t + 105 * 0.03 * (1 - np.exp(-t / 0.03))
    body = np.sin(((phase - np.floor(phase)) * 2 * np.pi).astype(np.float32)) * decay(frames, 0.11)
    beater = _burst(take, 8, 0.03, band(250, 2_500), tau=0.004)
    body[: len(beater)] += np.float32(0.07 + 0.08 * velocity) * beater
    return _finish(np.tanh(body * np.float32(1.2 + 0.5 * velocity)), rise=0.001)


def snare(velocity: float, take: int) -> Samples:
    frames = int(0.34 * RATE)
    wires = noise(stream(9, take), frames, band(900, 3_000 + 3_500 * velocity, slope=1.5))
    wires *= decay(frames, 0.05 + 0.025 * velocity)
    # The rods of a loose wire carpet answer a moment after the stick.
    wires *= 1 - np.float32(0.6) * decay(frames, 0.004)
    head = partials([188, 331, 462], [0.055, 0.03, 0.02], [0.55, 0.26, 0.1], frames)
    return _finish(np.float32(0.34) * wires + head, rise=0.0008)


def brush(velocity: float, take: int) -> Samples:
    """A tap of the brush: a short swish and hardly any drum under it."""
    frames = int(0.3 * RATE)
    t = seconds(frames)
    swish = noise(stream(10, take), frames, band(1_100, 5_200, slope=1.5))
    swish *= np.minimum(t / np.float32(0.012), 1) * decay(frames, 0.06) + np.float32(0.06) * decay(frames, 0.12)
    head = partials([176, 305], [0.04, 0.02], [0.22, 0.1], frames)
    return _finish(np.float32(0.3) * swish + head, rise=0.003)


def rim(velocity: float, take: int) -> Samples:
    """A cross-stick: wood on the rim, the drum's body faintly behind."""
    frames = int(0.14 * RATE)
    click = partials([395, 822, 1_713, 2_610], [0.02, 0.012, 0.010, 0.004], [0.35, 0.8, 0.7, 0.3], frames)
    stick = _burst(take, 11, 0.02, band(1_500, 5_000), tau=0.002)
    click[: len(stick)] += np.float32(0.12 * velocity) * stick
    return _finish(click, rise=0.0005)


def clap(velocity: float, take: int) -> Samples:
    """Three hands slightly apart, then the room they stand in."""
    frames = int(0.3 * RATE)
    envelope = np.zeros(frames, np.float32)
    for start, level in ((0.0, 0.7), (0.011, 0.8), (0.023, 1.0)):
        at = int(start * RATE)
        hand = decay(frames - at, 0.007)
        ease_in(hand, 0.0008)
        envelope[at:] += np.float32(level) * hand
    envelope += np.float32(0.28) * decay(frames, 0.06)
    hands = noise(stream(12, take), frames, lambda hz: band(700, 4_200)(hz) * (0.5 + bell(hz, 1_150, 0.5)))
    return _finish(hands * envelope, rise=0.0008)


def hat(velocity: float, take: int) -> Samples:
    return _cymbal(take, 13, 0.16, tau=0.018 + 0.016 * velocity, low=6_500, high=10_500)


def open_hat(velocity: float, take: int) -> Samples:
    return _cymbal(take, 14, 0.55, tau=0.14, low=5_800, high=10_000)


def ride(velocity: float, take: int) -> Samples:
    """Stick ping over a long, dark wash."""
    frames = int(1.5 * RATE)
    wash = noise(stream(15, take), frames, band(2_800, 8_500, slope=1.5)) * decay(frames, 0.38)
    wash *= 1 - np.float32(0.8) * decay(frames, 0.02)
    ping = partials(
        [2_130 * ratio for ratio in _CYMBAL],
        [0.22 / ratio for ratio in _CYMBAL],
        [0.05 / ratio for ratio in _CYMBAL],
        frames,
    )
    stick = _burst(take, 16, 0.03, band(3_000, 9_000), tau=0.004)
    ping[: len(stick)] += np.float32(0.08 + 0.08 * velocity) * stick
    return _finish(ping + np.float32(0.08) * wash, rise=0.001, fall=0.3)


def shaker(velocity: float, take: int) -> Samples:
    """Grains thrown forward: a rise before the accent, so it has no attack of its own."""
    frames = int(0.13 * RATE)
    t = seconds(frames)
    rise = np.minimum(t / np.float32(0.018), 1) ** 2
    fall = np.exp(-np.maximum(t - np.float32(0.018), 0) / np.float32(0.022 + 0.01 * velocity))
    return _finish(noise(stream(17, take), frames, band(3_500, 9_000)) * rise * fall, rise=0.001)


def crush(hit: Samples, wet: float) -> Samples:
    """As an early sampler would hold it: 12 bits, 26 kHz without an output filter. ``wet`` 0…1."""
    held = (np.arange(len(hit)) * (26_000 / RATE)).astype(np.int64) * (RATE / 26_000)
    coarse: Samples = hit[held.astype(np.int64)]
    coarse *= np.float32(2_048)
    np.round(coarse, out=coarse)
    coarse /= np.float32(2_048)
    return hit + (coarse - hit) * np.float32(wet)


def band(low: float, high: float, slope: float = 2) -> Shape:
    """Magnitude of a band-pass with skirts of 6·``slope`` dB an octave."""

    def shape(hz: Samples) -> Samples:
        return rolloff_below(hz, low, slope) * rolloff(hz, high, slope)

    return shape


def _burst(take: int, kind: int, length: float, shape: Shape, tau: float) -> Samples:
    frames = int(length * RATE)
    return noise(stream(kind, take), frames, shape) * decay(frames, tau)


def _cymbal(take: int, kind: int, length: float, tau: float, low: float, high: float) -> Samples:
    """Noise, with a crowd of square waves under it for the metal."""
    frames = int(length * RATE)
    t = seconds(frames)
    metal = np.zeros(frames, np.float32)
    for ratio in _CYMBAL[:6]:
        metal += np.sign(np.sin(t * (TAU * np.float32(2_050 * ratio)) + np.float32(take)))
    hiss = noise(stream(kind, take), frames, band(low, high, slope=3))
    tone = _filtered(metal, band(low, high, slope=3))
    return _finish((hiss + np.float32(0.6) * tone) * decay(frames, tau), rise=0.0008)


def _filtered(samples: Samples, shape: Shape) -> Samples:
    size = next_fast_len(len(samples), real=True)
    result: Samples = irfft(rfft(samples, size) * shape(bins(size)), size)[: len(samples)]
    return result / rms(result)


def _finish(hit: Samples, rise: float, fall: float = 0.02) -> Samples:
    ease_in(hit, rise)
    ease_out(hit, fall)
    return hit / peak(hit)
