"""The loop: from a text's states to codes, a frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from .checkpoint import DecoderConfig
from .decoder import Embeddings, Layers
from .native_sampling import Sampler
from .sampling import Sampling


def generate_codes(
    layers: Layers,
    embeddings: Embeddings,
    config: DecoderConfig,
    frames: int,
    sampling: Sampling,
    generators: tuple[Generator, ...],
    batch: int,
    prompt: Tensor | None = None,
    prefix: Tensor | None = None,
    pause: Callable[[], None] = lambda: None,
) -> Iterator[Tensor]:
    """Codes [batch, codebooks, n] of the next frames as they become complete: in all ``frames`` less the prompt's.

    ``layers`` holds batch sequences, or twice as many (conditional ones first) where ``sampling`` is guided, and knows
    their text. ``prompt`` [batch, codebooks, n] are codes to go on from. ``prefix`` [sequences, length, hidden] stands
    before the first position (melody models). Yields after every step, empty tensors while the delays fill up, so that
    whoever drives it can tell progress and stop; what is known before the first step can take seconds, and ``pause``,
    called in between, may raise. Raises MODEL_INFERENCE_FAILED.
    """
    delays = config.delays
    pattern = delays.pattern(frames, prompt, batch)
    known = 1 + (prompt.shape[2] if prompt is not None else 0)
    before = 0 if prefix is None else prefix.shape[1]
    copies = 2 if sampling.guided else 1
    sampler = Sampler(layers.library, sampling, generators, batch, config.codebooks, config.vocabulary)
    logits = _begin(layers, embeddings, pattern[:, :, :known].repeat(copies, 1, 1), prefix, pause)
    told = known - 1
    for position in range(known, pattern.shape[2]):
        due = pattern[:, :, position]
        column = torch.where(due < 0, sampler(logits), due)
        due.copy_(column)
        complete = position - delays.longest
        yield delays.undo(pattern, told, max(told, complete))
        told = max(told, complete)
        if position + 1 < pattern.shape[2]:
            x = embeddings.one(layers.library, column, before + position, copies)
            logits = layers.forward(x, before + position)


def _begin(
    layers: Layers, embeddings: Embeddings, sequence: Tensor, prefix: Tensor | None, pause: Callable[[], None]
) -> Tensor:
    """Everything known, in as few calls as the layers take; the logits after it."""
    before = 0 if prefix is None else prefix.shape[1]
    x = embeddings(sequence, before)
    if prefix is not None:
        x = torch.cat([prefix + embeddings.positions(0, before), x], 1)
    at_once = max(1, layers.rows // len(x))
    logits = torch.empty(0)
    for first in range(0, x.shape[1], at_once):
        if first:
            pause()
        logits = layers.forward(x[:, first : first + at_once], first)
    return logits
