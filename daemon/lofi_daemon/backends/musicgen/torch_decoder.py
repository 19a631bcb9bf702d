"""The stack of layers in torch, for GPUs and for machines without a C compiler. Static cache, nothing allocated a step
that is not small."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

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
    """``Layers`` in torch. On CUDA a single position is a graph: recorded once, then started by one call instead of
    several hundred, which is where the time of a small model goes."""

    library: ctypes.CDLL | None = None

    def __init__(
        self,
        weights: TorchWeights,
        sequences: int,
        positions: int,
        said: Callable[[str], None] = lambda message: None,
    ) -> None:
        """``said`` hears why there is no graph where there should be one."""
        config = weights.config
        self.device, self.precision, self.rows = weights.device, weights.precision, ROWS
        self._weights, self._config = weights, config
        size = config.hidden // config.heads
        shape = (config.layers, 2, sequences, config.heads, positions, size)
        self._cache = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self._text: tuple[Tensor, Tensor, Tensor] | None = None
        self._said = said
        # What a graph reads and writes has to stay where it is.
        self._x = torch.zeros(sequences, 1, config.hidden, dtype=weights.dtype, device=weights.device)
        self._position = torch.zeros(1, dtype=torch.long, device=weights.device)
        self._places = torch.arange(positions, device=weights.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits: Tensor | None = None
        self._graphs = weights.device.type == "cuda"

    def text(self, keys: Tensor, values: Tensor, bias: Tensor) -> None:
        unseen = (bias < 0).all(1)  # all masked: attention would be over nothing, and the keys and values are zero
        bias = bias.masked_fill(unseen[:, None], 0)
        self._text = (self._place(keys), self._place(values), self._place(bias[:, None, None]))
        self._graph = None

    def forward(self, x: Tensor, first: int) -> Tensor:
        x = x.to(self.device, self._weights.dtype)
        count = x.shape[1]
        if count == 1 and self._graphs and self._recorded():
            return self._replay(x, first)
        seen = self._places[: first + count]
        mask = seen[None] <= seen[first:, None] if count > 1 else None
        for layer in range(self._config.layers):
            x = self._layer(layer, x, first, mask)
        return self._out(self._head(x)).cpu()

    def close(self) -> None:
        self._cache = self._x = torch.empty(0)
        self._text = self._graph = self._logits = None

    def single(self, x: Tensor, first: int) -> Tensor:
        """One position the way the graph does it, without one: with the whole cache and a mask."""
        self._x.copy_(x)
        self._position.fill_(first)
        return self._out(self._static()).cpu()

    def _recorded(self) -> bool:
        if self._graph is None:
            try:
                self._record()
            except RuntimeError as error:
                self._graphs = False
                reason = (str(error).splitlines() or ["no reason given"])[0]
                self._said(f"MusicGen is slower on this GPU than it could be: no CUDA graph was made ({reason}).")
        return self._graphs

    def _record(self) -> None:
        """Untested by the project, which has no GPU; as torch's own documentation has it (torch.cuda.graph)."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries choose and allocate what they need before the recording
            for _ in range(3):
                self._static()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._logits = self._static()
        self._graph = graph

    def _replay(self, x: Tensor, first: int) -> Tensor:
        assert self._graph is not None
        assert self._logits is not None
        self._x.copy_(x)
        self._position.fill_(first)
        self._graph.replay()
        return self._out(self._logits).cpu()

    def _static(self) -> Tensor:
        """The logits of ``_x`` at ``_position``; every shape and every address the same in each call."""
        x, mask = self._x, (self._places <= self._position)[None]
        for layer in range(self._config.layers):
            x = self._layer(layer, x, None, mask)
        return self._head(x)

    def _head(self, x: Tensor) -> Tensor:
        head = self._weights.head
        return _linear(_norm(x[:, -1], head["norm.weight"], head["norm.bias"]), head["lm_heads"])

    def _out(self, logits: Tensor) -> Tensor:
        return logits.float().view(-1, self._config.codebooks, self._config.vocabulary)

    def _place(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self._weights.dtype)

    def _layer(self, index: int, x: Tensor, first: int | None, mask: Tensor | None) -> Tensor:
        """``first`` None: the one at ``_position``, and the whole cache is looked at through ``mask``."""
        weights = self._weights.layers[index]
        normed = _norm(x, weights["self_norm.weight"], weights["self_norm.bias"])
        query, key, value = (self._split(part) for part in _linear(normed, weights["qkv"]).chunk(3, -1))
        keys, values = self._cache[index]
        if first is None:
            keys.index_copy_(2, self._position, key)
            values.index_copy_(2, self._position, value)
        else:
            end = first + x.shape[1]
            keys[:, :, first:end], values[:, :, first:end] = key, value
            keys, values = keys[:, :, :end], values[:, :, :end]
        attended = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        x = x + _linear(self._join(attended), weights["out"])
        if self._text:
            told, meant, bias = self._text
            normed = _norm(x, weights["cross_norm.weight"], weights["cross_norm.bias"])
            query = self._split(_linear(normed, weights["cross_q"]))
            attended = functional.scaled_dot_product_attention(query, told[index], meant[index], attn_mask=bias)
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
