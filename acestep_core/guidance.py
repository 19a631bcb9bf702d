"""How the velocity with the condition and the one without become one.

Source of the formulas: acestep/models/common/apg_guidance.py of the reference, where v_c and v_u are
``pred_cond`` and ``pred_uncond``. All velocities and latents are [batch, frames, channels].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from .errors import SettingError
from .schedules import SAME

Kind = Literal["none", "cfg", "apg", "adg"]

APG_MOMENTUM = -0.75
APG_NORM = 2.5
# The reference says pi/6 and writes 3.14/6.
ADG_ANGLE = 3.14 / 6


@dataclass(frozen=True)
class Guidance:
    """``interval``: guided only where t lies in it (on t, not on 1 − t). A scale of 1 or less is no guidance."""

    kind: Kind = "none"
    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SettingError(f"There is no guidance {self.kind!r}: it is one of {', '.join(get_args(Kind))}.")
        if not math.isfinite(self.scale):
            raise SettingError(f"The guidance scale must be a number, not {self.scale}.")

    @property
    def used(self) -> bool:
        return self.kind != "none" and self.scale > 1

    def at(self, t: float) -> bool:
        """Whether a step at ``t`` is guided."""
        low, high = self.interval
        return self.used and low - SAME <= t <= high + SAME


def guide(
    guidance: Guidance, v_c: Tensor, v_u: Tensor, x: Tensor, t: float, momentum: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The guided velocity at ``x``, ``t``, and APG's momentum after it (None for the others)."""
    if guidance.kind == "apg":
        momentum = apg_momentum(v_c, v_u, momentum)
        return apg(v_c, momentum, guidance.scale), momentum
    if guidance.kind == "adg":
        return adg(v_c, v_u, x, t, guidance.scale), None
    return cfg(v_c, v_u, guidance.scale), None


def guide_corrector(guidance: Guidance, v_c: Tensor, v_u: Tensor, x: Tensor, t: float) -> Tensor:
    """Guidance in Heun's second evaluation: plain CFG in place of APG, whose momentum must move once a step.

    ADG divides by t, so that at t = 0 it is CFG too.
    """
    if guidance.kind == "adg" and t > 0:
        return adg(v_c, v_u, x, t, guidance.scale)
    return cfg(v_c, v_u, guidance.scale)


def cfg(v_c: Tensor, v_u: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: v_u + g·(v_c − v_u)."""
    return v_u + scale * (v_c - v_u)


def apg_momentum(v_c: Tensor, v_u: Tensor, before: Tensor | None) -> Tensor:
    """m = (v_c − v_u) − 0.75·m_before."""
    difference = v_c - v_u
    return difference if before is None else difference + APG_MOMENTUM * before


def apg(v_c: Tensor, momentum: Tensor, scale: float) -> Tensor:
    """Adaptive projected guidance (arXiv 2410.02416): m limited in norm, and only its part across v_c.

    Norm and projection run over time, each channel for itself; the projection in float64.
    """
    norm = momentum.norm(p=2, dim=1, keepdim=True)
    limited = momentum * torch.clamp(APG_NORM / norm, max=1.0)
    update, along = limited.double(), functional.normalize(v_c.double(), dim=1)
    across = update - (update * along).sum(dim=1, keepdim=True) * along
    return v_c + (scale - 1) * across.to(v_c.dtype)


def adg(v_c: Tensor, v_u: Tensor, x: Tensor, t: float, scale: float) -> Tensor:
    """Angle-domain guidance: x̂0 of each frame turned away from the unconditional one, the angle clipped.

    θ = ∠(x̂_c, x̂_u); θ' = clip(w·θ, ±3.14/6) with w = g − 1 + 1e-3;
    x̂ = cos θ'·x̂_c + (sin θ' / sin θ)·((x̂_c − x̂_u) ⊥ x̂_u); v = (x − x̂)/t.
    """
    weight = max(scale - 1, 0.0) + 1e-3
    with_condition, without = x - t * v_c, x - t * v_u
    difference = with_condition - without

    a, b = with_condition.double(), without.double()
    cosine = (a / a.norm(dim=-1, keepdim=True) * (b / b.norm(dim=-1, keepdim=True))).sum(dim=-1, keepdim=True)
    angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    turned = torch.clamp(weight * angle, -ADG_ANGLE, ADG_ANGLE)

    share = (difference * without).sum(dim=-1, keepdim=True) / (without.square().sum(dim=-1, keepdim=True) + 1e-8)
    across = difference - share * without
    sine = torch.sin(angle)
    stretch = torch.where(sine > 1e-3, torch.sin(turned) / sine, torch.full_like(sine, weight))
    guided = torch.cos(turned) * with_condition + stretch * across
    return ((x - guided) / t).to(x.dtype)
