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
            return AutoTokenizer.from_pretrained(str(self._checkpoint.folder), local_files_only=True)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise self._checkpoint.damaged(f"its tokenizer does not load ({reason})") from error

    def _model(self) -> Any:
        from transformers import T5Config, T5EncoderModel

        config = T5Config.from_dict(dict(self._checkpoint.config["text_encoder"]))
        with torch.device("meta"):
            model = T5EncoderModel(config)
        state = dict(self._checkpoint.part(PART))
        shared = state.get("shared.weight", state.get("encoder.embed_tokens.weight"))
        if shared is None:
            raise self._checkpoint.damaged("text_encoder.shared.weight is missing")
        state["shared.weight"] = state["encoder.embed_tokens.weight"] = shared
        missing, unknown = model.load_state_dict(state, strict=False, assign=True)
        if missing or unknown:
            raise self._checkpoint.damaged(f"its text encoder lacks or mistakes {(*missing, *unknown)[0]}")
        return model.train(False)
