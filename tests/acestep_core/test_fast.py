"""What the kernels make of the transformer and the autoencoder, against diffusers in float32."""

from __future__ import annotations

import platform
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from support import tiny_acestep
from torch import Tensor, nn
from torch.nn import functional

from acestep_core.native import build, kernels
from acestep_core.native.kernels import Kernels, Snake, Taps
from acestep_core.sampler import Condition

ANY_X86 = ("-march=x86-64-v2",)
FRAMES = 41
NULL = torch.zeros(1, 1, 64)


def snr(made: Tensor, exact: Tensor) -> float:
    """How far the error is below the signal, in dB."""
    error = made.double() - exact.double()
    return float(10 * torch.log10(exact.double().square().sum() / error.square().sum()))


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """As they are compiled for this processor."""
    return kernels.load(tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """Without the instructions that most processors lack."""
    with pytest.MonkeyPatch.context() as patch:
        native = build._target()
        patch.setattr(build, "_target", lambda: (*native, *(ANY_X86 if platform.machine() == "x86_64" else ())))
        return kernels.load(tmp_path_factory.mktemp("plain"))


@pytest.fixture(params=["fast", "plain"])
def either(request: pytest.FixtureRequest) -> Kernels:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---- the kernels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "depth", "columns"), [(1, 2, 1), (13, 34, 70), (600, 16, 130), (7, 5000, 20)])
def test_a_product_is_torchs_whatever_its_sizes(either: Kernels, rows: int, depth: int, columns: int) -> None:
    a, w = noise(rows, depth).bfloat16(), noise(columns, depth, seed=1).bfloat16()
    made = torch.empty(rows, columns)
    either.product(a, w, keep=made)
    assert (made - a.float() @ w.float().T).abs().max() < 1e-3


def test_after_a_product_comes_all_that_is_given_in_order(either: Kernels) -> None:
    a, w, w2 = noise(20, 32).bfloat16(), noise(70, 32, seed=1).bfloat16(), noise(70, 32, seed=2).bfloat16()
    bias, gate, sums = noise(70, seed=3), noise(2, 70, seed=4), noise(20, 70, seed=5)
    snake = Snake(noise(70, seed=6), noise(70, seed=7).abs())
    x = a.float()
    y = functional.silu(x @ w.float().T) * (x @ w2.float().T) + bias
    y = y * gate.repeat_interleave(10, 0) + sums
    out = torch.empty(20, 70, dtype=torch.bfloat16)
    either.product(a, w, w2=w2, bias=bias, gate=gate, add=sums, keep=sums, snake=snake, out=out)
    assert (sums - y).abs().max() < 1e-3
    assert snr(out, y + (snake.alpha * y).sin().square() * snake.beta) > 50


@pytest.mark.parametrize("twice", [False, True])
def test_with_amx_onednn_multiplies_and_what_comes_after_is_the_same(
    fast: Kernels, monkeypatch: pytest.MonkeyPatch, twice: bool
) -> None:
    a, w = noise(260, 256).bfloat16(), noise(300, 256, seed=1).bfloat16()
    w2 = w.flip(0).contiguous() if twice else None
    gate, made, exact = noise(1, 300, seed=2), torch.ones(260, 300), torch.ones(260, 300)
    fast.product(a, w, w2=w2, gate=gate, add=exact, keep=exact)
    monkeypatch.setattr(fast, "_tiles", True)
    fast.product(a, w, w2=w2, gate=gate, add=made, keep=made)
    assert 45 < snr(made, exact) < 80  # it gives bfloat16 back


def test_a_convolution_is_a_product_of_rows_further_on(either: Kernels) -> None:
    x, w = noise(50, 6).bfloat16(), noise(8, 6, 7, seed=1).bfloat16()
    made = torch.empty(30, 8)
    either.product(x, w.permute(0, 2, 1).reshape(8, -1).contiguous(), rows=30, taps=Taps(7, 3, 2), keep=made)
    exact = functional.conv1d(x.float().T.unsqueeze(0), w.float(), dilation=3)[0].T
    assert (made - exact[2:32]).abs().max() < 1e-4


def test_a_product_that_would_read_beyond_its_rows_is_refused(fast: Kernels) -> None:
    a, w = noise(10, 4).bfloat16(), noise(3, 12).bfloat16()
    with pytest.raises(ValueError, match="shapes"):
        fast.product(a, w, rows=9, taps=Taps(3), keep=torch.empty(9, 3))
    with pytest.raises(ValueError, match="bfloat16"):
        fast.product(a.float(), noise(3, 4).bfloat16(), keep=torch.empty(10, 3))


