"""MusicGen's delay pattern: codebook k of a frame is predicted k steps after codebook 0.

Position 0 holds the start token in every codebook; codebook k of frame f stands at position f + 1 + k. Stereo models
interleave left and right, and the two of a pair share their delay. (Copet et al. 2023, "Simple and Controllable Music
Generation", section 2.1; transformers' ``MusicgenForCausalLM.build_delay_pattern_mask``.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FREE = -1
"""In a pattern: to be predicted."""


@dataclass(frozen=True, slots=True)
class Delays:
    """``codebooks`` of the model, interleaved left and right if ``stereo``; ``start`` is the token before the music."""

    codebooks: int
    stereo: bool
    start: int

    @property
    def longest(self) -> int:
        """Steps between the first and the last codebook of a frame."""
        return (self.codebooks // 2 if self.stereo else self.codebooks) - 1

    def of(self, codebook: int) -> int:
        return codebook // 2 if self.stereo else codebook

    def positions(self, frames: int) -> int:
        """How long the delayed sequence of so many frames is, the start token included."""
        return frames + 1 + self.longest

    def pattern(self, frames: int, prompt: Tensor | None, batch: int) -> Tensor:
        """What stands where: [batch, codebooks, positions], ``FREE`` where a token is to be predicted.

        ``prompt`` [batch, codebooks, n] are the codes of the first n frames.
        """
        pattern = torch.full((batch, self.codebooks, self.positions(frames)), self.start)
        for codebook in range(self.codebooks):
            first = 1 + self.of(codebook)
            pattern[:, codebook, first : first + frames] = FREE
            if prompt is not None:
                pattern[:, codebook, first : first + prompt.shape[2]] = prompt[:, codebook]
        return pattern

    def undo(self, sequence: Tensor, first: int, last: int) -> Tensor:
        """Codes of frames ``first`` to ``last`` (not included): [batch, codebooks, frames]."""
        rows = [
            sequence[:, codebook, first + 1 + self.of(codebook) : last + 1 + self.of(codebook)]
            for codebook in range(self.codebooks)
        ]
        return torch.stack(rows, dim=1)
