"""From bars and steps to seconds: fitting a tempo to a duration, swing, rubato and the last ritardando.

A step is a sixteenth; steps are counted from the start of the piece.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

RING_SEC = 2.2
"""The last chord rings at least this long, if the piece is long enough to allow it."""
SHORTEST_LAST_BAR_SEC = 1.9
STRETCH = 0.02
STEPS_PER_BEAT = 4


@dataclass(frozen=True, slots=True)
class Fit:
    """``bars`` counts the last one, in which ``cadence_beats`` are played before the final chord."""

    bpm: float
    bars: int
    cadence_beats: int


def fit(duration: float, bpm: float, beats: int, *, exact: bool, range_bpm: tuple[float, float]) -> Fit:
    """Bars for ``duration`` seconds at about ``bpm``.

    Unless ``exact``, the tempo moves by up to 2 %, or anywhere inside ``range_bpm``, if that lets the
    piece end on a bar line. Otherwise the last chord takes up the slack.
    """
    if not exact:
        bars = max(2, round(duration * bpm / (60 * beats)))
        for count in (bars, bars + 1, max(2, bars - 1)):
            fitted = count * beats * 60 / duration
            if duration / count < SHORTEST_LAST_BAR_SEC and duration > 10:
                continue
            if abs(fitted / bpm - 1) <= STRETCH or range_bpm[0] <= fitted <= range_bpm[1]:
                beat = 60 / fitted
                ringing = max(1, min(beats, math.ceil(RING_SEC / beat)))
                cadence = 0 if beats * beat <= 4.4 else beats - ringing
                return Fit(fitted, count, cadence)
    beat = 60 / bpm
    played = max(0, int((duration - min(RING_SEC, 0.3 * duration)) / beat + 1e-9))
    bars, cadence = divmod(played, beats)
    if cadence == 1 and bars and duration - (played - 1) * beat <= 4.6:
        cadence = 0
    return Fit(bpm, bars + 1, cadence)


@dataclass(frozen=True, slots=True)
class Grid:
    """``beat_starts`` has bars × beats + 1 entries; beyond the last beat time goes on at its pace."""

    beats: int
    swing: float
    duration: float
    beat_starts: tuple[float, ...]

    @property
    def steps(self) -> int:
        """Steps per bar."""
        return self.beats * STEPS_PER_BEAT

    @property
    def bars(self) -> int:
        return (len(self.beat_starts) - 1) // self.beats

    def seconds(self, step: float, *, straight: bool = False) -> float:
        """When a step falls; steps may be fractional. Swing moves the odd sixteenths unless ``straight``."""
        eighths, inside = divmod(step, 2.0)
        share = 0.5 if straight else self.swing / 100
        part = inside * share if inside <= 1 else share + (inside - 1) * (1 - share)
        beat = (eighths + part) / 2
        index = min(int(beat), len(self.beat_starts) - 2)
        start, end = self.beat_starts[index], self.beat_starts[index + 1]
        return start + (beat - index) * (end - start)

    def bar_start(self, bar: int) -> float:
        """The start of a bar; of the bar after the last, the end of the piece."""
        return self.duration if bar >= self.bars else self.beat_starts[bar * self.beats]

    def bar_at(self, seconds: float) -> int:
        """The bar sounding at a moment."""
        return max(0, min(self.bars, bisect_right(self.beat_starts, seconds + 1e-9) // self.beats))


def steady(fitted: Fit, beats: int, swing: float, duration: float) -> Grid:
    beat = 60 / fitted.bpm
    return Grid(beats, swing, duration, tuple(i * beat for i in range(fitted.bars * beats + 1)))


def rubato(
    fitted: Fit, beats: int, duration: float, *, depth: float, ritardando: float, phase: float
) -> tuple[Grid, float]:
    """A breathing grid and its middle tempo: ± ``depth`` over eight bars, the last two bars slower.

    The beats before the final chord fill the same time as steady ones would, so the piece still ends on time.
    """
    played = (fitted.bars - 1) * beats + fitted.cadence_beats
    span = 8 * beats
    weights: list[float] = []
    for index in range(played):
        sway = depth * math.sin(2 * math.pi * (index / span + phase))
        left = (played - index) / (2 * beats)
        slowing = ritardando * (1 - left) if left < 1 else 0.0
        weights.append(1 + sway + slowing)
    beat = 60 / fitted.bpm
    scale = played * beat / sum(weights) if weights else beat
    starts = _running([scale * weight for weight in weights], fitted.bars * beats, beat)
    return Grid(beats, 50.0, duration, starts), 60 / scale if weights else fitted.bpm


def _running(lengths: Sequence[float], count: int, last: float) -> tuple[float, ...]:
    """Start times of ``count`` beats and the end; missing lengths are ``last``."""
    starts = [0.0]
    for index in range(count):
        starts.append(starts[-1] + (lengths[index] if index < len(lengths) else last))
    return tuple(starts)
