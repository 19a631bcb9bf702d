"""How clearly a set of notes says its key, to an ear that knows only major and minor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from .keyscale import PARENT_MAJOR, KeyScale

# Krumhansl and Kessler 1982, probe-tone profiles.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

_THIRD_HARMONIC, _FIFTH_HARMONIC = 0.4, 0.1
"""How loud a note's twelfth and seventeenth sound in the instruments here, fitted to
the chroma of rendered pieces."""


def clarity(weights: Sequence[float], key: KeyScale) -> float:
    """By how much the key (or its relative) explains the notes better than any other; negative if it does not.

    ``weights`` is how much each of the twelve pitch classes is played. The result is a difference of two
    correlations with the probe-tone profiles, harmonics of the notes included.
    """
    heard = [
        weights[pc] + _THIRD_HARMONIC * weights[(pc - 7) % 12] + _FIFTH_HARMONIC * weights[(pc - 4) % 12]
        for pc in range(12)
    ]
    mean = sum(heard) / 12
    centred = [value - mean for value in heard]
    size = math.sqrt(sum(value * value for value in centred)) or 1.0
    home = (key.tonic + PARENT_MAJOR[key.mode]) % 12
    own, other = -1.0, -1.0
    for parent in range(12):
        fit = max(sum(a * b for a, b in zip(centred, p, strict=True)) for p in _profiles(parent)) / size
        if parent == home:
            own = fit
        else:
            other = max(other, fit)
    return own - other


@cache
def _profiles(parent: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Unit-length profiles of a major key and of its relative minor."""
    return _unit(_MAJOR, parent), _unit(_MINOR, (parent + 9) % 12)


def _unit(profile: tuple[float, ...], tonic: int) -> tuple[float, ...]:
    mean = sum(profile) / 12
    turned = [profile[(pc - tonic) % 12] - mean for pc in range(12)]
    size = math.sqrt(sum(value * value for value in turned))
    return tuple(value / size for value in turned)
