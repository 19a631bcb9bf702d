"""A request's words as the model reads them."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_core.conditioning.prompts import instruction, lyric_prompt, text_prompt

from ...model import StageParams

INSTRUMENTAL = "[Instrumental]"
"""What the models were trained to read where nobody sings."""


@dataclass(frozen=True, slots=True)
class Words:
    """``text`` holds the prompt with tempo, metre, key and length, ``lyric`` the lyrics and their language."""

    text: str
    lyric: str


def of(params: StageParams, task: str) -> Words:
    """``task`` is the stage's type, or one that is not known to the model: text2music."""
    asked = instruction(task, params.track_name, params.track_classes)
    metas: dict[str, object] = {"duration": params.duration_sec}
    if params.bpm is not None:
        metas["bpm"] = params.bpm
    if params.keyscale is not None:
        metas["keyscale"] = params.keyscale
    if params.timesignature is not None:
        metas["timesignature"] = params.timesignature.partition("/")[0]  # beats of a bar: "4", as published
    text = text_prompt(params.prompt, metas, asked)
    if params.instrumental:
        return Words(text, lyric_prompt(INSTRUMENTAL, params.vocal_language or "unknown"))
    return Words(text, lyric_prompt(params.lyrics or "", params.vocal_language or "en"))
