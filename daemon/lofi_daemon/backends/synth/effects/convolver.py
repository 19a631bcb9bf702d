"""Streaming convolution in blocks: uniformly partitioned, overlap-add.

W. G. Gardner 1995. 32,768 is where a float32 FFT still fits into the second-level cache: twice as fast a
sample as a block four times as long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft, rfft

from ..units import Samples, Spectrum

BLOCK = 32_768
SIZE = 2 * BLOCK


def spectrum(block: Samples) -> Spectrum:
    """Of up to ``BLOCK`` samples, padded with as much silence as a filter may ring."""
    result: Spectrum = rfft(block, SIZE)
    return result


class Partitioned:
    """One input, several long impulse responses (each ``BLOCK`` samples or more)."""

    def __init__(self, responses: Sequence[Samples]) -> None:
        longest = max(len(response) for response in responses)
        self._parts = [
            [spectrum(response[at : at + BLOCK]) for at in range(0, longest, BLOCK)] for response in responses
        ]
        self._recent: deque[Spectrum] = deque(maxlen=len(self._parts[0]))

    def push(self, block: Spectrum, totals: Sequence[Spectrum]) -> None:
        """Add what this block and the ones before it make of each response to ``totals``, in place."""
        self._recent.appendleft(block)
        for parts, total in zip(self._parts, totals, strict=True):
            for part, past in zip(parts, self._recent, strict=False):
                total += part * past


class OverlapAdd:
    """Turns a stream of block spectra back into samples."""

    def __init__(self) -> None:
        self._tail = np.zeros(BLOCK, np.float32)

    def push(self, block: Spectrum) -> Samples:
        """The next ``BLOCK`` samples."""
        samples: Samples = irfft(block, SIZE)
        head = samples[:BLOCK]
        head += self._tail
        self._tail = samples[BLOCK:]
        return head
