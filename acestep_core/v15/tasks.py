"""What the model is given for each task, put together from words, sources and silence."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conditioning.masks import Frames
from ..conditioning.silence import MIN_FRAMES, silence_slice
from ..errors import ConditionError
from .modules import Conditioner, Given, Heard
from .text import heard

FRAMES_PER_SEC = 25


def frames_of(seconds: float) -> int:
    """The length of a latent for so much music. The model sees no fewer than 128 frames: cut the rest off the sound."""
    return max(MIN_FRAMES, round(seconds * FRAMES_PER_SEC))


def from_nothing(conditioner: Conditioner, frames: int, batch: int) -> Given:
    """For text2music: the source is silence, and all of it is to be made."""
    source = silence_slice(conditioner.silence, frames).float().cpu().expand(batch, -1, -1)
    return Given(source, torch.ones_like(source), torch.zeros(batch, dtype=torch.bool))


def from_frames(made: Frames) -> Given:
    """For the tasks with a source: what ``conditioning.masks.frames`` made of it."""
    return Given(made.source, made.mask(), made.cover)


def hear(
    conditioner: Conditioner,
    text: Tensor,
    lyric: Tensor,
    batch: int,
    timbre_frames: int,
    reference: Tensor | None = None,
) -> Heard:
    """The words (text.py) for each item, and the timbre of ``reference`` [frames, 64], or of silence without one.

    The first ``timbre_frames`` tell it (``Layout.timbre_frames``); ``ConditionError`` for a shorter reference.
    """
    timbre = silence_slice(conditioner.silence, timbre_frames) if reference is None else reference[:timbre_frames]
    if timbre.shape[0] < timbre_frames:
        raise ConditionError(f"A reference needs {timbre_frames / FRAMES_PER_SEC:g} seconds: repeat it to that length.")
    return heard(text, lyric, timbre.unsqueeze(0), batch)
