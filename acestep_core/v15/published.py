"""The layout of the published ACE-Step-1.5 folders: one model.safetensors, whose names are mapped in memory.

acestep-v15-{turbo,base,sft,xl-…}/   config.json, model.safetensors (or shards of it), silence_latent.pt
vae/                                 beside it
Qwen3-Embedding-0.6B/                beside it
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from diffusers import AceStepTransformer1DModel
from torch import Tensor

from ..errors import LoadError
from . import assemble, config
from .config import Config
from .modules import Conditioner

_PARTS = {"decoder": "transformer", "encoder": "encoder", "tokenizer": "tokenizer", "detokenizer": "detokenizer"}
_RENAMED = (
    (re.compile(r"\bproj_in\.1\."), "proj_in_conv."),
    (re.compile(r"\bproj_out\.1\."), "proj_out_conv."),
    (re.compile(r"\b([qkv])_proj\."), r"to_\1."),
    (re.compile(r"\bo_proj\."), "to_out.0."),
    (re.compile(r"\b([qk])_norm\."), r"norm_\1."),
)


def translate(name: str) -> tuple[str, str]:
    """A published name → the part it belongs to and its name there; ``LoadError`` for one that belongs to none."""
    if name == "null_condition_emb":
        return "encoder", name
    top, _, rest = name.partition(".")
    if top not in _PARTS or not rest:
        raise LoadError(f"The weights hold {name}, which is no part of an ACE-Step 1.5 model.")
    return _PARTS[top], own_name(rest)


def own_name(name: str) -> str:
    """A published name inside a part → diffusers' name; one of diffusers' own stays as it is."""
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    return name


def parts(weights: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The weights of each part, under its own names."""
    found: dict[str, dict[str, Tensor]] = {part: {} for part in _PARTS.values()}
    for name, tensor in weights.items():
        part, own = translate(name)
        found[part][own] = tensor
    return found


def transformer(settings: Config, weights: dict[str, Tensor], dtype: torch.dtype) -> AceStepTransformer1DModel:
    """The diffusion transformer from its part of the weights (``parts``), which it empties."""
    made = assemble.transformer(config.transformer(settings))
    assemble.fill(made, weights, "transformer", dtype, exact=assemble.TIME)
    return made


def conditioner(
    settings: Config, weights: dict[str, dict[str, Tensor]], silence: Tensor, dtype: torch.dtype
) -> Conditioner:
    """The rest of the model from its parts, which it empties; ``silence`` [1, frames, 64]."""
    encoder = assemble.encoder(config.encoder(settings), config.is_xl(settings))
    encoder.register_buffer("silence_latent", torch.empty_like(silence, device="meta"))
    weights["encoder"]["silence_latent"] = silence
    assemble.fill(encoder, weights["encoder"], "condition encoder", dtype)
    tokenizer = assemble.tokenizer(config.tokenizer(settings))
    assemble.fill(tokenizer, weights["tokenizer"], "audio tokenizer", dtype)
    detokenizer = assemble.detokenizer(config.detokenizer(settings))
    assemble.fill(detokenizer, weights["detokenizer"], "audio detokenizer", dtype)
    return Conditioner(encoder, tokenizer, detokenizer, encoder.silence_latent)
