"""The melody models: they have no cross-attention; melody and text stand before the music.

The mathematics is that of transformers/models/musicgen_melody/modeling_musicgen_melody.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...audio.sources import read_source
from .checkpoint import Checkpoint
from .chroma import SAMPLE_RATE, Sound, chromagram
from .windows import WINDOW_SEC


class Prefix:
    """What stands before the music, and the projections that make it. Small, so always float32."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises MODEL_LOAD_FAILED."""
        config = checkpoint.decoder
        self._notes, self._frames = config.chroma_bins, config.chroma_frames
        self._text = (
            checkpoint.tensor("enc_to_dec_proj.weight", config.hidden, checkpoint.text_hidden),
            checkpoint.tensor("enc_to_dec_proj.bias", config.hidden),
        )
        self._melody = (
            checkpoint.tensor("audio_enc_to_dec_proj.weight", config.hidden, self._notes),
            checkpoint.tensor("audio_enc_to_dec_proj.bias", config.hidden),
        )

    def __call__(self, states: Tensor, mask: Tensor, chroma: Tensor | None, guided: bool) -> Tensor:
        """[sequences, positions, hidden]; with ``guided`` the unconditional sequences stand behind the others.

        states [batch, tokens, text hidden] of T5; mask [batch, tokens], 1 = a token; chroma [batch, frames, notes] or
        None. Padding is seen by the layers as nothing but its place: its states are zero. No melody is one long C.
        """
        silent = torch.zeros(len(states), 1 if chroma is None else chroma.shape[1], self._notes)
        silent[:, :, 0] = 1
        melody = silent if chroma is None else chroma
        text = functional.linear(states, *self._text) * mask[..., None]
        if guided:
            melody, text = torch.cat([melody, silent]), torch.cat([text, torch.zeros_like(text)])
        melody = functional.linear(melody, *self._melody)
        melody = melody.repeat(1, -(-self._frames // melody.shape[1]), 1)[:, : self._frames]
        return torch.cat([melody, text], 1)


class Tune:
    """The sound whose melody is followed, from its beginning; it begins again where it ends."""

    def __init__(self, mono: Sound) -> None:
        """``mono`` [samples] at 32 kHz, not empty."""
        self._mono = mono

    def chroma(self, from_sec: float) -> Tensor:
        """[1, frames, notes] of the thirty seconds that a window beginning there sees."""
        length = WINDOW_SEC * SAMPLE_RATE
        if not from_sec:  # what is shorter than the window is repeated by its notes, as the models learnt it
            return torch.from_numpy(chromagram(self._mono[:length]))[None]
        samples = round(from_sec * SAMPLE_RATE) + np.arange(length)
        return torch.from_numpy(chromagram(self._mono.take(samples, mode="wrap")))[None]


def read_tune(path: Path, seconds: float) -> Tune:
    """As much of ``path`` as music of ``seconds`` follows. Raises INVALID_TRACK_ID and UNSUPPORTED."""
    return Tune(read_source(path, SAMPLE_RATE, seconds + WINDOW_SEC).mean(1))
