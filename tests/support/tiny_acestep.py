"""A whole ACE-Step 1.5 of a few hundred kilobytes, in both layouts: the golden sets' weights, a VAE, a text encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

GOLDEN = Path(__file__).parent.parent / "golden" / "v15"
WORDS = ("<|endoftext|>", "<unk>", "#", "Instruction", "Caption", "Metas", "Lyric", "bpm", "seconds", "lofi", "rain")


def published(folder: Path, which: str = "core", variant: str = "turbo") -> Path:
    """``folder`` with acestep-v15-{variant}/, vae/ and Qwen3-Embedding-0.6B/."""
    from safetensors.torch import load_file

    model = folder / f"acestep-v15-{variant}"
    model.mkdir(parents=True)
    config = json.loads((GOLDEN / which / "config.json").read_text())
    del config["timbre_fix_frame"]  # diffusers keeps none, so that both layouts are to have the usual one
    (model / "config.json").write_text(json.dumps(config | {"is_turbo": variant.endswith("turbo")}))
    shutil.copyfile(GOLDEN / which / "weights.safetensors", model / "model.safetensors")
    silence = load_file(GOLDEN / which / "inputs.safetensors")["silence_latent"]
    torch.save(silence.transpose(1, 2).contiguous(), model / "silence_latent.pt")
    _vae(folder / "vae")
    _text_encoder(folder / "Qwen3-Embedding-0.6B", folder / "Qwen3-Embedding-0.6B")
    return folder


def diffusers(folder: Path, source: Path, variant: str = "turbo") -> Path:
    """The model ``published`` in ``source``, as diffusers would save it."""
    from acestep_core.v15 import layout, loading

    found = layout.find([source], variant)
    parts = loading.load_conditioner(found)
    made = folder / f"acestep-v15-{variant}-diffusers"
    loading.load_transformer(found).save_pretrained(made / "transformer")
    parts.encoder.save_pretrained(made / "condition_encoder")
    parts.tokenizer.save_pretrained(made / "audio_tokenizer")
    parts.detokenizer.save_pretrained(made / "audio_token_detokenizer")
    shutil.copytree(found.vae, made / "vae")
    shutil.copytree(found.text_encoder, made / "text_encoder")
    shutil.copytree(found.tokenizer, made / "tokenizer")
    return made


def vae(seed: int = 0) -> object:
    """An Oobleck autoencoder with the ratios of the published one and hardly any channels."""
    from diffusers import AutoencoderOobleck

    torch.manual_seed(seed)
    return AutoencoderOobleck(
        encoder_hidden_size=4,
        downsampling_ratios=[2, 4, 4, 6, 10],
        channel_multiples=[1, 1, 2, 2, 2],
        decoder_channels=4,
        decoder_input_channels=64,
        audio_channels=2,
        sampling_rate=48_000,
    ).eval()


def wide_encoder() -> type:
    """For ``OobleckEncoder`` in diffusers: one that ends in 64 latent channels, however narrow it is. Theirs must be as
    wide from its first layer on, and takes half a minute for five seconds of sound."""
    from diffusers.models.autoencoders.autoencoder_oobleck import OobleckEncoder
    from torch import nn
    from torch.nn.utils import weight_norm

    class WideEncoder(OobleckEncoder):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)
            self.conv2 = weight_norm(nn.Conv1d(self.conv2.in_channels, 2 * 64, kernel_size=3, padding=1))

    return WideEncoder


def _vae(folder: Path) -> None:
    vae().save_pretrained(folder)  # type: ignore[attr-defined]


def _text_encoder(model: Path, tokenizer: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<|endoftext|>", unk_token="<unk>").save_pretrained(
        tokenizer
    )
    config = Qwen3Config(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    Qwen3Model(config).save_pretrained(model)
