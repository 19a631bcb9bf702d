"""Side-chain compression keyed by the kick, from the score rather than from the sound of the kick."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from ..score import Note
from ..units import RATE, Samples

ATTACK_SECONDS = 0.004
RELEASE_SECONDS = 0.14


class Duck:
    """A gain that dips by ``depth`` (0…1, at full velocity) at each kick."""

    def __init__(self, kicks: Sequence[Note], depth: float) -> None:
        attack = np.arange(int(ATTACK_SECONDS * RATE)) / (ATTACK_SECONDS * RATE)
        release = np.exp(-np.arange(int(7 * RELEASE_SECONDS * RATE)) / (RELEASE_SECONDS * RATE))
        release *= np.linspace(1, 0, len(release))
        rise = 0.5 - 0.5 * np.cos(np.pi * attack)
        self._dip = np.concatenate([rise, release]).astype(np.float32)
        # The dip begins before the kick, so that it is complete when the kick sounds.
        self._starts = [round(kick.start * RATE) - len(attack) for kick in kicks]
        self._depths = [np.float32(min(max(depth, 0.0), 0.95) * min(kick.velocity, 1.0)) for kick in kicks]

    def gain(self, start: int, frames: int) -> Samples | None:
        """Gain for each sample from ``start`` on; None where nothing dips."""
        first = bisect.bisect_right(self._starts, start - len(self._dip))
        last = bisect.bisect_left(self._starts, start + frames)
        if first >= last or not any(self._depths[first:last]):
            return None
        dip = np.zeros(frames, np.float32)
        for at, depth in zip(self._starts[first:last], self._depths[first:last], strict=True):
            begin, end = max(at, start), min(at + len(self._dip), start + frames)
            target = dip[begin - start : end - start]
            np.maximum(target, self._dip[begin - at : end - at] * depth, out=target)
        return 1 - dip
