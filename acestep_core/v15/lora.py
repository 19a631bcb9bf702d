"""Low-rank adapters for the transformer: merged into its weights, and taken out again without a trace."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import LoadError
from .published import own_name

_KEY = re.compile(r"(?:base_model\.model\.)?(?:decoder\.|transformer\.)?(.+?)\.lora_(A|B)(?:\.default)?\.weight")


class Merged:
    """What was there before: ``undo`` puts it back bit for bit."""

    def __init__(self) -> None:
        self._before: list[tuple[nn.Parameter, Tensor]] = []

    def add(self, weight: nn.Parameter, change: Tensor) -> None:
        self._before.append((weight, weight.data))
        weight.data = (weight.data.float() + change.to(weight.device)).to(weight.dtype)

    def undo(self) -> None:
        for weight, before in reversed(self._before):
            weight.data = before
        self._before.clear()


def merge(transformer: nn.Module, path: Path, scale: float) -> Merged:
    """W + scale·(α/r)·B·A for each adapted weight. ``path``: a folder as PEFT writes it, or a safetensors file.

    Names may be those of the published layout or of diffusers. ``LoadError`` for an adapter that fits nothing here.
    """
    if not math.isfinite(scale):
        raise LoadError(f"The scale of a LoRA must be a number, not {scale}.")
    file = path / "adapter_model.safetensors" if path.is_dir() else path
    try:
        pairs = _pairs(load_file(file))
    except (OSError, SafetensorError) as error:
        raise LoadError(f"The LoRA {file} cannot be read ({error}): give a safetensors file or its folder.") from None
    settings = _settings(file.parent / "adapter_config.json")
    modules = dict(transformer.named_modules())
    changes = []
    for name, (a, b, alpha) in pairs.items():
        module = modules.get(own_name(name + ".").removesuffix("."))
        weight = getattr(module, "weight", None)
        if not isinstance(weight, nn.Parameter) or weight.shape != (b.shape[0], a.shape[1]) or a.shape[0] != b.shape[1]:
            raise LoadError(f"The LoRA {file} is for another model: {name} does not fit.")
        changes.append((weight, scale * _strength(settings, alpha, a.shape[0]) * (b.float() @ a.float())))
    merged = Merged()
    for weight, change in changes:
        merged.add(weight, change)
    return merged


def _pairs(tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor, float | None]]:
    halves: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        found = _KEY.fullmatch(key)
        if found:
            halves.setdefault(found[1], {})[found[2]] = tensor
    if not halves or any(len(half) != 2 for half in halves.values()):
        raise LoadError("The LoRA holds no pairs of lora_A and lora_B: it is of a kind that is not known here.")
    alphas = {key.removesuffix(".alpha"): float(t) for key, t in tensors.items() if key.endswith(".alpha")}
    return {
        name: (half["A"], half["B"], next((v for k, v in alphas.items() if k.endswith(name)), None))
        for name, half in halves.items()
    }


def _settings(path: Path) -> dict[str, float | bool]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _strength(settings: Mapping[str, float | bool], alpha: float | None, rank: int) -> float:
    """α/r, or α/√r for rank-stabilised ones; without a word of α it is r."""
    if alpha is None:
        alpha = float(settings.get("lora_alpha", rank))
    return alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)
