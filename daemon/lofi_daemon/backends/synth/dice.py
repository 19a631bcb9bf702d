"""Random choices that are the same on every platform and Python version.

Only ``random.Random.random`` is promised never to change its sequence, so everything here is built on it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """One stream per purpose: ``Dice(seed, "bass")`` is independent of how often "drums" is rolled."""

    def __init__(self, seed: int, *purpose: object) -> None:
        # Text seeds go through SHA-512, not through hash(), which differs from process to process.
        self.unit = random.Random("/".join(map(str, (seed, *purpose)))).random
        """A number in [0, 1)."""

    def chance(self, probability: float) -> bool:
        return self.unit() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.unit()

    def below(self, count: int) -> int:
        """An integer in [0, count)."""
        return min(count - 1, int(self.unit() * count))

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def weighted(self, choices: Sequence[tuple[T, float]]) -> T:
        at = self.unit() * sum(weight for _, weight in choices)
        for choice, weight in choices:
            at -= weight
            if at < 0:
                return choice
        return choices[-1][0]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(len(left))]

    def normal(self) -> float:
        """Near-normal, mean 0, deviation 1, never beyond ±3.5: the sum of four uniforms, scaled."""
        return (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.7320508
