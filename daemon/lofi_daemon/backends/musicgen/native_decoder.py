"""The stack of layers on the CPU, one C call a step (native/decoder.c)."""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Callable
from ctypes import c_char_p, c_float, c_int, c_int32, c_void_p

import torch
from torch import Tensor

from ...errors import LofiError
from .checkpoint import Checkpoint, DecoderConfig
from .crew import Cores, Crew
from .decoder import head_weights, layer_weights
from .precision import Precision

PRECISIONS: dict[Precision, int] = {"float32": 0, "bfloat16": 1, "int8": 2}
BYTES: dict[Precision, int] = {"float32": 4, "bfloat16": 2, "int8": 1}
MAX_LAYERS, MAX_HEAD, MAX_THREADS = 128, 256, 64
TILE, CHUNK = 4, 32
"""Rows and columns of a matrix are multiples of these."""
BLOCK = 16
"""The cache holds a multiple of so many positions."""


class _Matrix(ctypes.Structure):
    _fields_ = (("data", c_void_p), ("scale", c_void_p))


class _Norm(ctypes.Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p))


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, _Matrix) for name in ("qkv", "out", "cross_q", "cross_out", "fc1", "fc2")),
        *((name, _Norm) for name in ("self_norm", "cross_norm", "ffn_norm")),
    )


class _Shape(ctypes.Structure):
    _fields_ = tuple(
        (name, c_int32)
        for name in (
            "precision", "layers", "hidden", "heads", "ffn", "codebooks", "vocab", "sequences", "max_positions",
            "threads", "relu",
        )
    )  # fmt: skip


class _Model(ctypes.Structure):
    _fields_ = (("shape", _Shape), ("layer", _Layer * MAX_LAYERS), ("norm", _Norm), ("lm_heads", _Matrix))


def declare(library: ctypes.CDLL) -> None:
    """Tell ctypes what the functions take."""
    library.lofi_decoder_new.restype = c_void_p
    library.lofi_decoder_new.argtypes = (ctypes.POINTER(_Model),)
    library.lofi_decoder_free.argtypes = (c_void_p,)
    library.lofi_decoder_text.argtypes = (c_void_p, c_void_p, c_void_p, c_void_p, c_int)
    library.lofi_decoder_step.argtypes = (c_void_p, c_void_p, c_int, c_int, c_int, c_void_p)
    library.lofi_decoder_pack.argtypes = (c_void_p, c_int, c_int, c_int, c_void_p, c_void_p)
    library.lofi_decoder_features.restype = c_char_p
    library.lofi_embed.argtypes = (c_void_p, c_void_p, c_void_p, c_int, c_int, c_int, c_int, c_int, c_void_p)
    library.lofi_sample.argtypes = (
        c_void_p, c_int, c_int, c_int, c_int, c_float, c_float, c_int, c_void_p, c_void_p, c_void_p,
    )  # fmt: skip


def takes(config: DecoderConfig) -> bool:
    """Whether the step is made for a model of these sizes. All that are published are so."""
    head = config.hidden // config.heads
    return not (
        config.hidden % CHUNK
        or config.ffn % CHUNK
        or config.codebooks * config.vocabulary % TILE
        or head % TILE
        or head > MAX_HEAD
        or config.layers > MAX_LAYERS
    )


class Weights:
    """A decoder's weights, packed for the C step in one arena. Made once for a model, used by many decoders."""

    def __init__(self, library: ctypes.CDLL, checkpoint: Checkpoint, precision: Precision) -> None:
        """For sizes that ``takes`` says yes to. Raises MODEL_LOAD_FAILED for what the checkpoint lacks."""
        self.config = config = checkpoint.decoder
        self.precision = precision
        self._library = library
        self._kept: list[Tensor] = []
        self._arena = _Arena(_weight_count(checkpoint) * BYTES[precision])
        self.model = _Model()
        for index in range(config.layers):
            self._fill(self.model.layer[index], layer_weights(checkpoint, config, index))
        head = head_weights(checkpoint, config)
        self.model.norm = self._norm(head["norm.weight"], head["norm.bias"])
        self.model.lm_heads = self._matrix(head["lm_heads"])

    @property
    def bytes(self) -> int:
        """What a step reads of them."""
        return self._arena.used

    def _fill(self, layer: _Layer, weights: dict[str, Tensor]) -> None:
        for name in ("qkv", "out", "cross_q", "cross_out", "fc1", "fc2"):
            if name in weights:
                setattr(layer, name, self._matrix(weights[name]))
        for name in ("self_norm", "cross_norm", "ffn_norm"):
            if f"{name}.weight" in weights:
                setattr(layer, name, self._norm(weights[f"{name}.weight"], weights[f"{name}.bias"]))

    def _matrix(self, weight: Tensor) -> _Matrix:
        weight, place = weight.contiguous(), self._arena.take(weight.numel() * BYTES[self.precision])
        scale = torch.empty(len(weight))
        self._library.lofi_decoder_pack(
            weight.data_ptr(), *weight.shape, PRECISIONS[self.precision], place, scale.data_ptr()
        )
        self._kept.append(scale)
        return _Matrix(place, scale.data_ptr() if self.precision == "int8" else None)

    def _norm(self, weight: Tensor, bias: Tensor) -> _Norm:
        self._kept += (weight.contiguous(), bias.contiguous())
        return _Norm(self._kept[-2].data_ptr(), self._kept[-1].data_ptr())


