"""From logits to tokens, exactly as transformers' ``generate`` does it, so that equal seeds give equal music.

The order is theirs: guidance, temperature, top-k, top-p, softmax, one multinomial draw for all rows of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ...errors import LofiError


@dataclass(frozen=True, slots=True)
class Sampling:
    """``top_k`` 0 and ``top_p`` 1 leave all tokens in. Without ``do_sample`` the likeliest token is taken."""

    do_sample: bool = True
    guidance_scale: float = 3.0
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0

    @property
    def guided(self) -> bool:
        """Whether there are unconditional rows beside the conditional ones."""
        return self.guidance_scale > 1


def guide(logits: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: [2 × batch, …], the conditional half first → [batch, …]."""
    conditional, unconditional = logits.chunk(2)
    return unconditional + (conditional - unconditional) * scale


def no_number() -> LofiError:
    """What to raise for output that is NaN or infinite."""
    return LofiError(
        "MODEL_INFERENCE_FAILED",
        "The model's output is not a number (NaN); try another seed, or precision float32 (musicgen_precision) if it "
        "happens again.",
    )


def choose(scores: Tensor, sampling: Sampling, generators: tuple[Generator, ...]) -> Tensor:
    """Tokens [batch, codebooks] from scores [batch, codebooks, vocabulary], float32.

    With one generator all rows come from one draw (as in transformers); with one for each item an item's tokens do
    not depend on how many are made beside it. Raises MODEL_INFERENCE_FAILED for scores that are no numbers.
    """
    batch, codebooks, vocabulary = scores.shape
    if not bool(torch.isfinite(scores).all()):
        raise no_number()
    if not sampling.do_sample:
        return scores.argmax(-1)
    probabilities = _probabilities(scores.reshape(-1, vocabulary), sampling)
    if len(generators) == 1:
        drawn = torch.multinomial(probabilities, 1, generator=generators[0])
    else:
        parts = torch.split(probabilities, codebooks)
        drawn = torch.cat(
            [torch.multinomial(part, 1, generator=own) for part, own in zip(parts, generators, strict=True)]
        )
    return drawn.view(batch, codebooks)


def _probabilities(scores: Tensor, sampling: Sampling) -> Tensor:
    """[rows, vocabulary] → probabilities of what may be drawn."""
    if sampling.temperature != 1:
        scores = scores / sampling.temperature
    if sampling.top_k:
        least = scores.topk(min(sampling.top_k, scores.shape[-1])).values[:, -1, None]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = scores.sort(descending=False)
        improbable = ordered.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
        improbable[:, -1] = False
        scores = scores.masked_fill(improbable.scatter(1, order, improbable), -torch.inf)
    return scores.softmax(-1)
