"""What is given and what is to be made, in frames. Source: the reference's conditioning_masks.py, padding_utils.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ConditionError

SAMPLE_RATE = 48_000
FRAME = 1920  # samples: 25 frames a second


@dataclass(frozen=True)
class Window:
    """Seconds of a source to make anew. ``end`` below 0 or None is the source's own end."""

    start: float
    end: float | None

    def frames(self, length: int, sample_rate: int = SAMPLE_RATE) -> tuple[int, int] | None:
        """[start, end) in frames of a latent ``length`` long; at least one. None where the end is not after the start.

        A start before 0 has been padded already: the window moves with it.
        """
        if self.end is None or self.end <= self.start:
            return None
        shift = max(0.0, -self.start)
        start = max(0, min(_frame(self.start + shift, sample_rate), length - 1))
        end = max(start + 1, min(_frame(self.end + shift, sample_rate), length))
        return start, end


def _frame(seconds: float, sample_rate: int) -> int:
    return int(seconds * sample_rate // FRAME)


@dataclass(frozen=True)
class Outpaint:
    """A source with silence before and after it, in samples, and where the window then lies, in seconds."""

    left: int
    right: int
    window: Window


def outpaint(window: Window, samples: int, sample_rate: int = SAMPLE_RATE) -> Outpaint:
    """The padding that a window needs which begins before the source or ends after it."""
    length = samples / sample_rate
    end = length if window.end is None or window.end < 0 else window.end
    left, right = max(0.0, -window.start), max(0.0, end - length)
    return Outpaint(int(left * sample_rate), int(right * sample_rate), Window(window.start + left, end + left))


@dataclass(frozen=True)
class Item:
    """One item of a batch: its task, the window to make anew, whether it has a source or a planner's codes.

    ``auto``: the model may decide where in the window. In the reference at 82252c2 its mask is a bool, so the 2.0 it
    meant for that is written as True everywhere.
    """

    task: str = "text2music"
    window: Window | None = None
    sourced: bool = False
    coded: bool = False
    auto: bool = False


@dataclass(frozen=True)
class Frames:
    """``make`` bool [batch, frames], ``source`` [batch, frames, 64], ``cover`` bool [batch].

    ``window`` bool [batch, frames] is what a repaint injects around, None where no item repaints; ``spans`` says for
    each item ("repainting" or "full", start, end).
    """

    make: Tensor
    source: Tensor
    cover: Tensor
    window: Tensor | None
    spans: tuple[tuple[str, int, int], ...]

    def mask(self) -> Tensor:
        """The mask as the context has it: float32 [batch, frames, 64], 1 = make, 0 = keep."""
        return self.make.unsqueeze(-1).expand_as(self.source).float()


def frames(items: Sequence[Item], latents: Tensor, silence: Tensor) -> Frames:
    """The masks and sources of a batch: ``latents`` [batch, frames, 64] of the sources, ``silence`` [frames, 64].

    A window gets silence, except for lego, which hears what is there; an item without a source is silence throughout.
    """
    if len(items) != latents.shape[0] or silence.shape[0] != latents.shape[1]:
        raise ConditionError("Items, their latents and the silence must be of the same number and length.")
    length = latents.shape[1]
    make = torch.ones(len(items), length, dtype=torch.bool)
    window = torch.ones(len(items), length, dtype=torch.bool)
    source, spans = [], []
    for i, item in enumerate(items):
        span = item.window.frames(length) if item.window else None
        latent = latents[i].clone() if item.sourced or item.coded else silence.to(latents).clone()
        if span is not None:
            outside = torch.ones(length, dtype=torch.bool)
            outside[slice(*span)] = False
            window[i, outside] = False
            make[i, outside] = item.auto
            if item.task != "lego":
                latent[slice(*span)] = silence[slice(*span)].to(latents)
        spans.append(("full", 0, length) if span is None else ("repainting", *span))
        source.append(latent)
    covers = [
        (item.task == "cover" or item.coded) and span[0] == "full" for item, span in zip(items, spans, strict=True)
    ]
    repaints = any(span[0] == "repainting" for span in spans)
    return Frames(make, torch.stack(source), torch.tensor(covers), window if repaints else None, tuple(spans))
