"""How many threads a step does best with, found out as it goes.

One thread reads memory at nearly the speed of two, and threads that meet a hundred times a step wait for one that the
system has put aside: on a machine where somebody compiles, one thread is twice as fast as two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

TRIAL_STEPS = 4
"""Of a number that is tried; the quickest counts, as disturbances only ever slow a step down."""

TRUST_STEPS = 120
"""Between trials."""

WORTH = 0.95
"""More threads have to be quicker by so much: cores are the user's."""


class Cores:
    """Those that a render may use. ``lent``: how many of them the step leaves to EnCodec at the moment."""

    def __init__(self, total: int) -> None:
        self.total, self.lent = total, 0

    @contextmanager
    def borrowed(self) -> Iterator[int]:
        """For as long as it lasts, so many of them: one of two is enough to keep up with the tokens."""
        self.lent = max(1, self.total // 4)
        try:
            yield self.lent
        finally:
            self.lent = 0


class Crew:
    """Proposes 1, 2, 4 … up to ``most`` threads and settles on the best for a while."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._choices = [1]
        while self._choices[-1] < most:
            self._choices.append(min(most, 2 * self._choices[-1]))
        self._best = most
        self._trial: list[int] = []
        self._left = 0
        self._times: dict[int, list[float]] = {}
        self._begin_trial()

    def next(self, lent: int = 0) -> int:
        """For the next step, which leaves ``lent`` cores to others."""
        return max(1, min(self._trial[0] if self._trial else self._best, self.most - lent))

    def tell(self, threads: int, seconds: float) -> None:
        """What a step with so many took, while no core was lent."""
        if not self._trial:
            self._left -= 1
            if self._left <= 0:
                self._begin_trial()
            return
        self._times.setdefault(threads, []).append(seconds)
        if len(self._times[threads]) >= TRIAL_STEPS:
            self._trial.pop(0)
        if not self._trial:
            self._settle()

    def _begin_trial(self) -> None:
        self._times = {}
        self._trial = self._choices.copy() if len(self._choices) > 1 else []
        self._left = TRUST_STEPS

    def _settle(self) -> None:
        best = self._choices[0]
        for choice in self._choices[1:]:
            if min(self._times[choice]) < WORTH * min(self._times[best]):
                best = choice
        self._best = best
