"""Reading a score in a test: its events on the grid of bars and steps, whatever was humanised."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache

from lofi_daemon.backends.synth.chart import step_of
from lofi_daemon.backends.synth.composer import compose
from lofi_daemon.backends.synth.score import LayerName, Note, Score

Bar = frozenset[tuple[str, int, int, str]]
"""(layer, step, pitch, voice) of every event of a bar."""

EARLY_SEC = 0.035
"""How far ahead of a bar line a note of that bar may be played."""

STYLE_WORDS = {
    "chillhop": "chillhop",
    "jazzhop": "jazzhop",
    "boom_bap": "boom bap",
    "lofi_house": "lofi house",
    "ambient": "ambient",
    "piano_ballad": "piano ballad",
}


@cache
def composed(prompt: str, duration: float = 120.0, seed: int = 1, **asked: object) -> Score:
    """``compose``, remembered: scores are frozen."""
    return compose(prompt, duration, seed, **asked)  # type: ignore[arg-type]


def place(note: Note, score: Score) -> tuple[int, int]:
    """The bar and the step a note was written on."""
    bar = max(0, bisect_right(score.bar_starts, note.start + EARLY_SEC) - 1)
    bar = min(bar, len(score.bar_starts) - 2)
    return bar, round(step_of(max(0.0, note.start - score.bar_starts[bar]), score))


def bars(score: Score) -> list[Bar]:
    """Every bar's events, loudness and humanised timing left out."""
    out: list[set[tuple[str, int, int, str]]] = [set() for _ in score.bar_starts[1:]]
    for layer, notes in score.layers.items():
        for note in notes:
            bar, step = place(note, score)
            out[bar].add((layer, step, note.pitch, note.voice))
    return [frozenset(bar) for bar in out]


def chord_pitch_classes(score: Score, seconds: float) -> frozenset[int]:
    """The chord sounding at a moment, its root included."""
    index = bisect_right([chord.start for chord in score.chords], seconds + EARLY_SEC) - 1
    chord = score.chords[max(0, index)]
    return frozenset({chord.root, *(pitch % 12 for pitch in chord.pitches)})


def pitch_class_weights(score: Score, layers: tuple[LayerName, ...] = ("keys", "lead", "bass", "pad")) -> list[float]:
    """How much each pitch class is played, notes counting for at most two seconds."""
    weights = [0.0] * 12
    for layer in layers:
        for note in score.layers.get(layer, ()):
            weights[note.pitch % 12] += min(note.length, 2.0) * note.velocity
    return weights


def onsets_per_second(score: Score) -> float:
    """Distinct attacks per second; what sounds within 50 ms is one, pads have none."""
    last, count = -1.0, 0
    for start in sorted(note.start for layer, notes in score.layers.items() if layer != "pad" for note in notes):
        if start - last > 0.05:
            last, count = start, count + 1
    return count / score.duration