class NativeDecoder:
    """``Layers`` in C. Not for two threads at once."""

    device = torch.device("cpu")

    def __init__(
        self,
        library: ctypes.CDLL,
        weights: Weights,
        sequences: int,
        positions: int,
        cores: Cores,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Room for ``positions`` of each of ``sequences``. Raises MODEL_INFERENCE_FAILED without memory."""
        config = weights.config
        threads = min(cores.total, MAX_THREADS)
        self.precision = weights.precision
        self.rows = int(library.lofi_decoder_max_rows())
        self.library, self._weights = library, weights
        self._cores, self._crew, self._clock = cores, Crew(threads), clock
        shape = weights.model.shape
        for name, value in (
            ("precision", PRECISIONS[weights.precision]), ("layers", config.layers), ("hidden", config.hidden),
            ("heads", config.heads), ("ffn", config.ffn), ("codebooks", config.codebooks),
            ("vocab", config.vocabulary), ("sequences", sequences),
            ("max_positions", -(-positions // BLOCK) * BLOCK), ("threads", threads),
            ("relu", config.activation == "relu"),
        ):  # fmt: skip
            setattr(shape, name, value)
        self._handle = library.lofi_decoder_new(ctypes.byref(weights.model))
        if not self._handle:
            raise LofiError(
                "MODEL_INFERENCE_FAILED",
                "There is not enough memory for the music's cache; ask for fewer tracks at once (batch_size), or "
                "close other programs.",
            )
        self._logits = torch.empty(sequences, config.codebooks, config.vocabulary)

    def text(self, keys: Tensor, values: Tensor, bias: Tensor) -> None:
        keys, values, bias = keys.contiguous(), values.contiguous(), bias.contiguous()
        code = self.library.lofi_decoder_text(
            self._handle, keys.data_ptr(), values.data_ptr(), bias.data_ptr(), bias.shape[1]
        )
        if code:
            raise LofiError("MODEL_INFERENCE_FAILED", "The prompt is too long for the model; shorten it.")

    def forward(self, x: Tensor, first: int) -> Tensor:
        x = x.contiguous()
        count = x.shape[1]
        lent = self._cores.lent
        hands = self._crew.next(lent) if count == 1 else max(1, self._crew.most - lent)
        began = self._clock()
        code = self.library.lofi_decoder_step(self._handle, x.data_ptr(), first, count, hands, self._logits.data_ptr())
        if count == 1 and not lent and not self._cores.lent:
            self._crew.tell(hands, self._clock() - began)
        if code:
            raise LofiError("INTERNAL_ERROR", f"The step refused position {first} + {x.shape[1]}.")
        return self._logits

    def close(self) -> None:
        if self._handle:
            self.library.lofi_decoder_free(self._handle)
            self._handle = None


class _Arena:
    """One block for all matrices, on huge pages where the system has them: a step reads it from end to end."""

    def __init__(self, size: int) -> None:
        self._map = mmap.mmap(-1, size + (1 << 16))
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._bytes = torch.frombuffer(self._map, dtype=torch.uint8)
        self.used = 0

    def take(self, size: int) -> int:
        """The address of the next so many bytes."""
        place = self._bytes.data_ptr() + self.used
        self.used += size
        assert self.used <= self._bytes.numel()
        return place


def _weight_count(checkpoint: Checkpoint) -> int:
    config = checkpoint.decoder
    attention = 4 + (0 if config.melody else 2)
    layer = attention * config.hidden**2 + 2 * config.hidden * config.ffn
    return config.layers * layer + config.codebooks * config.vocabulary * config.hidden
