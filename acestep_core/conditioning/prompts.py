"""The texts a model was trained on. Sources: acestep/constants.py, prompt_utils.py, metadata_utils.py of the reference.

A change of one character here changes the music.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

TEXT_TOKENS = 256
LYRIC_TOKENS = 2048
MAX_CODE = 63_999

_TEXT = "# Instruction\n{}\n\n# Caption\n{}\n\n# Metas\n{}<|endoftext|>\n"
_LYRIC = "# Languages\n{}\n\n# Lyric\n{}<|endoftext|>"

_GENERATE = "Fill the audio semantic mask based on the given conditions:"
_INSTRUCTIONS = {
    "repaint": "Repaint the mask area based on the given conditions:",
    "cover": "Generate audio semantic tokens based on the given conditions:",
}
# Where one part of the music is asked for: with its name, and without.
_PARTS = {
    "extract": ("Extract the {} track from the audio:", "Extract the track from the audio:"),
    "lego": ("Generate the {} track based on the audio context:", "Generate the track based on the audio context:"),
    "complete": ("Complete the input track with {}:", "Complete the input track:"),
}

Metas = Mapping[str, object] | str | None


def instruction(task: str = "text2music", track: str | None = None, classes: Sequence[str] | None = None) -> str:
    """The instruction of a task; one that is not known is text2music. ``classes`` are for complete alone."""
    if task in _PARTS:
        named, unnamed = _PARTS[task]
        parts = (classes or ()) if task == "complete" else (track,) if track else ()
        return named.format(" | ".join(part.upper() for part in parts)) if parts else unnamed
    return _INSTRUCTIONS.get(task, _GENERATE)


def metas_text(metas: Metas) -> str:
    """Tempo, metre, key and length as the model reads them; what is not known is N/A, the length 30 seconds."""
    if isinstance(metas, str):
        return metas
    given = metas or {}
    length = _first(given, "duration", "length", otherwise=30)
    if not isinstance(length, str):
        length = f"{int(length)} seconds" if isinstance(length, (int, float)) else "30 seconds"
    return (
        f"- bpm: {_first(given, 'bpm', 'tempo')}\n"
        f"- timesignature: {_first(given, 'timesignature', 'time_signature')}\n"
        f"- keyscale: {_first(given, 'keyscale', 'key', 'scale')}\n"
        f"- duration: {length}\n"
    )


def _first(metas: Mapping[str, object], *names: str, otherwise: object = "N/A") -> object:
    return next((metas[name] for name in names if name in metas), otherwise)


def text_prompt(caption: str, metas: Metas = None, task_instruction: str | None = None) -> str:
    """What the text encoder reads, to be cut to ``TEXT_TOKENS`` tokens. A caption in ``metas`` goes first."""
    asked = task_instruction or _GENERATE
    if not asked.endswith(":"):
        asked += ":"
    return _TEXT.format(asked, _own(metas, "caption", caption), metas_text(metas))


def lyric_prompt(lyrics: str, language: str = "en", metas: Metas = None) -> str:
    """What the lyric encoder reads, to be cut to ``LYRIC_TOKENS`` tokens. A language in ``metas`` goes first."""
    return _LYRIC.format(_own(metas, "language", language), lyrics)


def _own(metas: Metas, name: str, otherwise: str) -> str:
    found = metas.get(name) if isinstance(metas, Mapping) else None
    return str(found) if found else otherwise


def parse_codes(text: str) -> list[int]:
    """The audio codes in a planner's text, ``<|audio_code_N|>``; those beyond the codebook are its last."""
    return [min(int(code), MAX_CODE) for code in re.findall(r"<\|audio_code_(\d+)\|>", text)]
