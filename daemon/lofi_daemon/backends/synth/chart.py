"""A score as text a musician can read: one line per bar, chords, then each layer's steps."""

from __future__ import annotations

from .keyscale import SHARPS, KeyScale
from .score import Note, Score


def score_text(score: Score) -> str:
    """A chart of the piece; for people, not for programs. Steps are sixteenths, swing removed."""
    key = KeyScale(score.tonic, score.mode)
    lines = [
        f"{score.style}, {key.name}, {score.bpm:.2f} bpm, {score.beats_per_bar}/4, swing {score.swing:g} %, "
        f"{score.duration:g} s, {len(score.bar_starts) - 1} bars, seed {score.seed}"
    ]
    names = {section.first_bar: section for section in score.sections}
    for bar, (start, end) in enumerate(zip(score.bar_starts, score.bar_starts[1:], strict=False)):
        if bar in names:
            lines.append(f"— {names[bar].name}, {names[bar].level_db:+.1f} dB")
        chords = [chord.symbol for chord in score.chords if start - 1e-6 <= chord.start < end - 1e-6]
        lines.append(f"{bar + 1:3d} {start:7.2f} s  {' '.join(chords)}")
        for layer, notes in score.layers.items():
            row = [note for note in notes if start - 0.03 <= note.start < end - 0.03]
            if row:
                lines.append(f"      {layer:6s} " + " ".join(_note(note, start, score) for note in row))
    return "\n".join(lines)


def _note(note: Note, bar_start: float, score: Score) -> str:
    step = round(step_of(note.start - bar_start, score), 1)
    name = f"{SHARPS[note.pitch % 12]}{note.pitch // 12 - 1}" if note.pitch else note.voice[0]
    return f"{step:g}{name}"


def step_of(seconds: float, score: Score) -> float:
    """The step a moment of a bar falls on, at the piece's tempo, swing removed."""
    eighths, inside = divmod(seconds * score.bpm / 30, 1.0)
    share = score.swing / 100
    return 2 * eighths + (inside / share if inside <= share else 1 + (inside - share) / (1 - share))
