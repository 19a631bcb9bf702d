"""MusicGen's language model as a thing that is stepped: codes in, logits out.

Two make the same numbers: ``NativeDecoder`` (C, CPU), and ``TorchDecoder`` where there is a GPU or no C compiler.
Everything around the stack of layers is here and shared: embeddings, positions, the text's keys and values.
"""

from __future__ import annotations

import ctypes
import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from .checkpoint import Checkpoint, DecoderConfig
from .precision import Precision

STACK = "decoder.model.decoder"


class Layers(Protocol):
    """The stack of layers with its memory of what came before."""

    device: torch.device
    precision: Precision
    rows: int
    """(sequence, position) pairs that one call takes."""

    @property
    def library(self) -> ctypes.CDLL | None:
        """What is compiled, if it is that."""

    def text(self, keys: Tensor, values: Tensor, bias: Tensor) -> None:
        """What the sequences attend to beside themselves, until it is set again.

        keys, values [layers, sequences, heads, length, head size]; bias [sequences, length], 0 where the text is seen
        and a large negative number elsewhere. float32.
        """

    def forward(self, x: Tensor, first: int) -> Tensor:
        """Positions ``first`` … of every sequence, from embeddings x [sequences, count, hidden].

        Returns the logits [sequences, codebooks, vocabulary] of the last one, float32; valid until the next call.
        """

    def close(self) -> None:
        """Give the memory back."""


class Text:
    """Cross-attention's keys and values of a text, and the projections that make them. Small, so always float32."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        config = checkpoint.decoder
        hidden = config.hidden
        self.heads = config.heads
        text_hidden = checkpoint.text_hidden
        self._projection = checkpoint.tensor("enc_to_dec_proj.weight", hidden, text_hidden)
        self._offset = checkpoint.tensor("enc_to_dec_proj.bias", hidden)
        names = [f"{STACK}.layers.{layer}.encoder_attn" for layer in range(config.layers)]
        self._keys = [checkpoint.tensor(f"{name}.k_proj.weight", hidden, hidden) for name in names]
        self._values = [checkpoint.tensor(f"{name}.v_proj.weight", hidden, hidden) for name in names]

    def project(self, states: Tensor, mask: Tensor) -> Tensor:
        """T5's states [sequences, length, text hidden] → what the decoder sees, [sequences, length, hidden]."""
        seen = functional.linear(states, self._projection, self._offset)
        return seen * mask[..., None]

    def keys_values(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What ``Layers.text`` takes, for text states and mask [sequences, length] (1 = a token, 0 = padding)."""
        seen = self.project(states, mask)
        keys = torch.stack([self._split(functional.linear(seen, weight)) for weight in self._keys])
        values = torch.stack([self._split(functional.linear(seen, weight)) for weight in self._values])
        return keys, values, torch.where(mask > 0, 0.0, -1e30)

    def _split(self, states: Tensor) -> Tensor:
        sequences, length, hidden = states.shape
        return states.view(sequences, length, self.heads, hidden // self.heads).transpose(1, 2)


class Embeddings:
    """Sums of the codebooks' embeddings, plus sinusoidal positions."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        config = checkpoint.decoder
        entries = config.vocabulary + 1
        tables = [
            checkpoint.tensor(f"{STACK}.embed_tokens.{codebook}.weight", entries, config.hidden)
            for codebook in range(config.codebooks)
        ]
        self._table = torch.cat(tables)
        self._entries, self._first = entries, torch.arange(config.codebooks) * entries
        self._positions = torch.empty(0, config.hidden)

    def __call__(self, codes: Tensor, first: int) -> Tensor:
        """Codes [sequences, codebooks, count] at positions ``first`` … → [sequences, count, hidden]."""
        return self._table[codes + self._first[:, None]].sum(1) + self.positions(first, codes.shape[2])

    def one(self, library: ctypes.CDLL | None, column: Tensor, position: int, copies: int) -> Tensor:
        """The same for one position, codes [items, codebooks], so many copies: [copies × items, 1, hidden].

        In one C call where there is a library: after a step the caches hold none of the code that torch takes for it.
        """
        if library is None:
            return self(column[:, :, None].repeat(copies, 1, 1), position)
        x = torch.empty(copies * len(column), 1, self._table.shape[1])
        codes, place = column.contiguous(), self.positions(position, 1)
        library.lofi_embed(
            self._table.data_ptr(), place.data_ptr(), codes.data_ptr(), *codes.shape, self._entries, x.shape[2], copies,
            x.data_ptr(),
        )  # fmt: skip
        return x

    def positions(self, first: int, count: int) -> Tensor:
        """What tells the layers where a position is: [count, hidden]."""
        if first + count > len(self._positions):
            self._positions = sinusoids(max(2048, first + count), self._table.shape[1])
        return self._positions[first : first + count]


def sinusoids(count: int, hidden: int) -> Tensor:
    """[count, hidden]: cosines, then sines, of 10000^(−i / (hidden / 2 − 1)) (tensor2tensor's sinusoids)."""
    half = hidden // 2
    rates = torch.exp(torch.arange(half).float() * -(math.log(10000) / (half - 1)))
    angles = torch.arange(count).float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], 1)


def layer_weights(checkpoint: Checkpoint, config: DecoderConfig, layer: int) -> dict[str, Tensor]:
    """One layer's tensors, queries, keys and values in one; float32."""
    name, hidden, ffn = f"{STACK}.layers.{layer}", config.hidden, config.ffn

    def matrix(part: str, rows: int, columns: int) -> Tensor:
        return checkpoint.tensor(f"{name}.{part}.weight", rows, columns)

    weights = {
        "qkv": torch.cat([matrix(f"self_attn.{part}_proj", hidden, hidden) for part in "qkv"]),
        "out": matrix("self_attn.out_proj", hidden, hidden),
        "fc1": matrix("fc1", ffn, hidden),
        "fc2": matrix("fc2", hidden, ffn),
    }
    norms = {"self_norm": "self_attn_layer_norm", "ffn_norm": "final_layer_norm"}
    if not config.melody:  # the melody models put text and melody before the music instead
        weights["cross_q"] = matrix("encoder_attn.q_proj", hidden, hidden)
        weights["cross_out"] = matrix("encoder_attn.out_proj", hidden, hidden)
        norms["cross_norm"] = "encoder_attn_layer_norm"
    for ours, theirs in norms.items():
        weights[f"{ours}.weight"] = checkpoint.tensor(f"{name}.{theirs}.weight", hidden)
        weights[f"{ours}.bias"] = checkpoint.tensor(f"{name}.{theirs}.bias", hidden)
    return weights


def head_weights(checkpoint: Checkpoint, config: DecoderConfig) -> dict[str, Tensor]:
    """The last norm and all codebooks' heads in one matrix; float32."""
    heads = [
        checkpoint.tensor(f"decoder.lm_heads.{codebook}.weight", config.vocabulary, config.hidden)
        for codebook in range(config.codebooks)
    ]
    return {
        "norm.weight": checkpoint.tensor(f"{STACK}.layer_norm.weight", config.hidden),
        "norm.bias": checkpoint.tensor(f"{STACK}.layer_norm.bias", config.hidden),
        "lm_heads": torch.cat(heads),
    }
