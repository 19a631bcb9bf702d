"""From latents to sound in tiles, and what silence and padding are."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from support import tiny_acestep

from acestep_core.conditioning.silence import MIN_FRAMES, padded, silence_slice
from acestep_core.conditioning.tiles import decode_tiles, fitting_overlap
from acestep_core.errors import SettingError
from acestep_core.noise import SeededNoise

FRAMES = 40


@pytest.fixture(scope="module")
def vae() -> object:
    return tiny_acestep.vae()


@pytest.fixture(scope="module")
def latent() -> torch.Tensor:
    return torch.randn(FRAMES, 64, generator=torch.Generator().manual_seed(3))


def test_tiles_are_the_wholes_own_samples(v15: ModuleType, vae: object, latent: torch.Tensor) -> None:
    whole = torch.cat(list(v15.vae.decode(vae, latent, tile=FRAMES)), dim=-1)
    pieces = list(v15.vae.decode(vae, latent, tile=27))
    assert whole.shape == (2, FRAMES * 1920)
    assert len(pieces) == 5
    assert (torch.cat(pieces, dim=-1) - whole).abs().max() < 1e-5


def test_the_overlap_is_as_wide_as_the_decoder_sees_and_no_wider(
    v15: ModuleType, vae: object, latent: torch.Tensor
) -> None:
    assert v15.vae.sees(vae) == 9
    reached = []
    for distance in (9, 10):
        other = latent.clone()
        other[20 + distance] += 1
        one, two = (
            torch.cat(list(v15.vae.decode(vae, x, tile=FRAMES)), dim=-1)[:, 20 * 1920 : 21 * 1920]
            for x in (latent, other)
        )
        reached.append(not torch.equal(one, two))
    assert reached == [True, False]


def test_the_first_piece_is_there_before_the_second_is_asked_for() -> None:
    asked: list[int] = []

    def decode(stretch: torch.Tensor) -> torch.Tensor:
        asked.append(stretch.shape[-1])
        return stretch.repeat_interleave(2, dim=-1)

    pieces = decode_tiles(decode, torch.arange(50.0).view(1, 1, 50), 20, 4)
    assert next(pieces).shape[-1] == 24
    assert asked == [16]
    assert sum(piece.shape[-1] for piece in pieces) == 76


def test_a_tile_too_short_for_any_overlap_is_refused() -> None:
    assert fitting_overlap(20, 16) == 8
    with pytest.raises(SettingError, match="too short"):
        fitting_overlap(8, 16)


def test_a_source_is_encoded_from_the_requests_own_noise(v15: ModuleType, vae: object) -> None:
    samples = torch.sin(torch.arange(20 * 1920) / 40).expand(2, -1)
    one, same, other = (v15.vae.encode(vae, samples, SeededNoise(seed, 1, 20, channels=2)) for seed in (1, 1, 2))
    assert one.shape == (20, 2)  # the tiny encoder's width
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_silence_is_repeated_where_it_is_too_short() -> None:
    silence = torch.arange(3.0).view(1, 3, 1).expand(1, 3, 64)
    assert silence_slice(silence, 7)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert silence_slice(silence, 2)[:, 0].tolist() == [0, 1]


def test_a_short_latent_is_padded_with_silence_and_a_long_one_left_alone() -> None:
    silence = torch.full((1, 200, 64), 0.5)
    short = padded(torch.zeros(10, 64), silence)
    assert short.shape == (MIN_FRAMES, 64)
    assert short[9].eq(0).all()
    assert short[10:].eq(0.5).all()
    long = torch.zeros(130, 64)
    assert padded(long, silence) is long
