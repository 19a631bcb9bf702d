"""The autoencoder's decoder, [time, channels] throughout, so that each convolution is one matrix product.

What narrows or widens the signal is multiplied in parts, with twice the digits: these few products would make two
thirds of all the rounding.

Rows at the edges of a stretch that are not needed are dropped layer by layer, where the layers' own padding would
make them worthless: so tiles cost hardly more than the whole, and are its own samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers import AutoencoderOobleck
from torch import Tensor, nn

from ...native.kernels import Kernels, Snake, Taps, in_parts, of_parts

PARTS = 3
"""Of what is multiplied with twice the digits: ``in_parts``."""

PAD = 27
"""Rows of nothing around a stretch: what a kernel of 7, dilated by 9, reaches to each side."""


@dataclass(frozen=True)
class _Conv:
    """``weight`` bfloat16 [columns, taps·depth], three times as deep in parts; a transposed one makes ``stride`` rows,
    one after another, of two."""

    weight: Tensor
    bias: Tensor | None
    taps: int
    dilation: int = 1
    stride: int = 1


@dataclass(frozen=True)
class _Unit:
    snake: Snake
    wide: _Conv
    inner: Snake
    narrow: _Conv


@dataclass(frozen=True)
class _Block:
    snake: Snake
    up: _Conv
    units: tuple[_Unit, ...]


@dataclass
class _Stretch:
    """Rows ``low`` … ``high`` of ``total``, with PAD rows around them, bfloat16 [PAD + rows + PAD, channels]."""

    low: int
    high: int
    total: int
    rows: Tensor

    def reached(self, reach: int) -> tuple[int, int]:
        """Of which rows all neighbours so far away are here, or beyond the ends, where there is nothing."""
        low = self.low + (reach if self.low else 0)
        return low, self.high - (reach if self.high < self.total else 0)


_MADE: WeakKeyDictionary[nn.Module, Decoder] = WeakKeyDictionary()


def decoder(vae: AutoencoderOobleck, kernels: Kernels) -> Decoder:
    """Made once for each autoencoder, and gone with it."""
    made = _MADE.get(vae)
    if made is None:
        made = _MADE[vae] = Decoder(vae, kernels)
    return made


class Decoder:
    """The decoder of ``vae``, its weights arranged and narrowed to bfloat16: some 370 MB of the published one, beside
    the module's own, which torch's way of decoding needs."""

    def __init__(self, vae: AutoencoderOobleck, kernels: Kernels) -> None:
        self._kernels = kernels
        decoder: Any = vae.decoder
        self._first = _conv(decoder.conv1, of_parts)
        self._blocks = [
            _Block(
                _snake(block.snake1),
                _transposed(block.conv_t1),
                tuple(_unit(unit) for unit in (block.res_unit1, block.res_unit2, block.res_unit3)),
            )
            for block in decoder.block
        ]
        self._snake, self._last = _snake(decoder.snake1), _conv(decoder.conv2, of_parts)

    def decode(self, latent: Tensor, tile: int) -> Iterator[Tensor]:
        """The sound of ``latent`` [frames, 64], ``tile`` frames at a time: float32 [channels, samples]."""
        for low in range(0, len(latent), tile):
            yield self._stretch(latent, low, min(low + tile, len(latent)))

    @torch.no_grad()
    def _stretch(self, latent: Tensor, low: int, high: int) -> Tensor:
        frames, rate = len(latent), math.prod(block.up.stride for block in self._blocks)
        begin, end = max(0, low - self._reach()), min(frames, high + self._reach())
        x = self._in_parts(latent[begin:end], begin, frames)
        x = self._conv(x, self._first, self._blocks[0].snake)
        for block, after in zip(self._blocks, [*(b.snake for b in self._blocks[1:]), self._snake], strict=True):
            x = self._block(x, block, after)
        low_row, high_row = x.reached(self._last.taps // 2)
        sound = torch.empty(high_row - low_row, len(self._last.weight))
        self._product(x, self._last, low_row, high_row, keep=sound)
        return sound[low * rate - low_row : high * rate - low_row].T.contiguous()

    def _reach(self) -> int:
        rate, reach = 1.0, self._first.taps // 2 + 0.0
        for block in self._blocks:
            reach += 1 / rate
            rate *= block.up.stride
            reach += sum(unit.wide.dilation * (unit.wide.taps // 2) for unit in block.units) / rate
        return math.ceil(reach + self._last.taps // 2 / rate)

    @staticmethod
    def _in_parts(latent: Tensor, low: int, total: int) -> _Stretch:
        made = _stretch(low, low + len(latent), total, PARTS * latent.shape[1])
        made.rows[PAD : PAD + len(latent)] = in_parts(latent)
        return made

    def _conv(self, x: _Stretch, conv: _Conv, snake: Snake) -> _Stretch:
        low, high = x.reached(conv.taps // 2 * conv.dilation)
        made = _stretch(low, high, x.total, PARTS * len(conv.weight))
        self._product(x, conv, low, high, snake=snake, out=made.rows[PAD : PAD + high - low])
        return made

    def _product(self, x: _Stretch, conv: _Conv, low: int, high: int, **after: Any) -> None:
        first = PAD + low - conv.taps // 2 * conv.dilation - x.low
        taps = Taps(conv.taps, conv.dilation, first)
        self._kernels.product(x.rows, conv.weight, rows=high - low, taps=taps, bias=conv.bias, **after)

    def _block(self, x: _Stretch, block: _Block, after: Snake) -> _Stretch:
        sums, x = self._up(x, block.up, block.units[0].snake)
        last = len(block.units) - 1
        for index, unit in enumerate(block.units):
            following = after if index == last else block.units[index + 1].snake
            low, high = x.reached(unit.wide.taps // 2 * unit.wide.dilation)
            sums = sums[low - x.low : high - x.low]
            inner = torch.empty(high - low, len(unit.wide.weight), dtype=torch.bfloat16)
            self._product(x, unit.wide, low, high, snake=unit.inner, out=inner)
            x = _stretch(low, high, x.total, len(unit.narrow.weight) * (PARTS if index == last else 1))
            out = x.rows[PAD : PAD + high - low]
            self._kernels.product(
                inner, unit.narrow.weight, bias=unit.narrow.bias, add=sums,
                keep=None if index == last else sums, snake=following, out=out,
            )  # fmt: skip
        return x

    def _up(self, x: _Stretch, up: _Conv, snake: Snake) -> tuple[Tensor, _Stretch]:
        """What a transposed convolution makes, and the snake of it, in one product: from the rows i − 1 and i come all
        samples ``stride``·i … ``stride``·(i + 1) before its padding is cut off the front."""
        stride, cut = up.stride, math.ceil(up.stride / 2)
        total = x.total * stride + stride - 2 * cut
        begin, end = x.low + (1 if x.low else 0), x.high + (0 if x.high < x.total else 1)
        width = len(up.weight) // stride
        made = torch.empty(2 * PAD + (end - begin) * stride, width, dtype=torch.bfloat16)
        sums = torch.empty((end - begin), stride * width)
        self._kernels.product(
            x.rows, up.weight, rows=end - begin, taps=Taps(2, 1, PAD + begin - 1 - x.low), bias=up.bias, keep=sums,
            snake=Snake(snake.alpha.repeat(stride), snake.beta.repeat(stride)),
            out=made[PAD : PAD + (end - begin) * stride].view(end - begin, -1),
        )  # fmt: skip
        low, high = max(0, begin * stride - cut), min(total, end * stride - cut)
        first = low - (begin * stride - cut)
        rows = made[first : first + 2 * PAD + high - low]
        return sums.view(-1, width)[first : first + high - low], _emptied(_Stretch(low, high, total, rows))


def _stretch(low: int, high: int, total: int, channels: int) -> _Stretch:
    rows = torch.empty(2 * PAD + high - low, channels, dtype=torch.bfloat16)
    return _emptied(_Stretch(low, high, total, rows))


def _emptied(stretch: _Stretch) -> _Stretch:
    stretch.rows[:PAD] = 0
    stretch.rows[len(stretch.rows) - PAD :] = 0
    return stretch


def _weight(conv: Any) -> Tensor:
    """Of a convolution with weight norm, or one whose norm was taken into it when it was loaded."""
    if not hasattr(conv, "weight_g"):
        fused: Tensor = conv.weight.float()
        return fused
    direction: Tensor = conv.weight_v.float()
    length: Tensor = conv.weight_g.float() / direction.norm(dim=(1, 2), keepdim=True)
    return direction * length


def _bias(conv: Any) -> Tensor | None:
    return None if conv.bias is None else conv.bias.float()


def _conv(conv: Any, as_: Callable[[Tensor], Tensor] = Tensor.bfloat16) -> _Conv:
    weight = _weight(conv)
    columns, _, taps = weight.shape
    return _Conv(as_(weight.permute(0, 2, 1)).reshape(columns, -1), _bias(conv), taps, conv.dilation[0])


def _transposed(conv: Any) -> _Conv:
    weight, stride = _weight(conv), conv.stride[0]
    late, early = weight[..., :stride], weight[..., stride:]  # what row i − 1 gives comes from the kernel's second half
    flat = torch.stack([early, late]).permute(3, 2, 0, 1).flatten(0, 1)
    bias = _bias(conv)
    return _Conv(of_parts(flat).flatten(1), None if bias is None else bias.repeat(stride), 2, 1, stride)


def _snake(snake: Any) -> Snake:
    alpha, beta = snake.alpha.float().flatten(), snake.beta.float().flatten()
    if snake.logscale:
        alpha, beta = alpha.exp(), beta.exp()
    return Snake(alpha.contiguous(), (beta + 1e-9).reciprocal().contiguous())


def _unit(unit: Any) -> _Unit:
    return _Unit(_snake(unit.snake1), _conv(unit.conv1), _snake(unit.snake2), _conv(unit.conv2))
