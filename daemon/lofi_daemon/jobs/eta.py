"""Percent that never falls and a remaining time that is not told before it means something."""

from __future__ import annotations

STEP_PERCENT = 5
REPEAT_SEC = 2.0
MEANINGFUL_SEC = 0.5
"""A rate measured over less than this is mostly start-up."""
SMOOTHING = 0.3
"""Weight of the newest estimate; the rest keeps the number from jumping."""


class Pace:
    """Fed with the fraction done and the time; says when it is worth telling.

    ``percent`` is 0–99 and never falls. ``eta_sec`` is None until two different points in time
    at least MEANINGFUL_SEC apart are known.
    """

    __slots__ = ("_estimate_at", "_first", "_remaining", "_told_at", "_told_percent", "eta_sec", "percent")

    def __init__(self) -> None:
        self.percent = 0
        self.eta_sec: float | None = None
        self._first: tuple[float, float] | None = None
        self._remaining: float | None = None
        self._estimate_at = 0.0
        self._told_at: float | None = None
        self._told_percent = -1

    def advance(self, fraction: float, now: float) -> None:
        """``fraction`` (0…1) of the job is done at ``now`` (seconds, any monotonic clock)."""
        fraction = min(max(fraction, 0.0), 1.0)
        self.percent = max(self.percent, min(99, int(fraction * 100)))
        if self._first is None:
            self._first = (fraction, now)
        else:
            done, spent = fraction - self._first[0], now - self._first[1]
            if done > 0 and spent >= MEANINGFUL_SEC:
                remaining = (1 - fraction) * spent / done
                if self._remaining is not None:
                    expected = max(0.0, self._remaining - (now - self._estimate_at))
                    remaining = SMOOTHING * remaining + (1 - SMOOTHING) * expected
                self._remaining, self._estimate_at = remaining, now
        self._refresh(now)

    def due(self, now: float) -> bool:
        """Whether to tell now: a further 5 % or 2 s since the last time. Says yes once, then counts anew."""
        if self._told_at is None or self.percent // STEP_PERCENT > self._told_percent // STEP_PERCENT:
            pass
        elif now - self._told_at < REPEAT_SEC:
            return False
        self._told_at, self._told_percent = now, self.percent
        self._refresh(now)
        return True

    def _refresh(self, now: float) -> None:
        if self._remaining is not None:
            self.eta_sec = round(max(0.0, self._remaining - (now - self._estimate_at)), 1)
