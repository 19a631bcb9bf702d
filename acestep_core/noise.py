"""Where the noise comes from: the CPU, one generator per item, so that a seed means the same on every device."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .errors import ResumeError

_SEEDS = 1 << 64


class Noise(Protocol):
    """A source of standard normal noise, float32 [batch, frames, channels] on the CPU."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """One per item: a checkpoint's randomness goes on only in a run with the same."""
        ...

    def draw(self) -> Tensor: ...

    def state(self) -> tuple[Tensor, ...]:
        """What ``restore`` needs to go on drawing from here: one tensor of bytes per item."""
        ...

    def restore(self, state: tuple[Tensor, ...]) -> None: ...


class SeededNoise:
    """Item i draws from a generator of its own, seeded ``seed + i``: its place in a batch does not matter.

    The first draw is the noise a run starts from; the solvers with randomness of their own draw the next ones.
    """

    def __init__(self, seed: int, batch: int, frames: int, channels: int = 64) -> None:
        self._shape = (1, frames, channels)
        self.seeds = tuple((seed + i) % _SEEDS for i in range(batch))
        self._generators = [torch.Generator("cpu").manual_seed(s) for s in self.seeds]

    def draw(self) -> Tensor:
        drawn = [torch.randn(self._shape, generator=g, dtype=torch.float32) for g in self._generators]
        return torch.cat(drawn)

    def state(self) -> tuple[Tensor, ...]:
        return tuple(g.get_state() for g in self._generators)

    def restore(self, state: tuple[Tensor, ...]) -> None:
        if len(state) != len(self._generators):
            raise ResumeError(
                f"The checkpoint holds the randomness of {len(state)} items, this run makes {len(self._generators)}."
            )
        for generator, saved in zip(self._generators, state, strict=True):
            generator.set_state(saved)


def renoise(x0: Tensor, t: float, noise: Tensor) -> Tensor:
    """x_t = t·noise + (1 − t)·x0, all [batch, frames, channels]."""
    return t * noise + (1 - t) * x0
