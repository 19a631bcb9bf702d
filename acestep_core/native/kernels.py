"""kernels.c on tensors. Shapes are checked here, as a wrong one there would end the process."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from . import build

_PLACE, _LONG = ctypes.c_void_p, ctypes.c_long


def _struct(name: str, *fields: tuple[str, object]) -> type[ctypes.Structure]:
    return type(name, (ctypes.Structure,), {"_fields_": list(fields)})


_WORTH_TILES = 256
"""Sides of a product from which what oneDNN gives back in bfloat16 is soon enough narrowed again."""

_Product = _struct(
    "_Product",
    ("rows", _LONG), ("columns", _LONG), ("depth", _LONG), ("taps", _LONG),
    ("a", _PLACE), ("a_row", _LONG), ("a_tap", _LONG), ("w", _PLACE), ("w2", _PLACE),
    ("bias", _PLACE), ("gate", _PLACE), ("item_rows", _LONG),
    ("sum", _PLACE), ("sum_row", _LONG), ("add", _LONG), ("keep", _LONG),
    ("alpha", _PLACE), ("beta", _PLACE), ("out", _PLACE), ("out_row", _LONG), ("parts", _LONG),
    ("made", _PLACE), ("made2", _PLACE), ("chunk", _LONG), ("panels", _LONG),
)  # fmt: skip
_Norm = _struct(
    "_Norm",
    ("rows", _LONG), ("width", _LONG), ("item_rows", _LONG), ("eps", ctypes.c_float),
    ("x", _PLACE), ("scale", _PLACE), ("shift", _PLACE), ("out", _PLACE),
)  # fmt: skip
_Heads = _struct(
    "_Heads",
    ("rows", _LONG), ("heads", _LONG), ("width", _LONG), ("positions", _LONG), ("eps", ctypes.c_float),
    ("x", _PLACE), ("weight", _PLACE), ("cosine", _PLACE), ("sine", _PLACE), ("out", _PLACE),
)  # fmt: skip
_Attention = _struct(
    "_Attention",
    ("items", _LONG), ("rows", _LONG), ("tokens", _LONG), ("heads", _LONG), ("kv_heads", _LONG), ("width", _LONG),
    ("window", _LONG), ("scale", ctypes.c_float), ("q", _PLACE), ("k", _PLACE), ("v", _PLACE), ("out", _PLACE),
    ("chunk", _LONG), ("chunks", _LONG), ("token_panels", _LONG), ("width_panels", _LONG),
)  # fmt: skip


def load(folder: Path | None = None) -> Kernels:
    """Compiled once and kept in ``folder``. ``build.CannotBuildError`` says why they are not to be had."""
    return Kernels(build.load(build.folder() if folder is None else folder), torch.cpu._is_amx_tile_supported())


@dataclass(frozen=True)
class Taps:
    """Where a product's rows begin in ``a`` [time, depth]: row m's tap j is row ``first`` + m + j·``step`` of it."""

    count: int = 1
    step: int = 1
    first: int = 0


@dataclass(frozen=True)
class Snake:
    """x + sin²(alpha·x)·beta, of each column: float32 [columns]."""

    alpha: Tensor
    beta: Tensor


def in_parts(x: Tensor) -> Tensor:
    """x [rows, depth] narrowed, what that leaves off, x narrowed again: [rows, 3·depth]. Times weights ``of_parts``
    that is a product with 16 digits instead of 8, for three times the work."""
    whole = x.bfloat16()
    return torch.cat([whole, (x - whole).bfloat16(), whole], dim=-1)


def of_parts(w: Tensor) -> Tensor:
    """Weights [columns, taps, depth] for rows ``in_parts``."""
    whole = w.bfloat16()
    return torch.cat([whole, whole, (w - whole).bfloat16()], dim=-1)


class Kernels:
    """All tensors are rows × columns, on the CPU, rows side by side in memory; those narrowed are bfloat16."""

    def __init__(self, library: ctypes.CDLL, tiles: bool) -> None:
        """``tiles``: the processor has AMX, for which oneDNN's products are several times as fast as ours."""
        self._tiles = tiles
        self._product, self._norm, self._heads = library.ace_product, library.ace_norm, library.ace_heads
        self._attention = library.ace_attention

    def product(
        self,
        a: Tensor,
        w: Tensor,
        *,
        rows: int | None = None,
        taps: Taps = Taps(),
        w2: Tensor | None = None,
        bias: Tensor | None = None,
        gate: Tensor | None = None,
        add: Tensor | None = None,
        keep: Tensor | None = None,
        snake: Snake | None = None,
        out: Tensor | None = None,
    ) -> None:
        """a·wᵀ for bfloat16 ``a`` [time, depth] and ``w`` [columns, taps·depth], then what is given, in this order:

        silu of it times a·w2ᵀ; + ``bias`` [columns]; · ``gate`` [items, columns]; + ``add``; kept in ``keep``; snake;
        narrowed into ``out``, or ``in_parts`` if that is three times as wide. ``add`` and ``keep`` are float32, and one
        tensor where both are given.
        """
        rows = a.shape[0] if rows is None else rows
        depth, columns = a.shape[1], w.shape[0]
        sum_ = keep if add is None else add
        parts = 1 if out is None else out.shape[1] // columns
        alpha, beta = (None, None) if snake is None else (snake.alpha, snake.beta)
        fits = (
            depth % 2 == 0
            and w.shape == (columns, taps.count * depth)
            and (w2 is None or w2.shape == w.shape)
            and taps.first >= 0
            and taps.first + rows + (taps.count - 1) * taps.step <= a.shape[0]
            and (add is None or keep is None or add is keep)
            and (gate is None or (gate.shape[1] == columns and rows % gate.shape[0] == 0))
            and (sum_ is None or sum_.shape == (rows, columns))
            and (out is None or (parts in (1, 3) and out.shape == (rows, columns * parts)))
            and all(t is None or t.shape == (columns,) for t in (bias, alpha, beta))
        )
        if not fits:
            raise ValueError("The shapes of a product do not fit.")
        job = _Product(
            rows, columns, depth, taps.count,
            _at(a, torch.bfloat16) + 2 * depth * taps.first, depth, taps.step * depth,
            _at(w, torch.bfloat16), _maybe(w2, torch.bfloat16),
            _maybe(bias), _maybe(gate), rows if gate is None else rows // gate.shape[0],
            _maybe(sum_), columns, add is not None, keep is not None,
            _maybe(alpha), _maybe(beta), _maybe(out, torch.bfloat16), columns * parts, parts, None, None, 0, 0,
        )  # fmt: skip
        if self._tiles and snake is None and taps.count == 1 and min(rows, depth, columns) >= _WORTH_TILES:
            made = functional.linear(a[taps.first : taps.first + rows], w)
            made2 = None if w2 is None else functional.linear(a[taps.first : taps.first + rows], w2)
            job.made, job.made2 = _at(made, torch.bfloat16), _maybe(made2, torch.bfloat16)
        _done(self._product(ctypes.byref(job), _threads()))

    def norm(self, x: Tensor, scale: Tensor, shift: Tensor | None, eps: float) -> Tensor:
        """x / rms(x)·scale + shift for float32 ``x`` [rows, width], ``scale`` and ``shift`` [items, width]."""
        rows, width = x.shape
        if scale.shape[1:] != (width,) or rows % scale.shape[0] or (shift is not None and shift.shape != scale.shape):
            raise ValueError("The shapes of a norm do not fit.")
        out = torch.empty(rows, width, dtype=torch.bfloat16)
        job = _Norm(rows, width, rows // scale.shape[0], eps, _at(x), _at(scale), _maybe(shift), _at(out, out.dtype))
        _done(self._norm(ctypes.byref(job), _threads()))
        return out

    def heads(self, x: Tensor, weight: Tensor, turn: tuple[Tensor, Tensor] | None, eps: float) -> Tensor:
        """Each head of float32 ``x`` [rows, heads·width] normalised and, by cosine and sine [positions, width], turned
        as far as its row, counted anew in each item, asks for."""
        width = weight.shape[0]
        rows, heads = x.shape[0], x.shape[1] // width
        cosine, sine = turn or (None, None)
        if x.shape[1] % width or width % 2 or (cosine is not None and (cosine.shape[1] != width or rows % len(cosine))):
            raise ValueError("The shapes of heads do not fit.")
        out = torch.empty(rows, x.shape[1], dtype=torch.bfloat16)
        positions = rows if cosine is None else len(cosine)
        job = _Heads(
            rows, heads, width, positions, eps,
            _at(x), _at(weight), _maybe(cosine), _maybe(sine), _at(out, torch.bfloat16),
        )  # fmt: skip
        _done(self._heads(ctypes.byref(job), _threads()))
        return out

    def attention(self, q: Tensor, k: Tensor, v: Tensor, scale: float, window: int | None) -> Tensor:
        """softmax(q·kᵀ·scale)·v for bfloat16 q [items, rows, heads, width], k and v [items, tokens, kv heads, width];
        a row attends what is no further than ``window`` from it. [items·rows, heads·width]."""
        items, rows, heads, width = q.shape
        tokens, kv_heads = k.shape[1:3]
        if (
            k.shape != (items, tokens, kv_heads, width)
            or v.shape != k.shape
            or width % 2
            or heads % kv_heads
            or not tokens
            or (window is not None and tokens != rows)
        ):
            raise ValueError("The shapes of an attention do not fit.")
        out = torch.empty(items * rows, heads * width, dtype=torch.bfloat16)
        places = (_at(tensor, torch.bfloat16) for tensor in (q, k, v, out))
        job = _Attention(
            items, rows, tokens, heads, kv_heads, width, -1 if window is None else window, scale, *places, 0, 0, 0, 0
        )
        _done(self._attention(ctypes.byref(job), _threads()))
        return out


def _threads() -> int:
    return torch.get_num_threads()


def _at(tensor: Tensor, dtype: torch.dtype = torch.float32) -> int:
    if tensor.dtype != dtype or not tensor.is_contiguous() or tensor.device.type != "cpu":
        raise ValueError(f"The kernels take {dtype} side by side on the CPU, not {tensor.dtype} on {tensor.device}.")
    return tensor.data_ptr()


def _maybe(tensor: Tensor | None, dtype: torch.dtype = torch.float32) -> int | None:
    return None if tensor is None else _at(tensor, dtype)


def _done(failed: int) -> None:
    if failed:
        raise MemoryError("The kernels found no memory to work in.")
