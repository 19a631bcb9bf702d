"""Words → what the condition encoder takes: Qwen3's last states for the text, its token embeddings for the lyrics."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..conditioning.prompts import LYRIC_TOKENS, TEXT_TOKENS
from ..errors import ConditionError
from .modules import Heard


class TextEncoder:
    """``tokenizer`` and ``model`` as transformers loads them."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer, self._model = tokenizer, model

    @torch.no_grad()
    def text(self, prompt: str) -> Tensor:
        """[1, tokens, width] of a ``text_prompt``. Its end holds tempo and key, so too long a one is an error."""
        states: Tensor = self._model(self._ids(prompt, TEXT_TOKENS, "prompt")).last_hidden_state
        return states

    @torch.no_grad()
    def lyric(self, prompt: str) -> Tensor:
        """[1, tokens, width] of a ``lyric_prompt``."""
        states: Tensor = self._model.get_input_embeddings()(self._ids(prompt, LYRIC_TOKENS, "lyrics"))
        return states

    def _ids(self, text: str, limit: int, what: str) -> Tensor:
        ids: list[int] = self._tokenizer(text).input_ids
        if len(ids) > limit:
            raise ConditionError(
                f"The {what} make {len(ids)} tokens with all that goes around them, and the model reads {limit}: "
                "shorten them."
                if what == "lyrics"
                else f"The {what} makes {len(ids)} tokens with all that goes around it, and the model reads {limit}: "
                "shorten it."
            )
        return torch.tensor([ids], device=self._model.device)


def heard(text: Tensor, lyric: Tensor, timbre: Tensor, batch: int) -> Heard:
    """The same words and the same timbre [1, frames, 64] for each item: nothing is padded."""

    def everywhere(states: Tensor) -> tuple[Tensor, Tensor]:
        states = states.expand(batch, -1, -1)
        return states, torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)

    return Heard(
        *everywhere(text), *everywhere(lyric), timbre.expand(batch, -1, -1), torch.arange(batch, device=timbre.device)
    )
