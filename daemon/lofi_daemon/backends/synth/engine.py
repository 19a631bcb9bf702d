"""The worker's door to the composer."""

from __future__ import annotations

from ...model import StageParams
from ..base import RenderContext, Rendering
from .composer import compose
from .keyscale import KeyScale
from .render import render
from .score import Score
from .voices.bank import NoteBank


def make_engine() -> SynthEngine:
    """What the worker calls once."""
    return SynthEngine()


class SynthEngine:
    """Composes and renders on the CPU; keeps notes from one track to the next."""

    device = "cpu"

    def __init__(self) -> None:
        self._bank = NoteBank()

    def render(self, params: StageParams, context: RenderContext) -> list[Rendering]:
        """One item: the composer makes no batches. Raises ``LofiError`` for a key, tempo or metre it cannot keep."""
        score = compose(
            params.prompt,
            params.duration_sec,
            int(params.seed),
            bpm=params.bpm,
            keyscale=params.keyscale,
            timesignature=params.timesignature,
        )
        track = render(score, step=context.step, bank=self._bank)
        return [Rendering(track.audio, track.sample_rate, track.lufs, describe(score))]

    def unload(self) -> bool:
        """Forget the notes made so far; whether there were any."""
        return self._bank.clear()


def describe(score: Score) -> dict[str, object]:
    """What a listener may want to know of a piece, as JSON values: seconds, beats a minute, percent of swing."""
    return {
        "style": score.style,
        "bpm": round(score.bpm, 2),
        "keyscale": KeyScale(score.tonic, score.mode).name,
        "timesignature": f"{score.beats_per_bar}/4",
        "swing": round(score.swing, 1),
        "sections": [
            {"name": section.name, "start_sec": round(section.start, 3), "duration_sec": round(section.length, 3)}
            for section in score.sections
        ],
        "layers": [layer for layer, notes in score.layers.items() if notes],
    }
