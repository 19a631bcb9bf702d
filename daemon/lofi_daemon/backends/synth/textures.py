"""What surrounds the music: the record's crackle and hiss, rain, thunder, the sea."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from .effects.filters import bins, rolloff, rolloff_below
from .score import Mix
from .units import RATE, Samples, amplitude, cyclic, joined
from .voices.tone import noise_loop, peak, rms, seconds

_HISS_DB = -43.0
_CRACKLE_TRIM_DB = -4.0  # ticks stand out more than their power says
_LOOP = 393_216  # 8.9 s: longer than anyone remembers noise; factors of 2 and 3 for the FFT
_POPS = 24


class Textures:
    """All textures of a track as one stereo stream.

    ``reference`` is the RMS (per channel) of the music, which the mix's levels are relative to.
    Equal arguments give equal samples, wherever ``add`` starts its blocks.
    """

    def __init__(self, mix: Mix, seed: int, frames: int, reference: float) -> None:
        self._sources: list[Callable[[int, Samples], None]] = []
        if mix.hiss:
            loop = _coloured(seed, 1, lambda hz: rolloff_below(hz, 300, 1) * rolloff(hz, 9_000, 1))
            self._sources.append(_Loop(loop, reference * amplitude(_HISS_DB)).add)
        if mix.crackle_db is not None:
            level = reference * amplitude(mix.crackle_db + _CRACKLE_TRIM_DB)
            self._sources.append(_Crackle(seed, frames, mix.crackle_rate, level).add)
        if mix.rain_db is not None:
            level = reference * amplitude(mix.rain_db)
            self._sources.append(_Loop(_rain(seed), level, _drift(seed, 3, frames, 1.0, 0.25)).add)
        if mix.thunder:
            self._sources.append(_Thunder(seed, frames, reference * amplitude(-9)).add)
        if mix.ocean_db is not None:
            loop = _coloured(seed, 4, lambda hz: rolloff_below(hz, 90, 1) * rolloff(hz, 700, 1.2))
            self._sources.append(_Loop(loop, reference * amplitude(mix.ocean_db), _swell(seed, frames)).add)

    def add(self, start: int, block: Samples) -> None:
        """Add to ``block`` (float32 [n, 2]), whose first sample is sample ``start`` of the track."""
        for source in self._sources:
            source(start, block)


class _Loop:
    """A stereo loop [n, 2] with an optional gain of ten points a second."""

    def __init__(self, loop: Samples, level: float, gain: Samples | None = None) -> None:
        self._loop = loop * np.float32(level)
        self._gain = gain

    def add(self, start: int, block: Samples) -> None:
        frames = len(block)
        wrapped = cyclic(self._loop, start, frames)
        if self._gain is not None:
            hop = RATE // 10
            first, last = start // hop, (start + frames) // hop + 2
            ends = self._gain[first:last]
            gain = joined(ends, hop)
            offset = start - first * hop
            wrapped *= gain[offset : offset + frames, None]
        block += wrapped


class _Crackle:
    """Dust in a groove: pops at Poisson times with Pareto heights, each with its own place."""

    def __init__(self, seed: int, frames: int, rate: float, level: float) -> None:
        rng = np.random.default_rng([seed, 0xC2AC])
        count = int(rng.poisson(rate * frames / RATE))
        self._starts = np.sort(rng.integers(0, max(frames, 1), count))
        heights = np.minimum(rng.pareto(1.6, count) + 0.3, _TALLEST)
        pans = rng.uniform(-0.8, 0.8, count)
        self._which = rng.integers(0, _POPS, count)
        self._pops = [_pop(rng) for _ in range(_POPS)]
        # Their mean power is known, so the level holds on average for any track.
        power = np.mean([np.sum(pop * pop) for pop in self._pops]) * rate / RATE * _MEAN_SQUARE_HEIGHT
        scale = level / max(float(np.sqrt(power)), 1e-12)
        self._left = (heights * scale * np.sqrt((1 - pans) / 2)).astype(np.float32)
        self._right = (heights * scale * np.sqrt((1 + pans) / 2)).astype(np.float32)

    def add(self, start: int, block: Samples) -> None:
        longest = len(self._pops[0])
        first = np.searchsorted(self._starts, start - longest)
        last = np.searchsorted(self._starts, start + len(block))
        for event in range(int(first), int(last)):
            at = int(self._starts[event]) - start
            begin, end = max(at, 0), min(at + longest, len(block))
            pop = self._pops[self._which[event]][begin - at : end - at]
            block[begin:end, 0] += pop * self._left[event]
            block[begin:end, 1] += pop * self._right[event]


_TALLEST = 4.5
_MEAN_SQUARE_HEIGHT = 1.65
"""Of min(Pareto(1.6) + .3, 4.5), measured over 10^7 draws, halved for the two channels of equal power."""


def _pop(rng: np.random.Generator) -> Samples:
    """A tick as the pickup hears it. It must rise, not start, at its full height."""
    frames = int(0.006 * RATE)
    t = seconds(frames)
    hz, tau = rng.uniform(1_200, 5_000), rng.uniform(0.25e-3, 0.6e-3)
    tick = np.sin(np.float32(2 * np.pi * hz) * t + np.float32(rng.uniform(0, 6.28))) * np.exp(-t / np.float32(tau))
    rise = int(0.4e-3 * RATE)
    tick[:rise] *= (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, rise))).astype(np.float32)
    tick[-rise:] *= np.linspace(1, 0, rise, dtype=np.float32)
    size = next_fast_len(2 * frames, real=True)
    smooth: Samples = irfft(rfft(tick, size) * (1 / (1 + 1j * bins(size) / 7_000)), size)[:frames]
    smooth[-rise:] *= np.linspace(1, 0, rise, dtype=np.float32)
    return smooth / peak(smooth)


class _Thunder:
    """Now and then, a long roll far away."""

    def __init__(self, seed: int, frames: int, level: float) -> None:
        rng = np.random.default_rng([seed, 0x7483])
        self._rolls: list[tuple[int, Samples]] = []
        at = rng.uniform(3, 12)
        while at < frames / RATE - 2:
            self._rolls.append((int(at * RATE), _roll(rng) * np.float32(level * rng.uniform(0.6, 1.2))))
            at += rng.uniform(22, 55)

    def add(self, start: int, block: Samples) -> None:
        for at, roll in self._rolls:
            begin, end = max(at, start), min(at + len(roll), start + len(block))
            if begin < end:
                block[begin - start : end - start] += roll[begin - at : end - at, None]


def _roll(rng: np.random.Generator) -> Samples:
    """Mono, for nothing below 120 Hz is stereo."""
    frames = int(6.0 * RATE)
    size = next_fast_len(frames, real=True)
    hz = bins(size)
    rumble = noise_loop(rng, size, rolloff(hz, 90, 2) * rolloff_below(hz, 28, 2))[:frames]
    claps = np.interp(np.linspace(0, 30, frames), np.arange(31), rng.uniform(0.3, 1.0, 31)).astype(np.float32)
    t = seconds(frames)
    swell = np.minimum(t / np.float32(0.35), 1) ** 2 * np.exp(-t / np.float32(1.5))
    swell *= np.minimum((np.float32(6.0) - t) / np.float32(1.0), 1)
    rumble *= claps
    rumble *= swell
    return rumble


def _coloured(seed: int, kind: int, shape: Callable[[Samples], Samples]) -> Samples:
    """A stereo noise loop [n, 2], its channels independent but for the bass."""
    rng = np.random.default_rng([seed, 0x4155, kind])
    magnitude = shape(bins(_LOOP))
    magnitude[0] = 0
    low = rolloff(bins(_LOOP), 200, 3)
    middle = noise_loop(rng, _LOOP, magnitude)
    side = noise_loop(rng, _LOOP, magnitude * (1 - low))
    loop: Samples = np.stack([middle + side, middle - side], axis=1)
    loop /= rms(loop)
    return loop


def _rain(seed: int) -> Samples:
    """A steady wash, and drops near enough to be heard one by one."""
    loop = _coloured(seed, 2, lambda hz: rolloff_below(hz, 450, 1) * rolloff(hz, 4_500, 1))
    rng = np.random.default_rng([seed, 0xD209])
    frames = int(0.007 * RATE)
    t = seconds(frames)
    shape = np.sin(t * np.float32(np.pi / 0.007)) ** 2 * np.exp(-t / np.float32(1.2e-3))
    for _ in range(25 * _LOOP // RATE):
        at = int(rng.integers(0, _LOOP - frames))
        drop = shape * np.sin(np.float32(2 * np.pi * rng.uniform(1_500, 3_400)) * t) * np.float32(rng.pareto(2.5) + 0.4)
        pan = rng.uniform(-0.9, 0.9)
        loop[at : at + frames, 0] += drop * np.float32(3 * np.sqrt((1 - pan) / 2))
        loop[at : at + frames, 1] += drop * np.float32(3 * np.sqrt((1 + pan) / 2))
    loop /= rms(loop)
    return loop


def _drift(seed: int, kind: int, frames: int, hz: float, depth: float) -> Samples:
    """1 ± depth, wandering at about ``hz``; ten points a second."""
    rng = np.random.default_rng([seed, 0xD81F, kind])
    points = np.arange(frames // (RATE // 10) + 4)
    knots = np.arange(int(points[-1] * hz / 10) + 3)
    walk = rng.uniform(-1, 1, len(knots))
    return (1 + depth * np.interp(points * hz / 10, knots, walk)).astype(np.float32)


def _swell(seed: int, frames: int) -> Samples:
    """Waves on a beach: each comes in slowly, breaks, and draws back."""
    rng = np.random.default_rng([seed, 0x0CEA])
    points = np.arange(frames // (RATE // 10) + 4) / 10
    phase = 0.1 * points + 0.15 * np.sin(2 * np.pi * points / rng.uniform(31, 47)) + rng.uniform(0, 1)
    through = phase % 1
    wave = np.where(through < 0.55, (through / 0.55) ** 2, ((1 - through) / 0.45) ** 1.5)
    return (0.35 + 1.1 * wave).astype(np.float32)
