"""When may a track that is still being made be heard? How much of it must lie ready so that it does not run dry.

Let T seconds be the whole track, a those that lie ready, p the place that is heard, s the wall-clock seconds that one
second of audio takes to make. The rest is there after s·(T − a) seconds; by then playback, begun now, has come to
p + s·(T − a), and what came last, ``chunk`` seconds, must not be missed before it is there:

    p + s·(T − a) + chunk ≤ T    ⇔    a − p ≥ (s − 1)·(T − a) + chunk

Between now and then both move on straight lines, so the end and the wait for the next chunk are the only places to
look at: during that wait, s·chunk seconds, only a − p is there to be heard.
"""

from __future__ import annotations

import math

MARGIN = 0.15
"""A speed that falls by so much does not starve the listener."""

MIN_LEAD_SEC = 2.0
"""Never less, however fast it goes. What starves after all sounds at least so long before it does again."""

MIN_CHUNKS = 3
"""Fewer measurements say nothing about the speed."""

MEMORY_SEC = 20.0
"""Seconds of audio after which a measurement counts for half: machines get busy and idle again."""


def needed_lead_sec(left_sec: float, slowness: float, chunk_sec: float) -> float:
    """Seconds that must lie ready ahead of the listener while ``left_sec`` are not made yet; 0 if nothing is left.

    ``slowness`` is the wall-clock seconds that a second of audio takes, as it is measured; it comes in pieces of
    ``chunk_sec`` at most. Infinite for an unknown speed (``math.inf``).
    """
    if left_sec <= 0:
        return 0.0
    slowest = slowness * (1 + MARGIN)
    return max(MIN_LEAD_SEC, slowest * chunk_sec, (slowest - 1) * left_sec + chunk_sec)


class Slowness:
    """Wall-clock seconds that a second of audio takes: a mean that forgets, with how far it may be off."""

    def __init__(self) -> None:
        self.chunk_sec = 0.0
        """The longest piece so far."""
        self._at: float | None = None
        self._audio = self._wall = self._squares = self._count = 0.0

    def heard(self, audio_sec: float, now: float) -> None:
        """``audio_sec`` > 0 more came at ``now`` (seconds, any monotonic clock). The first only starts the clock."""
        self.chunk_sec = max(self.chunk_sec, audio_sec)
        at, self._at = self._at, now
        if at is None:
            return
        wall = max(0.0, now - at)
        keep = 0.5 ** (audio_sec / MEMORY_SEC)
        self._audio = keep * self._audio + audio_sec
        self._wall = keep * self._wall + wall
        self._squares = keep * self._squares + wall * wall / audio_sec
        self._count = keep * self._count + 1

    def at_most(self) -> float:
        """The mean and two standard errors of it; infinite before ``MIN_CHUNKS`` pieces have been measured."""
        if self._count < MIN_CHUNKS - 0.5 or self._audio <= 0:
            return math.inf
        mean = self._wall / self._audio
        variance = max(0.0, self._squares / self._audio - mean * mean)
        return mean + 2 * math.sqrt(variance / self._count)
