"""The cassette: saturation, and the transport's wow and flutter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..units import RATE, Samples, joined

_DRIVE = 1.25
# (deviation in seconds, Hz): speed varies by ±.2, .17 and .05 %; beyond .5 % it turns seasick.
_WOBBLES = ((0.6e-3, 0.55), (0.25e-3, 1.1), (0.01e-3, 7.3))
_DRIFT_SECONDS = 0.25e-3
_HOP = 64
_HISTORY = 512
_GUARD = 3.0  # samples the interpolation needs on either side


def saturate(block: Samples, amount: float) -> Samples:
    """Soft clipping, tanh(d·x)/d, with a small-signal gain of 1; ``amount`` 0 = none, 1 = normal."""
    drive = np.float32(_DRIVE * amount)
    if drive < 1e-3:
        return block.copy()
    pushed: Samples = block * drive
    np.tanh(pushed, out=pushed)
    pushed /= drive
    return pushed


def gain_between(before: Samples, after: Samples) -> Samples:
    """The factor that made ``after`` out of ``before``, sample by sample: stems given the same add up to the mix."""
    audible = np.abs(before) > np.float32(1e-6)
    gain = np.ones_like(before)
    np.divide(after, before, out=gain, where=audible)
    return gain


class Transport:
    """Uneven tape speed, as a delay that wavers. One for each buffer; equal arguments waver alike."""

    def __init__(self, seed: int, amount: float, frames: int) -> None:
        """``amount`` scales the deviation (1 = normal, 0 = a perfect machine)."""
        rng = np.random.default_rng([seed, 0x7A9E])
        phases = rng.uniform(0, 2 * np.pi, len(_WOBBLES))
        points = frames // _HOP + 2
        seconds = np.arange(points) * (_HOP / RATE)
        delay = np.zeros(points)
        for (deviation, hz), phase in zip(_WOBBLES, phases, strict=True):
            delay += deviation * (1 + np.sin(2 * np.pi * hz * seconds + phase))
        knots = np.arange(int(seconds[-1]) + 3)
        delay += _DRIFT_SECONDS * (1 + np.interp(seconds, knots, rng.uniform(-1, 1, len(knots))))
        self._delay = (amount * delay * RATE + _GUARD).astype(np.float32)
        np.minimum(self._delay, np.float32(_HISTORY - 2 * _GUARD), out=self._delay)
        self._still = amount == 0
        self._history = np.zeros(_HISTORY, np.complex64)

    def push(self, start: int, block: Samples) -> None:
        """Play ``block`` (float32 [n, 2], contiguous; ``start`` a multiple of 64) at the tape's speed, in place."""
        if self._still:
            return
        frames = len(block)
        index = start // _HOP
        ends = self._delay[index : index + frames // _HOP + 2]
        delay = joined(ends, _HOP)[:frames]

        stereo = block.view(np.complex64).reshape(-1)  # one gather fetches both channels
        source = np.concatenate([self._history, stereo])
        whole = np.floor(delay)
        fraction: Samples = whole + 1 - delay  # how far past sample i0 we read
        at = np.arange(_HISTORY - 1, _HISTORY - 1 + frames) - whole.astype(np.int64)
        self._history = source[-_HISTORY:].copy()
        stereo[:] = 0
        for offset, weight in enumerate(_lagrange(fraction), start=-1):
            stereo += source[at + offset] * weight


def _lagrange(x: Samples) -> Sequence[Samples]:
    """Weights of the samples at −1, 0, 1, 2 for a point at ``x`` in 0…1 (third-order Lagrange)."""
    below, above, far = x + 1, x - 1, x - 2
    return (
        x * above * far * np.float32(-1 / 6),
        below * above * far * np.float32(0.5),
        below * x * far * np.float32(-0.5),
        below * x * above * np.float32(1 / 6),
    )
