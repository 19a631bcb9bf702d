"""What the model is told for a stage: words, timbre and source, item by item."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from acestep_core.conditioning import masks
from acestep_core.conditioning.masks import Item, Window
from acestep_core.conditioning.repaint import Repaint, hold
from acestep_core.conditioning.silence import silence_slice
from acestep_core.sampler import Condition
from acestep_core.v15 import tasks
from acestep_core.v15.modules import Conditioner

from ...model import StageParams


@dataclass(slots=True, eq=False)
class Encoded:
    """Words, [1, tokens, width] each; ``packed`` is what the condition encoder makes of them and a timbre of silence,
    once it was asked: it is the same for all variations of a prompt."""

    text: Tensor
    lyric: Tensor
    packed: Tensor | None = None

    def heard(self, conditioner: Conditioner, timbre_frames: int, timbre: Tensor | None) -> Tensor:
        """[1, tokens, width], with ``timbre`` [frames, 64] in place of silence where there is one."""
        if timbre is None and self.packed is not None:
            return self.packed
        packed, _ = conditioner.encoded(tasks.hear(conditioner, self.text, self.lyric, 1, timbre_frames, timbre))
        if timbre is None:
            self.packed = packed
        return packed


@dataclass(frozen=True)
class Told:
    """``switched`` is what a cover goes over to; ``window`` bool [frames], True where a repaint makes anew."""

    condition: Condition
    switched: Condition | None
    window: Tensor | None


def tell(
    conditioner: Conditioner,
    params: StageParams,
    frames: int,
    said: Encoded,
    plain: Encoded | None,
    timbre_frames: int,
    timbre: Tensor | None = None,
    source: Tensor | None = None,
) -> Told:
    """``timbre`` and ``source`` [batch, frames, 64] are what each item hears, ``plain`` the words of text2music where
    the stage goes over to them.

    Each item is told at its own length and for itself: batch mates do not hear of each other.
    """
    batch, silence = params.batch_size, silence_slice(conditioner.silence, frames).float().cpu()
    items = range(batch if timbre is not None or source is not None else 1)
    conditions, switched, window = [], [], None
    for i in items:
        if source is None:
            given = tasks.from_nothing(conditioner, frames, 1)
        else:
            made = masks.frames([_item(params)], source[i : i + 1], silence)
            given, window = tasks.from_frames(made), None if made.window is None else made.window[0]
        reference = None if timbre is None else timbre[i]
        heard = said.heard(conditioner, timbre_frames, reference)
        conditions.append(Condition(heard, conditioner.context(given)))
        if plain is not None:
            heard = plain.heard(conditioner, timbre_frames, reference)
            switched.append(Condition(heard, conditioner.context(conditioner.silenced(given))))
    return Told(_batch(conditions, batch), _batch(switched, batch) if switched else None, window)


def repaint(params: StageParams, told: Told, source: Tensor, noise: Tensor) -> Repaint | None:
    """How the source is held outside the window; ``noise`` is what the run starts from."""
    if params.stage_type != "repaint" or told.window is None:
        return None
    firmly = hold(_strength(params))
    window = told.window.expand(len(source), -1)
    return Repaint(source, window, noise, firmly.injection, firmly.crossfade_frames)


def crossfade_sec(params: StageParams) -> float:
    """Of the waveforms, at the seams of a repainted window."""
    return hold(_strength(params)).crossfade_sec


def window_of(params: StageParams) -> Window | None:
    """The seconds to make anew, where the stage has such."""
    if params.repaint_start is None and params.repaint_end is None:
        return None
    end = params.duration_sec if params.repaint_end is None else params.repaint_end
    return Window(params.repaint_start or 0.0, end)


def _strength(params: StageParams) -> float:
    assert params.repaint_strength is not None
    return params.repaint_strength


def _item(params: StageParams) -> Item:
    return Item(params.stage_type, window_of(params), sourced=True)


def _batch(conditions: list[Condition], batch: int) -> Condition:
    if len(conditions) == batch:
        return Condition(torch.cat([c.encoder for c in conditions]), torch.cat([c.context for c in conditions]))
    (one,) = conditions
    return Condition(one.encoder.expand(batch, -1, -1), one.context.expand(batch, -1, -1))
