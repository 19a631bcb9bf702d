"""A low-pass whose corner moves: each block is crossfaded between the two ends of its sweep."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..score import Section
from ..units import RATE, Samples, Spectrum
from .convolver import BLOCK, SIZE, OverlapAdd, spectrum
from .filters import lowpass

OPEN_HZ = 18_000.0
"""A corner this high counts as no filter."""

_SWITCH_SECONDS = 0.05


class Sweep:
    """The sections' low-pass over the mid and side of the music.

    Crossfading at the input of two filters keeps each of them linear and time-invariant: no zipper noise,
    and a jump of the corner between two sections costs no click.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        times, corners = [0.0], [OPEN_HZ]
        for section in sections:
            begin, end = section.start, section.start + section.length
            switch = min(_SWITCH_SECONDS, section.length / 4)
            times += [begin, begin + switch, end]
            corners += [
                corners[-1],
                min(section.lowpass_start_hz, OPEN_HZ),
                min(section.lowpass_end_hz, OPEN_HZ),
            ]
        if sections:
            corners[0] = corners[1] = corners[2]  # the first corner is there from the start
        self._times = np.maximum.accumulate(np.array(times))
        self._octaves = np.log2(np.maximum(np.array(corners), 40.0))
        self._tails = (OverlapAdd(), OverlapAdd())
        self._ringing = False

    def push(self, start: int, mid: Samples, side: Samples) -> tuple[Samples, Samples]:
        """Filter the ``BLOCK`` samples from sample ``start`` on."""
        octaves = self._corner(start)
        low, high = float(octaves.min()), float(octaves.max())
        open_octaves = float(np.log2(OPEN_HZ))
        if low >= open_octaves - 1e-6:
            if not self._ringing:
                return mid, side
            self._ringing = False
            return self._filter(mid, side, [(None, None)])
        self._ringing = True
        bands: list[tuple[Samples | None, float | None]] = []
        if high - low < 1e-6:
            bands.append((None, 2**low))
        else:
            weight = ((octaves - low) / (high - low)).astype(np.float32)
            bands.append((1 - weight, 2**low))
            bands.append((weight, None if high >= open_octaves - 1e-6 else 2**high))
        return self._filter(mid, side, bands)

    def _corner(self, start: int) -> NDArray[np.float64]:
        """log2 of the corner at each sample of the block."""
        begin, end = start / RATE, (start + BLOCK) / RATE
        inside = (self._times > begin) & (self._times < end)
        if not inside.any():
            ends = np.interp([begin, end], self._times, self._octaves)
            return np.linspace(ends[0], ends[1], BLOCK)
        return np.asarray(np.interp((start + np.arange(BLOCK)) / RATE, self._times, self._octaves))

    def _filter(
        self, mid: Samples, side: Samples, bands: list[tuple[Samples | None, float | None]]
    ) -> tuple[Samples, Samples]:
        filtered = []
        for channel, tail in zip((mid, side), self._tails, strict=True):
            total: Spectrum | None = None
            for weight, hz in bands:
                part = spectrum(channel if weight is None else channel * weight)
                if hz is not None:
                    part *= _response(round(hz, 1))
                total = part if total is None else total + part
            assert total is not None
            filtered.append(tail.push(total))
        return filtered[0], filtered[1]


@lru_cache(maxsize=16)
def _response(hz: float) -> Spectrum:
    return lowpass(SIZE, hz)
