"""A hand on the fader: soft passages are brought up a little, so that an intro is heard at a desk too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FREE_DB = 2.0  # below the average by this much, a passage is left alone
_LIFT = 0.45  # dB of gain for each dB beyond
_MOST_DB = 6.0
_HOLD = 0.2  # dB of cut for each dB above the average
_SILENCE = 1e-9


def average(powers: NDArray[np.float64]) -> float | None:
    """Mean of the powers of successive blocks, those 10 dB under it left out; None for silence."""
    heard = powers[powers > _SILENCE]
    if not len(heard):
        return None
    return float(heard[heard > heard.mean() / 10].mean())


def ride(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """A gain for each border between blocks (one more than there are blocks), from their powers.

    Contrast between sections shrinks by about two fifths and keeps its sign; the gain moves over about
    three blocks, ahead of the music as much as behind it.
    """
    middle = average(powers)
    if middle is None:
        return np.ones(len(powers) + 1)
    below = 10 * np.log10(middle / np.maximum(powers, middle * 1e-6))
    gain_db = np.clip(_LIFT * np.maximum(below - _FREE_DB, 0), 0, _MOST_DB) + _HOLD * np.minimum(below, 0)
    padded = np.pad(gain_db, 2, mode="edge")
    borders = (padded[:-3] + 2 * padded[1:-2] + 2 * padded[2:-1] + padded[3:]) / 6
    return np.asarray(10 ** (borders / 20))
