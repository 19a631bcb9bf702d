"""A model's parts from their files, one at a time, so that only one need be in memory."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AceStepTransformer1DModel, AutoencoderOobleck
from diffusers.pipelines.ace_step.modeling_ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)

from ..errors import LoadError
from . import assemble, published, weights
from .layout import Layout
from .modules import Conditioner
from .text import TextEncoder

CPU = torch.device("cpu")


def load_transformer(
    layout: Layout, dtype: torch.dtype = torch.float32, device: torch.device = CPU
) -> AceStepTransformer1DModel:
    """The diffusion transformer in ``dtype``; what embeds t stays float32."""
    if layout.diffusers:
        folder = layout.model / "transformer"
        made = assemble.transformer(_arguments(layout.config, AceStepTransformer1DModel))
        assemble.fill(made, weights.read(folder), "transformer", dtype, exact=assemble.TIME)
    else:
        parts = published.parts(weights.read(layout.model, lambda name: name.startswith("decoder.")))
        made = published.transformer(layout.config, parts["transformer"], dtype)
    return made.to(device)


def load_conditioner(layout: Layout, dtype: torch.dtype = torch.float32, device: torch.device = CPU) -> Conditioner:
    """The condition encoder, the tokenizer pair where the model has one, and the silence."""
    made = _conditioner_of_diffusers(layout, dtype) if layout.diffusers else _published_conditioner(layout, dtype)
    for part in (made.encoder, made.tokenizer, made.detokenizer):
        if part is not None:
            part.to(device)
    return Conditioner(made.encoder, made.tokenizer, made.detokenizer, made.encoder.silence_latent)


def _published_conditioner(layout: Layout, dtype: torch.dtype) -> Conditioner:
    silence = weights.read_silence(layout.model / "silence_latent.pt")
    parts = published.parts(weights.read(layout.model, lambda name: not name.startswith("decoder.")))
    return published.conditioner(layout.config, parts, silence, dtype)


def _conditioner_of_diffusers(layout: Layout, dtype: torch.dtype) -> Conditioner:
    def config(part: str, of: type) -> Mapping[str, Any]:
        return _arguments(weights.read_config(layout.model / part), of)

    def has(part: str) -> bool:
        return (layout.model / part / "config.json").is_file()

    read = weights.read(layout.model / "condition_encoder")
    if "silence_latent" not in read:
        raise LoadError("The weights of the condition encoder lack silence_latent: download the model again.")
    encoder = assemble.encoder(config("condition_encoder", AceStepConditionEncoder), layout.xl)
    encoder.register_buffer("silence_latent", torch.empty_like(read["silence_latent"], device="meta"))
    assemble.fill(encoder, read, "condition encoder", dtype)
    if not (has("audio_tokenizer") and has("audio_token_detokenizer")):
        return Conditioner(encoder, None, None, encoder.silence_latent)
    tokenizer = assemble.tokenizer(config("audio_tokenizer", AceStepAudioTokenizer))
    assemble.fill(tokenizer, weights.read(layout.model / "audio_tokenizer"), "audio tokenizer", dtype)
    detokenizer = assemble.detokenizer(config("audio_token_detokenizer", AceStepAudioTokenDetokenizer))
    assemble.fill(detokenizer, weights.read(layout.model / "audio_token_detokenizer"), "audio detokenizer", dtype)
    return Conditioner(encoder, tokenizer, detokenizer, encoder.silence_latent)


def _arguments(config: Mapping[str, Any], of: type) -> dict[str, Any]:
    """What the module takes; entries of diffusers' own and of its other versions are passed over, as it does itself."""
    known = inspect.signature(of).parameters
    return {name: value for name, value in config.items() if name in known}


def load_vae(layout: Layout, dtype: torch.dtype = torch.float32, device: torch.device = CPU) -> AutoencoderOobleck:
    """The autoencoder between latents and 48 kHz stereo (vae.py decodes with it).

    On the CPU the decoder of one in bfloat16 stays float32: rounded after each of its layers, the sound would lie
    within some 30 dB of what it should be. The kernels narrow a copy themselves, where that is not heard.
    """
    with torch.device("meta"):
        made = AutoencoderOobleck(**_arguments(weights.read_config(layout.vae), AutoencoderOobleck))
    assemble.fill(made, weights.read(layout.vae), "autoencoder", torch.float32)
    narrow = dtype == torch.bfloat16 and device.type == "cpu"
    assemble.without_weight_norm(made.encoder, dtype)
    assemble.without_weight_norm(made.decoder, torch.float32 if narrow else dtype)
    return made.to(device)


def load_text_encoder(layout: Layout, dtype: torch.dtype = torch.float32, device: torch.device = CPU) -> TextEncoder:
    """Qwen3 with its tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    weights.read_config(layout.text_encoder)
    if not weights.has_weights(layout.text_encoder):
        raise LoadError(f"{layout.text_encoder} holds no safetensors: download the model again.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(layout.tokenizer, local_files_only=True)
        model = AutoModel.from_pretrained(
            layout.text_encoder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # whatever transformers makes of damaged files
        raise LoadError(f"The text encoder in {layout.text_encoder} cannot be loaded ({error}).") from error
    return TextEncoder(tokenizer, model.to(device).eval().requires_grad_(False))
