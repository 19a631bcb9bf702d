"""What the prompt says to the model: T5's states of it. Loaded for a prompt and let go again, as it is half the memory
of a small model and used once a track."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from .checkpoint import Checkpoint

PART = "text_encoder."
KEPT = 16
"""Prompts whose states are remembered: variations of one ask for the same."""


class TextEncoder:
    """The tokenizer and T5's encoder of a checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._states: OrderedDict[str, Tensor] = OrderedDict()

    @torch.no_grad()
    def states(self, prompt: str) -> Tensor:
        """[1, tokens, text hidden], float32, CPU. Raises MODEL_LOAD_FAILED."""
        if prompt not in self._states:
            tokens = torch.tensor([self._tokenizer()(prompt)["input_ids"]])
            self._states[prompt] = self._model()(input_ids=tokens).last_hidden_state
            if len(self._states) > KEPT:
                self._states.popitem(last=False)
        self._states.move_to_end(prompt)
        return self._states[prompt]

    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(
                str(self._checkpoint.folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # whatever a file that is not what it should be leads to; tokenizers raise bare ones
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise self._checkpoint.damaged(f"its tokenizer does not load ({reason})") from error

    def _model(self) -> Any:
        from transformers import T5Config, T5EncoderModel

        config = self._checkpoint.part_config(T5Config, "text_encoder")
        state = dict(self._checkpoint.part(PART))
        shared = state.get("shared.weight", state.get("encoder.embed_tokens.weight"))
        if shared is None:
            raise self._checkpoint.damaged("text_encoder.shared.weight is missing")
        state["shared.weight"] = state["encoder.embed_tokens.weight"] = shared
        return self._checkpoint.fill(T5EncoderModel, config, state, "text encoder").train(False)
