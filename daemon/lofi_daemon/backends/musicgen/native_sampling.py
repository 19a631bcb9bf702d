"""Sampling in one C call (native/sampling.h), which is the same as ``choose``."""

from __future__ import annotations

import ctypes

import torch
from torch import Generator, Tensor

from .sampling import Sampling, choose, guide, no_number


class Sampler:
    """Tokens from logits, step after step. The draws are torch's own, so that equal seeds give equal music.

    Without a library torch does it, and for top-p, which has to sort.
    """

    def __init__(
        self,
        library: ctypes.CDLL | None,
        sampling: Sampling,
        generators: tuple[Generator, ...],
        items: int,
        codebooks: int,
        vocabulary: int,
    ) -> None:
        """``generators``: see ``choose``."""
        self._library = library if sampling.top_p >= 1 or not sampling.do_sample else None
        self._sampling, self._generators, self._shape = sampling, generators, (items, codebooks)
        self._how = (
            *self._shape, vocabulary, sampling.guided, sampling.guidance_scale, sampling.temperature, sampling.top_k
        )  # fmt: skip
        self._noise = torch.empty(items * codebooks, vocabulary)
        self._parts = torch.split(self._noise, codebooks) if len(generators) > 1 else (self._noise,)
        self._scores = torch.empty(vocabulary)

    def __call__(self, logits: Tensor) -> Tensor:
        """Tokens [items, codebooks] from float32 logits on the CPU: [items, codebooks, vocabulary], of guided sampling
        twice as many, the conditional ones first. Raises MODEL_INFERENCE_FAILED."""
        if self._library is None:
            scores = guide(logits, self._sampling.guidance_scale) if self._sampling.guided else logits
            return choose(scores, self._sampling, self._generators)
        noise = self._draw() if self._sampling.do_sample else None
        tokens = torch.empty(self._shape, dtype=torch.int64)
        if self._library.lofi_sample(logits.data_ptr(), *self._how, noise, self._scores.data_ptr(), tokens.data_ptr()):
            raise no_number()
        return tokens

    def _draw(self) -> int:
        for part, generator in zip(self._parts, self._generators, strict=True):
            part.exponential_(generator=generator)
        return self._noise.data_ptr()
