"""Tensors from files: safetensors, and of pickles none but silence_latent.pt, read with ``weights_only``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import LoadError

_NAMES = ("model", "diffusion_pytorch_model")
_ANY = "*.safetensors"


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a folder."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LoadError(f"{path} cannot be read ({error.strerror}): download the model again.") from None
    except ValueError:
        raise LoadError(f"{path} is damaged: download the model again.") from None
    if not isinstance(config, dict):
        raise LoadError(f"{path} is damaged: download the model again.")
    return config


def has_weights(folder: Path) -> bool:
    return next(folder.glob(_ANY), None) is not None


def read(folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
    """The tensors of a folder whose names are wanted, from one file or its shards; the others are not read."""
    found: dict[str, Tensor] = {}
    for path in _files(folder):
        try:
            with safe_open(path, "pt") as file:
                found |= {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise LoadError(f"{path} is damaged or cut short ({error}): download the model again.") from None
    return found


def _files(folder: Path) -> list[Path]:
    for name in _NAMES:
        if (folder / f"{name}.safetensors").is_file():
            return [folder / f"{name}.safetensors"]
        index = folder / f"{name}.safetensors.index.json"
        if index.is_file():
            try:
                shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                raise LoadError(f"{index} is damaged: download the model again.") from None
            return [folder / Path(shard).name for shard in shards]
    raise LoadError(f"{folder} holds no model.safetensors; weights in any other format are not loaded.")


def read_silence(path: Path) -> Tensor:
    """The published silence_latent.pt, [1, 64, frames], as [1, frames, 64] float32."""
    try:
        silence = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        raise LoadError(f"{path} cannot be read ({type(error).__name__}): download the model again.") from None
    if not isinstance(silence, Tensor) or silence.ndim != 3 or silence.shape[:2] != (1, 64):
        raise LoadError(f"{path} holds no silence latent [1, 64, frames]: download the model again.")
    return silence.transpose(1, 2).float().contiguous()
