"""Repainting: a window is made anew, what is outside of it stays.

Sources: repaint_step_injection, repaint_boundary_blend and repaint_waveform_splice of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..noise import renoise

Mode = Literal["conservative", "balanced", "aggressive"]

CROSSFADE_FRAMES = 25
CROSSFADE_SEC = 0.05


@dataclass(frozen=True)
class Hold:
    """How firmly the rest is held: for which share of the steps, and how softly the seams are drawn."""

    injection: float
    crossfade_frames: int
    crossfade_sec: float


def hold(strength: float, mode: Mode = "balanced") -> Hold:
    """ρ = 1 − strength in the balanced mode; conservative holds all the way, aggressive not at all."""
    if mode == "aggressive":
        return Hold(0.0, 0, 0.0)
    ratio = 1.0 if mode == "conservative" else 1 - min(max(strength, 0.0), 1.0)
    return Hold(ratio, round(CROSSFADE_FRAMES * ratio), CROSSFADE_SEC * ratio)


@dataclass(frozen=True)
class Repaint:
    """``source`` and ``noise`` [batch, frames, 64], ``window`` bool [batch, frames], True where it is made anew."""

    source: Tensor
    window: Tensor
    noise: Tensor
    injection: float
    crossfade_frames: int

    def inject(self, x: Tensor, step: int, steps: int, level: float) -> Tensor:
        """For the first round(ρN) steps, outside the window: the source, noised to where ``x`` is."""
        if step >= round(self.injection * steps):
            return x
        held = renoise(self.source.to(x), level, self.noise.to(x))
        return torch.where(self.window.unsqueeze(-1), x, held)

    def blend(self, x: Tensor) -> Tensor:
        """The source outside the window, with a linear crossfade of ``crossfade_frames`` on each of its sides."""
        if self.crossfade_frames <= 0:
            return x
        share = torch.stack([self._share(window) for window in self.window]).to(x).unsqueeze(-1)
        return share * x + (1 - share) * self.source.to(x)

    def _share(self, window: Tensor) -> Tensor:
        inside = window.nonzero().flatten()
        if not len(inside):
            return torch.ones(len(window))
        return seam(len(window), int(inside[0]), int(inside[-1]) + 1, self.crossfade_frames)


def seam(length: int, start: int, end: int, width: int) -> Tensor:
    """1 in [start, end), a linear ramp of up to ``width`` outside on each side, else 0 → float32 [length]."""
    share = torch.zeros(length)
    share[start:end] = 1
    before, after = min(width, start), min(width, length - end)
    share[start - before : start] = torch.linspace(0, 1, before + 2)[1:-1]
    share[end : end + after] = torch.linspace(1, 0, after + 2)[1:-1]
    return share


def splice(
    made: Tensor,
    source: Tensor,
    starts: Sequence[float],
    ends: Sequence[float],
    crossfade_sec: float,
    sample_rate: int = 48_000,
) -> Tensor:
    """The source's own samples outside each item's window, in seconds; ``made`` [batch, channels, samples].

    What is beyond the end of ``source`` stays as it was made. A window over everything leaves all as it was made.
    """
    common = min(made.shape[-1], source.shape[-1])
    result = made.clone()
    for item, (begin, finish) in enumerate(zip(starts, ends, strict=True)):
        start = max(0, min(int(begin * sample_rate), common))
        end = max(start, min(int(finish * sample_rate), common))
        if start == 0 and end >= common:
            continue
        share = seam(common, start, end, int(crossfade_sec * sample_rate)).to(made)
        result[item, :, :common] = share * made[item, :, :common] + (1 - share) * source[item, :, :common].to(made)
    return result
