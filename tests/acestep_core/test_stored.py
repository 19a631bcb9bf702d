from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from safetensors.torch import load, save

from acestep_core.checkpoint import Checkpoint
from acestep_core.errors import ResumeError
from acestep_core.noise import SeededNoise
from acestep_core.stored import pack, pack_latent, unpack, unpack_latent

X = torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(1))
NOISE = SeededNoise(2**64 - 1, 2, 9)
BARE = Checkpoint(X, 3, (1.0, 2 / 3, 0.1, 0.05, 0.0), "sde", "none", None, None, NOISE.state(), NOISE.seeds)


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(
    "checkpoint", [BARE, replace(BARE, momentum=2 * X, velocity=3 * X, guidance="apg", switch_step=1)]
)
def test_a_checkpoint_comes_back_bit_for_bit(checkpoint: Checkpoint) -> None:
    back = unpack(pack(checkpoint))
    assert all(same(getattr(back, field.name), getattr(checkpoint, field.name)) for field in fields(Checkpoint))
    assert torch.equal(unpack_latent(pack(checkpoint)), X)


def test_who_writes_the_header_anew_loses_nothing() -> None:
    again = save(load(pack(BARE)), metadata={"lofi": "{}"})
    assert unpack(again).grid == BARE.grid


def test_a_finished_latent_is_no_checkpoint() -> None:
    assert torch.equal(unpack_latent(pack_latent(X)), X)
    with pytest.raises(ResumeError, match="no checkpoint"):
        unpack(pack_latent(X))


def test_bytes_cut_short_or_of_a_later_version_are_refused() -> None:
    with pytest.raises(ResumeError, match="damaged"):
        unpack(pack(BARE)[:100])
    with pytest.raises(ResumeError, match="later version"):
        unpack(pack(replace(BARE, solver="dpm")))
    with pytest.raises(ResumeError, match="no latent"):
        unpack_latent(save({"latent": torch.zeros(3)}))