@pytest.mark.parametrize("window", [None, 8])
def test_attention_is_torchs(either: Kernels, window: int | None) -> None:
    q, k, v = (noise(2, FRAMES, heads, 16, seed=heads).bfloat16() for heads in (6, 3, 3))
    place = torch.arange(FRAMES)
    near = None if window is None else (place[:, None] - place[None]).abs() <= window
    exact = functional.scaled_dot_product_attention(
        *(part.float().transpose(1, 2) for part in (q, k, v)), near, scale=0.7, enable_gqa=True
    )
    made = either.attention(q, k, v, 0.7, window)
    assert snr(made.view(2, FRAMES, 6, 16).transpose(1, 2), exact) > 45


def test_without_a_compiler_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(build.CannotBuildError, match="no C compiler was found"):
        kernels.load(tmp_path)


def test_half_a_library_is_compiled_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "FLAGS", ("-O0", "-std=gnu11", "-fPIC", "-shared"))  # quickly
    kernels.load(tmp_path)
    (library,) = tmp_path.glob("*.so")
    whole = library.read_bytes()
    library.unlink()
    library.write_bytes(whole[: len(whole) // 2])
    kernels.load(tmp_path)
    assert library.read_bytes() != whole[: len(whole) // 2]


# ---- the transformer -------------------------------------------------------------------------------------------------


class Counted:
    """The kernels, and how many products were asked for."""

    def __init__(self, fast: Kernels) -> None:
        self._fast = fast
        self.products = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def product(self, *arguments: Any, **named: Any) -> None:
        self.products += 1
        self._fast.product(*arguments, **named)


def transformer(patch_size: int = 2) -> Any:
    from diffusers import AceStepTransformer1DModel

    torch.manual_seed(0)
    made = AceStepTransformer1DModel(
        hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, sliding_window=8, attention_bias=True, patch_size=patch_size,
    )  # fmt: skip
    return made.eval().requires_grad_(False)


def narrowed(module: nn.Module) -> Any:
    """As it is loaded in bfloat16: what embeds t stays float32."""
    for name, parameter in module.named_parameters():
        if not name.startswith("time_embed"):
            parameter.data = parameter.data.bfloat16()
    return module


def condition(batch: int = 1, seed: int = 0) -> Condition:
    return Condition(noise(batch, 11, 64, seed=seed + 1), noise(batch, FRAMES, 128, seed=seed + 2))


def test_the_transformer_is_40_db_from_float32(v15: ModuleType, either: Kernels) -> None:
    x, t, given = noise(2, FRAMES, 64), torch.tensor([0.9, 0.3]), condition(2)
    exact = v15.modules.Denoiser(transformer(), NULL).at(x, t, given, t / 2)
    denoiser = v15.modules.Denoiser(narrowed(transformer()), NULL, either)
    assert denoiser.fast
    made = denoiser.at(x, t, given, t / 2)
    assert made.dtype == torch.float32
    assert snr(made, exact) > 40


def test_an_item_of_a_batch_is_bit_for_bit_what_it_is_alone(v15: ModuleType, fast: Kernels) -> None:
    denoiser = v15.modules.Denoiser(narrowed(transformer()), NULL, fast)
    x, given = noise(2, FRAMES, 64), condition(2)
    both = denoiser.velocity(x, 0.5, given)
    for item in (0, 1):
        own = Condition(given.encoder[item : item + 1], given.context[item : item + 1])
        assert torch.equal(denoiser.velocity(x[item : item + 1], 0.5, own)[0], both[item])


def test_a_condition_is_projected_once_for_all_steps(v15: ModuleType, fast: Kernels) -> None:
    counted = Counted(fast)
    denoiser = v15.modules.Denoiser(narrowed(transformer()), NULL, counted)
    x, given = noise(1, FRAMES, 64), condition()
    products = []
    for encoder in (given, given, Condition(given.encoder, given.context + 1), condition(seed=9)):
        before = counted.products
        denoiser.velocity(x, 0.5, encoder)
        products.append(counted.products - before)
    assert products[0] == products[3]
    assert products[1] == products[2] == products[0] - 2 * 4  # keys and values of four layers


def test_a_guided_step_projects_its_two_conditions_once(v15: ModuleType, fast: Kernels) -> None:
    counted = Counted(fast)
    denoiser = v15.modules.Denoiser(narrowed(transformer()), NULL, counted)
    x, given = noise(1, FRAMES, 64), condition()
    first = denoiser.velocities(x, 0.5, given)
    before = counted.products
    again = denoiser.velocities(x, 0.5, given)
    assert counted.products - before < before
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_another_condition_in_its_place_is_heard(v15: ModuleType, fast: Kernels) -> None:
    denoiser = v15.modules.Denoiser(narrowed(transformer()), NULL, fast)
    x, one, other = noise(1, FRAMES, 64), condition(), condition(seed=9)
    fresh = v15.modules.Denoiser(narrowed(transformer()), NULL, fast).velocity(x, 0.5, other)
    denoiser.velocity(x, 0.5, one)
    assert torch.equal(denoiser.velocity(x, 0.5, other), fresh)


@pytest.mark.parametrize("part", ["self_attn", "cross_attn"])
def test_weights_that_change_are_heard_at_once_and_their_return_too(v15: ModuleType, fast: Kernels, part: str) -> None:
    """As merging an adapter does it (lora.py)."""
    module = narrowed(transformer())
    denoiser = v15.modules.Denoiser(module, NULL, fast)
    x, given = noise(1, FRAMES, 64), condition()
    plain = denoiser.velocity(x, 0.5, given)
    weight = getattr(module.layers[1], part).to_k.weight
    before, weight.data = weight.data, weight.data * 3
    assert not torch.equal(denoiser.velocity(x, 0.5, given), plain)
    weight.data = before
    assert torch.equal(denoiser.velocity(x, 0.5, given), plain)


def test_float32_is_left_to_diffusers(v15: ModuleType, fast: Kernels) -> None:
    x, given = noise(1, FRAMES, 64), condition()
    denoiser = v15.modules.Denoiser(transformer(), NULL, fast)
    assert not denoiser.fast
    assert torch.equal(
        denoiser.velocity(x, 0.5, given), v15.modules.Denoiser(transformer(), NULL).velocity(x, 0.5, given)
    )


def test_not_a_number_comes_out_as_one(v15: ModuleType, fast: Kernels) -> None:
    denoiser = v15.modules.Denoiser(narrowed(transformer()), NULL, fast)
    x = noise(1, FRAMES, 64)
    x[0, 3, 5] = torch.nan
    assert not bool(torch.isfinite(denoiser.velocity(x, 0.5, condition())).all())


# ---- the autoencoder -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vae(v15: ModuleType) -> Any:
    """As it is loaded: weight norm taken into the weights."""
    made: Any = tiny_acestep.vae()
    for snake in (part for part in made.decoder.modules() if type(part).__name__ == "Snake1d"):
        snake.alpha.data.normal_(0, 0.3)
        snake.beta.data.normal_(0, 0.3)
    v15.assemble.without_weight_norm(made, torch.float32)
    return made


def sound(v15: ModuleType, vae: Any, latent: Tensor, tile: int, fast: Kernels | None = None) -> Tensor:
    return torch.cat(list(v15.vae.decode(vae, latent, tile, fast)), dim=-1)


def test_the_sound_is_40_db_from_float32(v15: ModuleType, vae: Any, either: Kernels) -> None:
    latent = noise(FRAMES, 64)
    exact = sound(v15, vae, latent, FRAMES)
    made = sound(v15, vae, latent, FRAMES, either)
    assert made.shape == exact.shape
    assert 40 < snr(made, exact) < 90


@pytest.mark.parametrize("tile", [1, 16])
def test_tiles_are_the_wholes_own_samples_bit_for_bit(v15: ModuleType, vae: Any, fast: Kernels, tile: int) -> None:
    latent = noise(FRAMES, 64)
    whole = sound(v15, vae, latent, FRAMES, fast)
    assert torch.equal(sound(v15, vae, latent, tile, fast), whole)


def test_an_autoencoder_loaded_in_bfloat16_keeps_its_decoder_exact(v15: ModuleType, tmp_path: Path) -> None:
    found = v15.layout.find([tiny_acestep.published(tmp_path)], "turbo")
    exact, narrow = v15.loading.load_vae(found), v15.loading.load_vae(found, torch.bfloat16)
    assert torch.equal(narrow.decoder.conv1.weight, exact.decoder.conv1.weight)
    assert narrow.encoder.conv1.weight.dtype == torch.bfloat16


def test_weight_norm_taken_into_the_weights_changes_no_sample(v15: ModuleType) -> None:
    latent = noise(FRAMES, 64)
    plain: Any = tiny_acestep.vae()
    with_norm = sound(v15, plain, latent, FRAMES)
    v15.assemble.without_weight_norm(plain, torch.float32)
    assert torch.equal(sound(v15, plain, latent, FRAMES), with_norm)
