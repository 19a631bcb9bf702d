"""The diffusion transformer's forward pass on the kernels: products in bfloat16, all that is summed up in float32.

It holds no weights: those of diffusers' module are read where they lie, at each call, so that an adapter merged into
them is heard at once. What does not change between steps is kept: keys and values of the condition, position tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor, nn
from torch.nn import functional

from ...native.kernels import Kernels

Condition = tuple[Tensor, Tensor]
"""A layer's keys and values of the condition, [batch, tokens, heads, width] bfloat16."""


@dataclass(frozen=True)
class _Kept:
    """``encoder`` itself is held on to, so that another tensor cannot take its place unseen."""

    encoder: Tensor
    weights: tuple[int, ...]
    layers: list[Condition]


class Transformer:
    def __init__(self, module: AceStepTransformer1DModel, kernels: Kernels) -> None:
        self._module, self._kernels = module, kernels
        self._kept: _Kept | None = None
        self._tables: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def velocity(self, x: Tensor, t: Tensor, r: Tensor, encoder: Tensor, context: Tensor) -> Tensor:
        """v [batch, frames, 64] float32 at ``t`` and ``r`` [batch]; ``encoder`` [batch, tokens, width]."""
        m: Any = self._module
        batch, frames, _ = x.shape
        time, layers_time = self._times(t, r)
        states = self._patches(torch.cat([context.float(), x.float()], dim=-1))
        rows = len(states) // batch
        turn = self._positions(rows)
        for layer, condition in zip(m.layers, self._condition(encoder), strict=True):
            self._layer(layer, states, layers_time, condition, turn)
        shift, scale = (part.contiguous() for part in (m.scale_shift_table.float() + time.unsqueeze(1)).unbind(1))
        normed = self._normed(m.norm_out, states, scale, shift)
        return self._unpatched(normed, batch)[:, :frames]

    def _times(self, t: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        m: Any = self._module
        (one, layers_one), (two, layers_two) = m.time_embed(t), m.time_embed_r(t - r)
        return (one + two).float(), (layers_one + layers_two).float()

    def _patches(self, given: Tensor) -> Tensor:
        """[batch, frames, channels] → float32 [batch·patches, width]."""
        m: Any = self._module
        frames, channels = given.shape[1:]
        given = functional.pad(given, (0, 0, 0, -frames % m.patch_size))
        conv = m.proj_in_conv
        weight = conv.weight.float().permute(0, 2, 1).flatten(1)
        states = functional.linear(given.reshape(-1, m.patch_size * channels), weight, conv.bias.float())
        return states.contiguous()

    def _unpatched(self, states: Tensor, batch: int) -> Tensor:
        m: Any = self._module
        conv = m.proj_out_conv
        weight = conv.weight.permute(2, 1, 0).flatten(0, 1).contiguous()
        made = torch.empty(len(states), len(weight))
        self._kernels.product(states, weight, bias=conv.bias.float().repeat(m.patch_size), keep=made)
        return made.view(batch, -1, conv.weight.shape[1])

    def _positions(self, rows: int) -> tuple[Tensor, Tensor]:
        m: Any = self._module
        if self._tables is None or len(self._tables[0]) != rows:
            places = torch.arange(rows, dtype=torch.float32)
            cosine, sine = get_1d_rotary_pos_embed(
                m.head_dim, places, theta=m.rope_theta, use_real=True, repeat_interleave_real=False
            )
            self._tables = cosine.float().contiguous(), sine.float().contiguous()
        return self._tables

    def _condition(self, encoder: Tensor) -> list[Condition]:
        """Computed once for a condition: it is the same at each step, and in each variation of a prompt."""
        m: Any = self._module
        weights = tuple(layer.cross_attn.to_k.weight.data_ptr() for layer in m.layers)
        kept = self._kept
        if kept is None or kept.encoder is not encoder or kept.weights != weights:
            given = m.condition_embedder(encoder.to(m.condition_embedder.weight)).bfloat16()
            flat, batch = given.flatten(0, 1).contiguous(), len(given)
            layers = [self._keys_and_values(layer.cross_attn, flat, batch, None) for layer in m.layers]
            self._kept = kept = _Kept(encoder, weights, layers)
        return kept.layers

    def _layer(
        self,
        layer: Any,
        states: Tensor,
        time: Tensor,
        condition: Condition,
        turn: tuple[Tensor, Tensor],
    ) -> None:
        """``states`` [batch·rows, width] float32, in place; ``time`` [batch, 6, width]."""
        batch = len(time)
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = (
            part.contiguous() for part in (layer.scale_shift_table.float() + time).unbind(1)
        )
        normed = self._normed(layer.self_attn_norm, states, scale, shift)
        own = self._keys_and_values(layer.self_attn, normed, batch, turn)
        self._attend(layer.self_attn, normed, own, turn, gate, states)

        normed = self._normed(layer.cross_attn_norm, states)
        self._attend(layer.cross_attn, normed, condition, None, None, states)

        normed = self._normed(layer.mlp_norm, states, scale_mlp, shift_mlp)
        mlp = layer.mlp
        inner = torch.empty(len(states), len(mlp.gate_proj.weight), dtype=torch.bfloat16)
        self._kernels.product(normed, mlp.gate_proj.weight, w2=mlp.up_proj.weight, out=inner)
        self._kernels.product(inner, mlp.down_proj.weight, gate=gate_mlp, add=states, keep=states)

    def _normed(self, norm: Any, states: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """The norm's own weight and the time's (1 + scale) are one factor."""
        factor = norm.weight.float().unsqueeze(0)
        if scale is not None:
            factor = factor * (1 + scale)
        return self._kernels.norm(states, factor, shift, norm.eps)

    def _keys_and_values(
        self, attention: Any, given: Tensor, batch: int, turn: tuple[Tensor, Tensor] | None
    ) -> Condition:
        keys = torch.empty(len(given), len(attention.to_k.weight))
        self._kernels.product(given, attention.to_k.weight, bias=_bias(attention.to_k), keep=keys)
        narrow = self._kernels.heads(keys, attention.norm_k.weight.float(), turn, attention.norm_k.eps)
        values = torch.empty(len(given), len(attention.to_v.weight), dtype=torch.bfloat16)
        self._kernels.product(given, attention.to_v.weight, bias=_bias(attention.to_v), out=values)
        return _heads(narrow, batch, attention.head_dim), _heads(values, batch, attention.head_dim)

    def _attend(
        self,
        attention: Any,
        given: Tensor,
        condition: Condition,
        turn: tuple[Tensor, Tensor] | None,
        gate: Tensor | None,
        states: Tensor,
    ) -> None:
        """Adds to ``states`` what ``given`` asks of ``condition``."""
        keys, values = condition
        batch = len(keys)
        asked = torch.empty(len(given), len(attention.to_q.weight))
        self._kernels.product(given, attention.to_q.weight, bias=_bias(attention.to_q), keep=asked)
        queries = self._kernels.heads(asked, attention.norm_q.weight.float(), turn, attention.norm_q.eps)
        asking = _heads(queries, batch, attention.head_dim)
        found = self._kernels.attention(asking, keys, values, attention.scaling, attention.sliding_window)
        out = attention.to_out[0]
        self._kernels.product(found, out.weight, bias=_bias(out), gate=gate, add=states, keep=states)


def _heads(rows: Tensor, batch: int, width: int) -> Tensor:
    """[batch·rows, heads·width] → [batch, rows, heads, width]."""
    return rows.view(batch, len(rows) // batch, -1, width)


def _bias(linear: nn.Linear) -> Tensor | None:
    return None if linear.bias is None else linear.bias.float()
