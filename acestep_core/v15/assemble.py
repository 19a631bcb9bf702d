"""Modules built empty and filled from tensors: what is missing or left over is an error, never a random weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step.modeling_ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)
from torch import Tensor, nn

from ..errors import LoadError
from .modules import XlTimbreEncoder

TIME = ("time_embed",)
"""What embeds t in the transformer, kept in float32: t in bfloat16 is off by up to 0.4 %."""


def transformer(arguments: Mapping[str, Any]) -> AceStepTransformer1DModel:
    """Without weights, on the meta device; as are the others."""
    with torch.device("meta"):
        return AceStepTransformer1DModel(**arguments)


def encoder(arguments: Mapping[str, Any], xl: bool) -> AceStepConditionEncoder:
    with torch.device("meta"):
        made = AceStepConditionEncoder(**arguments)
        if xl:
            of_timbre = {name: made.timbre_encoder.config[name] for name in made.timbre_encoder.config}
            accepted = {name: value for name, value in of_timbre.items() if not name.startswith("_")}
            made.timbre_encoder = XlTimbreEncoder(**accepted)
    return made


def tokenizer(arguments: Mapping[str, Any]) -> AceStepAudioTokenizer:
    with torch.device("meta"):
        made = AceStepAudioTokenizer(**arguments)
    # Its tables are computed and not stored, so they cannot stay on the meta device.
    old = made.quantizer
    made.quantizer = type(old)(old.project_in.in_features, old.levels, old.num_quantizers)
    return made


def detokenizer(arguments: Mapping[str, Any]) -> AceStepAudioTokenDetokenizer:
    with torch.device("meta"):
        return AceStepAudioTokenDetokenizer(**arguments)


def fill(
    module: nn.Module, weights: dict[str, Tensor], part: str, dtype: torch.dtype, exact: tuple[str, ...] = ()
) -> None:
    """Put ``weights`` into ``module`` in ``dtype``; ``LoadError`` unless they are just its own.

    They are taken out of the dictionary one by one, so that no more than one is in memory twice. Those whose names
    begin with one of ``exact`` stay in float32.
    """
    wanted = module.state_dict()
    _refuse(part, "lack", sorted(wanted.keys() - weights.keys()))
    _refuse(part, "also hold", sorted(weights.keys() - wanted.keys()))
    for name, tensor in weights.items():
        if tensor.shape != wanted[name].shape:
            raise LoadError(
                f"The weights of the {part} do not fit: {name} is {list(tensor.shape)} and should be "
                f"{list(wanted[name].shape)}. Is config.json that of another model?"
            )
    cast = {}
    for name in wanted:
        tensor = weights.pop(name)
        cast[name] = tensor.to(torch.float32 if name.startswith(exact) else dtype)
    module.load_state_dict(cast, strict=True, assign=True)
    module.eval().requires_grad_(False)


def without_weight_norm(module: nn.Module, dtype: torch.dtype) -> None:
    """Make each convolution's weight of its two parts once, in their precision, and not in every call; then all of it
    is cast to ``dtype``."""
    for part in module.modules():
        if hasattr(part, "weight_g"):
            nn.utils.remove_weight_norm(part)
    for parameter in module.requires_grad_(False).parameters():
        parameter.data = parameter.data.to(dtype)


def _refuse(part: str, verb: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise LoadError(
            f"The weights of the {part} {verb} {', '.join(names[:3])}{more}: they are not those of this model, "
            "or incomplete. Download them again."
        )
