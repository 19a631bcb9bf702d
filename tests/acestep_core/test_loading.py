"""ACE-Step 1.5 from its files: both layouts, the sizes of the published models, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import tiny_acestep
from support.tiny_acestep import GOLDEN

from acestep_core.conditioning.prompts import lyric_prompt, text_prompt
from acestep_core.errors import ConditionError, LoadError
from acestep_core.sampler import Condition

if TYPE_CHECKING:
    from acestep_core.v15.layout import Layout

B2 = {
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 24, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "in_channels": 192, "audio_acoustic_hidden_dim": 64, "patch_size": 2,
    "text_hidden_dim": 1024, "timbre_hidden_dim": 64, "num_lyric_encoder_hidden_layers": 8,
    "num_timbre_encoder_hidden_layers": 4, "num_attention_pooler_hidden_layers": 2, "pool_window_size": 5,
    "fsq_dim": 2048, "fsq_input_levels": [8, 8, 8, 5, 5, 5], "fsq_input_num_quantizers": 1, "rope_theta": 1000000,
    "rms_norm_eps": 1e-06, "sliding_window": 128,
}  # fmt: skip
XL = B2 | {
    "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 32, "num_attention_heads": 32,
    "encoder_hidden_size": 2048, "encoder_intermediate_size": 6144, "encoder_num_attention_heads": 16,
    "encoder_num_key_value_heads": 8,
}  # fmt: skip

Shapes = dict[str, tuple[int, ...]]
Pair = tuple["Layout", "Layout"]


def published_shapes(c: dict[str, int]) -> Shapes:
    """The names and shapes of a published model.safetensors, held to those of the reference by the test below."""
    wide = [c[n] for n in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")]
    narrow = [
        c.get(f"encoder_{n}", c[n])
        for n in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    ]
    d, e, head = wide[0], narrow[0], c["head_dim"]
    levels, window, acoustic, text = 6, c["pool_window_size"], c["audio_acoustic_hidden_dim"], c["text_hidden_dim"]

    def linear(name: str, out: int, into: int, bias: bool = True) -> Shapes:
        return {f"{name}.weight": (out, into)} | ({f"{name}.bias": (out,)} if bias else {})

    def attention(name: str, width: int, heads: int, kv: int) -> Shapes:
        shapes = {f"{name}.{n}_norm.weight": (head,) for n in "qk"}
        for n, count in (("q", heads), ("k", kv), ("v", kv)):
            shapes |= linear(f"{name}.{n}_proj", count * head, width, bias=False)
        return shapes | linear(f"{name}.o_proj", width, heads * head, bias=False)

    def layer(name: str, sizes: list[int], norms: tuple[str, ...], attentions: tuple[str, ...]) -> Shapes:
        width, inner, heads, kv = sizes
        shapes = {f"{name}.{norm}.weight": (width,) for norm in norms}
        for one in attentions:
            shapes |= attention(f"{name}.{one}", width, heads, kv)
        for n in ("gate", "up"):
            shapes |= linear(f"{name}.mlp.{n}_proj", inner, width, bias=False)
        return shapes | linear(f"{name}.mlp.down_proj", width, inner, bias=False)

    def encoder(name: str, into: int, layers: int) -> Shapes:
        shapes = {f"{name}.norm.weight": (e,)} | linear(f"{name}.embed_tokens", e, into)
        for n in range(layers):
            norms = ("input_layernorm", "post_attention_layernorm")
            shapes |= layer(f"{name}.layers.{n}", narrow, norms, ("self_attn",))
        return shapes

    pooler = c["num_attention_pooler_hidden_layers"]
    shapes: Shapes = {"null_condition_emb": (1, 1, e), "encoder.timbre_encoder.special_token": (1, 1, e)}
    shapes |= {"tokenizer.attention_pooler.special_token": (1, 1, e), "detokenizer.special_tokens": (1, window, e)}
    shapes |= linear("encoder.text_projector", e, text, bias=False)
    shapes |= encoder("encoder.lyric_encoder", text, c["num_lyric_encoder_hidden_layers"])
    shapes |= encoder("encoder.timbre_encoder", c["timbre_hidden_dim"], c["num_timbre_encoder_hidden_layers"])
    shapes |= encoder("tokenizer.attention_pooler", e, pooler) | encoder("detokenizer", e, pooler)
    shapes |= linear("tokenizer.audio_acoustic_proj", e, acoustic) | linear("detokenizer.proj_out", acoustic, e)
    shapes |= linear("tokenizer.quantizer.project_in", levels, c["fsq_dim"])
    shapes |= linear("tokenizer.quantizer.project_out", c["fsq_dim"], levels)
    for n in range(c["num_hidden_layers"]):
        name = f"decoder.layers.{n}"
        shapes[f"{name}.scale_shift_table"] = (1, 6, d)
        norms = ("self_attn_norm", "cross_attn_norm", "mlp_norm")
        shapes |= layer(name, wide, norms, ("self_attn", "cross_attn"))
    for name in ("decoder.time_embed", "decoder.time_embed_r"):
        shapes |= linear(f"{name}.linear_1", d, 256) | linear(f"{name}.linear_2", d, d)
        shapes |= linear(f"{name}.time_proj", 6 * d, d)
    shapes |= linear("decoder.condition_embedder", d, e)
    shapes |= {"decoder.norm_out.weight": (d,), "decoder.scale_shift_table": (1, 2, d)}
    patch = c["patch_size"]
    shapes |= {"decoder.proj_in.1.weight": (d, c["in_channels"], patch), "decoder.proj_in.1.bias": (d,)}
    return shapes | {"decoder.proj_out.1.weight": (d, acoustic, patch), "decoder.proj_out.1.bias": (acoustic,)}


@pytest.mark.parametrize("which", ["core", "xl"])
def test_the_layout_of_the_reference_is_what_we_think_it_is(which: str) -> None:
    sizes = json.loads((GOLDEN / which / "config.json").read_text())
    recorded = {name: tuple(t.shape) for name, t in load_file(GOLDEN / which / "weights.safetensors").items()}
    assert published_shapes(sizes) == recorded


@pytest.mark.parametrize("sizes", [B2, XL], ids=["2B", "XL"])
def test_of_a_published_model_nothing_is_missing_and_nothing_left_over(v15: ModuleType, sizes: dict[str, int]) -> None:
    with torch.device("meta"):
        parts = v15.published.parts({name: torch.empty(shape) for name, shape in published_shapes(sizes).items()})
    modules = {
        "transformer": v15.assemble.transformer(v15.config.transformer(sizes)),
        "encoder": v15.assemble.encoder(v15.config.encoder(sizes), v15.config.is_xl(sizes)),
        "tokenizer": v15.assemble.tokenizer(v15.config.tokenizer(sizes)),
        "detokenizer": v15.assemble.detokenizer(v15.config.detokenizer(sizes)),
    }
    for part, module in modules.items():
        wanted = {name: t.shape for name, t in module.state_dict().items() if name != "silence_latent"}
        assert {name: t.shape for name, t in parts[part].items()} == wanted


@pytest.fixture(scope="module", params=["core", "xl"])
def both(v15: ModuleType, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp(request.param)
    variant = "turbo" if request.param == "core" else "xl-base"
    tiny_acestep.published(folder / "published", request.param, variant)
    tiny_acestep.diffusers(folder / "diffusers", folder / "published", variant)
    return v15.layout.find([folder / "published"], variant), v15.layout.find([folder / "diffusers"], variant)


def velocity(v15: ModuleType, found: Layout, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    inputs = load_file(GOLDEN / ("xl" if found.xl else "core") / "inputs.safetensors")
    denoiser = v15.modules.Denoiser(v15.loading.load_transformer(found, dtype), torch.zeros(1))
    condition = Condition(inputs["decoder_enc"], inputs["decoder_ctx"])
    return denoiser.at(inputs["decoder_x"], inputs["decoder_t"], condition)


def test_both_layouts_are_the_same_model(v15: ModuleType, both: Pair) -> None:
    one, other = both
    assert (one.diffusers, other.diffusers) == (False, True)
    assert (one.xl, one.distilled) == (other.xl, other.distilled)
    assert torch.equal(velocity(v15, one), velocity(v15, other))
    first, second = (v15.loading.load_conditioner(found) for found in both)
    latents = torch.randn(1, 13, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first.hints(latents), second.hints(latents))
    assert torch.equal(first.silence, second.silence)
    order = torch.tensor([0])
    assert torch.equal(first.timbre(latents, order)[0], second.timbre(latents, order)[0])


def test_without_its_tokenizer_pair_a_model_makes_all_but_covers(v15: ModuleType, both: Pair, tmp_path: Path) -> None:
    folder = shutil.copytree(both[1].model, tmp_path / both[1].model.name)
    for part in ("audio_tokenizer", "audio_token_detokenizer"):
        shutil.rmtree(folder / part)
    config = json.loads((folder / "condition_encoder" / "config.json").read_text())
    (folder / "condition_encoder" / "config.json").write_text(json.dumps(config | {"of_another_version": 1}))
    found = v15.layout.find([folder], "xl-base" if both[1].xl else "turbo")
    made, whole = v15.loading.load_conditioner(found), v15.loading.load_conditioner(both[1])
    assert torch.equal(made.null, whole.null)
    with pytest.raises(ConditionError, match="lacks its audio tokenizer"):
        made.hints(torch.randn(1, 13, 64))


def test_in_bfloat16_the_time_stays_exact(v15: ModuleType, both: Pair) -> None:
    made = v15.loading.load_transformer(both[0], torch.bfloat16)
    assert made.proj_in_conv.weight.dtype == torch.bfloat16
    exact = v15.loading.load_transformer(both[0]).time_embed.linear_1.weight
    assert torch.equal(made.time_embed.linear_1.weight, exact)
    whole, half = velocity(v15, both[0]), velocity(v15, both[0], torch.bfloat16)
    assert half.dtype == torch.float32
    assert (whole - half).norm() < 0.05 * whole.norm()


def test_words_become_states_and_too_many_are_refused_with_the_limit(v15: ModuleType, both: Pair) -> None:
    encoder = v15.loading.load_text_encoder(both[0])
    assert encoder.text(text_prompt("lofi rain")).shape[2] == 32
    assert encoder.lyric(lyric_prompt("rain\n" * 20)).shape[2] == 32
    with pytest.raises(ConditionError, match="2048"):
        encoder.lyric(lyric_prompt("rain " * 2048))
    with pytest.raises(ConditionError, match="256"):
        encoder.text(text_prompt("rain " * 256))


@pytest.fixture
def found(v15: ModuleType, tmp_path: Path) -> Layout:
    return v15.layout.find([tiny_acestep.published(tmp_path)], "turbo")


def rewrite(found: Layout, change: dict[str, torch.Tensor | None]) -> None:
    path = found.model / "model.safetensors"
    tensors = load_file(path) | change
    save_file({k: v for k, v in tensors.items() if v is not None}, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder.norm_out.weight": None}, "lack norm_out.weight"),
        ({"decoder.extra.weight": torch.ones(2)}, "also hold extra.weight"),
        ({"decoder.norm_out.weight": torch.ones(3)}, r"norm_out.weight is \[3\]"),
    ],
)
def test_weights_that_are_not_just_the_models_own_are_refused(
    v15: ModuleType, found: Layout, change: dict[str, torch.Tensor | None], said: str
) -> None:
    rewrite(found, change)
    with pytest.raises(LoadError, match=said):
        v15.loading.load_transformer(found)


def test_a_tensor_that_belongs_to_no_part_is_refused(v15: ModuleType, found: Layout) -> None:
    rewrite(found, {"vocoder.weight": torch.ones(2)})
    with pytest.raises(LoadError, match="vocoder"):
        v15.loading.load_conditioner(found)


def test_a_file_cut_short_is_refused(v15: ModuleType, found: Layout) -> None:
    path = found.model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(LoadError, match="damaged or cut short"):
        v15.loading.load_transformer(found)


def test_a_pickle_that_would_run_code_is_refused(v15: ModuleType, found: Layout, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "touched",)  # type: ignore[return-value]

    torch.save(Evil(), found.model / "silence_latent.pt")
    with pytest.raises(LoadError, match=r"silence_latent\.pt cannot be read"):
        v15.loading.load_conditioner(found)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("stored", [{"a": 1}, torch.ones(1, 7, 40), torch.ones(40)])
def test_a_silence_of_another_shape_is_refused(v15: ModuleType, found: Layout, stored: object) -> None:
    torch.save(stored, found.model / "silence_latent.pt")
    with pytest.raises(LoadError, match="no silence latent"):
        v15.loading.load_conditioner(found)


def test_pickled_weights_are_not_loaded(v15: ModuleType, found: Layout) -> None:
    (found.model / "model.safetensors").rename(found.model / "pytorch_model.bin")
    with pytest.raises(LoadError, match="download it first"):
        v15.layout.find([found.model.parent], "turbo")
    with pytest.raises(LoadError, match="any other format"):
        v15.weights.read(found.model)


def test_shards_are_put_together(v15: ModuleType, found: Layout) -> None:
    whole = velocity(v15, found)
    path = found.model / "model.safetensors"
    tensors = load_file(path)
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, held in shards.items():
        save_file({name: tensors[name] for name in held}, found.model / shard)
    index = {"weight_map": {name: shard for shard, held in shards.items() for name in held}}
    (found.model / "model.safetensors.index.json").write_text(json.dumps(index))
    path.unlink()
    assert torch.equal(velocity(v15, found), whole)


def test_the_variant_named_is_the_one_found(v15: ModuleType, tmp_path: Path) -> None:
    tiny_acestep.published(tmp_path / "one", "xl", "xl-turbo")
    tiny_acestep.published(tmp_path / "two", "core", "turbo")
    shutil.rmtree(tmp_path / "one" / "vae")
    for variant in ("turbo", "xl-turbo"):
        made = v15.layout.find([tmp_path / "one", tmp_path / "two"], variant)
        assert made.model.name == f"acestep-v15-{variant}"
        assert made.xl == (variant == "xl-turbo")
        assert made.vae == tmp_path / "two" / "vae"
    with pytest.raises(LoadError, match=r"no ACE-Step 1\.5 sft"):
        v15.layout.find([tmp_path / "one", tmp_path / "two"], "sft")


@pytest.mark.parametrize("prefix", ["base_model.model.layers", "transformer.layers", "layers"])
def test_a_lora_is_merged_by_its_scale_and_taken_out_without_a_trace(
    v15: ModuleType, found: Layout, tmp_path: Path, prefix: str
) -> None:
    attention = "q_proj" if "base" in prefix else "to_q"
    name = f"{prefix}.0.self_attn.{attention}"
    a, b = torch.randn(2, 48), torch.randn(64, 2)
    save_file({f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 4}))
    transformer = v15.loading.load_transformer(found)
    weight = transformer.layers[0].self_attn.to_q.weight
    before = weight.clone()
    merged = v15.lora.merge(transformer, tmp_path, 0.5)
    assert torch.allclose(weight, before + b @ a, atol=1e-5)
    merged.undo()
    assert torch.equal(weight, before)


def test_a_lora_for_another_model_changes_nothing(v15: ModuleType, found: Layout, tmp_path: Path) -> None:
    good, bad = "layers.0.self_attn.to_q", "layers.0.self_attn.to_k"
    halves = {"A": torch.ones(2, 48), "B": torch.ones(64, 2)}
    tensors = {f"{name}.lora_{x}.weight": half.clone() for name in (good, bad) for x, half in halves.items()}
    save_file(tensors, tmp_path / "other.safetensors")
    transformer = v15.loading.load_transformer(found)
    before = transformer.layers[0].self_attn.to_q.weight.clone()
    with pytest.raises(LoadError, match="to_k does not fit"):
        v15.lora.merge(transformer, tmp_path / "other.safetensors", 1.0)
    assert torch.equal(transformer.layers[0].self_attn.to_q.weight, before)
    with pytest.raises(LoadError, match="cannot be read"):
        v15.lora.merge(transformer, tmp_path / "nowhere", 1.0)
