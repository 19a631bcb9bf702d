"""The stack of layers in torch, for GPUs and for machines without a C compiler. Static cache, nothing allocated a step
that is not small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .checkpoint import Checkpoint
from .decoder import head_weights, layer_weights
from .precision import Precision

ROWS = 2048


class TorchWeights:
    """Weights on the device. int8 weights are kept as such and widened as they are used, by torch's own kernel."""

    def __init__(self, checkpoint: Checkpoint, precision: Precision, device: torch.device) -> None:
        self.config = checkpoint.decoder
        self.precision = precision
        self.device = device
        self.dtype = torch.float32 if precision == "float32" else torch.bfloat16
        self.layers = [
            {name: self._place(name, tensor) for name, tensor in layer_weights(checkpoint, self.config, index).items()}
            for index in range(self.config.layers)
        ]
        self.head = {name: self._place(name, tensor) for name, tensor in head_weights(checkpoint, self.config).items()}

    def _place(self, name: str, tensor: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.precision == "int8" and "norm" not in name:
            quantised, scale = quantise(tensor)
            return quantised.to(self.device), scale.to(self.device, self.dtype)
        return tensor.to(self.device, self.dtype)


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[rows, columns] float32 → int8 and a scale for each row, symmetric: weight ≈ int8 × scale."""
    scale = weight.abs().amax(1) / 127
    scale[scale == 0] = 1
    return (weight / scale[:, None]).round_().to(torch.int8), scale


def _linear(x: Tensor, weight: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    if isinstance(weight, Tensor):
        return functional.linear(x, weight)
    quantised, scale = weight
    flat = torch._weight_int8pack_mm(x.reshape(-1, x.shape[-1]), quantised, scale)
    return flat.view(*x.shape[:-1], -1)


class TorchDecoder:
    """``Layers`` in torch."""

    def __init__(self, weights: TorchWeights, sequences: int, positions: int) -> None:
        config = weights.config
        self.device, self.precision, self.rows = weights.device, weights.precision, ROWS
        self._weights, self._config = weights, config
        size = config.hidden // config.heads
        shape = (config.layers, 2, sequences, config.heads, positions, size)
        self._cache = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self._text: tuple[Tensor, Tensor, Tensor] | None = None

    def text(self, keys: Tensor, values: Tensor, bias: Tensor) -> None:
        unseen = (bias < 0).all(1)  # all masked: attention would be over nothing, and the keys and values are zero
        bias = bias.masked_fill(unseen[:, None], 0)
        self._text = (self._place(keys), self._place(values), self._place(bias[:, None, None]))

    def forward(self, x: Tensor, first: int) -> Tensor:
        config = self._config
        x = x.to(self.device, self._weights.dtype)
        count = x.shape[1]
        mask = None
        if count > 1:
            seen = torch.arange(first + count, device=self.device)
            mask = seen[None] <= seen[first:, None]
        for layer in range(config.layers):
            x = self._layer(layer, x, first, mask)
        head = self._weights.head
        last = _norm(x[:, -1], head["norm.weight"], head["norm.bias"])
        logits = _linear(last, head["lm_heads"]).float().cpu()
        return logits.view(-1, config.codebooks, config.vocabulary)

    def close(self) -> None:
        self._cache = torch.empty(0)
        self._text = None

    def _place(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self._weights.dtype)

    def _layer(self, index: int, x: Tensor, first: int, mask: Tensor | None) -> Tensor:
        weights = self._weights.layers[index]
        count = x.shape[1]
        normed = _norm(x, weights["self_norm.weight"], weights["self_norm.bias"])
        query, key, value = (self._split(part) for part in _linear(normed, weights["qkv"]).chunk(3, -1))
        cache = self._cache[index]
        cache[0, :, :, first : first + count] = key
        cache[1, :, :, first : first + count] = value
        attended = functional.scaled_dot_product_attention(
            query, cache[0, :, :, : first + count], cache[1, :, :, : first + count], attn_mask=mask
        )
        x = x + _linear(self._join(attended), weights["out"])
        if self._text:
            keys, values, bias = self._text
            normed = _norm(x, weights["cross_norm.weight"], weights["cross_norm.bias"])
            query = self._split(_linear(normed, weights["cross_q"]))
            attended = functional.scaled_dot_product_attention(query, keys[index], values[index], attn_mask=bias)
            x = x + _linear(self._join(attended), weights["cross_out"])
        normed = _norm(x, weights["ffn_norm.weight"], weights["ffn_norm.bias"])
        inner = _linear(normed, weights["fc1"])
        inner = functional.relu(inner) if self._config.activation == "relu" else functional.gelu(inner)
        return x + _linear(inner, weights["fc2"])

    def _split(self, states: Tensor) -> Tensor:
        sequences, count, hidden = states.shape
        return states.view(sequences, count, self._config.heads, hidden // self._config.heads).transpose(1, 2)

    def _join(self, states: Tensor) -> Tensor:
        return states.transpose(1, 2).reshape(states.shape[0], states.shape[2], self._config.hidden)


def _norm(x: Tensor, weight: Tensor | tuple[Tensor, Tensor], bias: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return functional.layer_norm(x, (x.shape[-1],), weight, bias)
