"""MusicGen as the front sees it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ...config import Settings
from ...errors import LofiError
from ...model import StageParams
from ...models import catalogue, store
from .. import device, ready
from ..base import BackendInfo, Equipment
from .precision import choose
from .windows import STRIDE_SEC, WINDOW_SEC

SCHEMA = 1
"""Part of every track's id: raise it with any change of ours that moves a sample."""

_MODELS = tuple(weights.model for weights in catalogue.CATALOGUE["musicgen"])
_MELODY_MODELS = tuple(model for model in _MODELS if "melody" in model)


def _defaults(settings: Settings, asked: Mapping[str, object]) -> Mapping[str, object]:
    """Sampling as all published checkpoints' generation_config.json (and transformers, where it is silent) have it."""
    return {
        "model": _installed(settings) or _MODELS[0],
        "guidance_scale": 3.0,
        "temperature": 1.0,
        "top_k": 50,
        "top_p": 1.0,
    }


def _installed(settings: Settings) -> str | None:
    """The first model that is here."""
    root = store.root_of("musicgen", settings)
    here = (weights.model for weights in catalogue.CATALOGUE["musicgen"] if store.look(weights, root).status == "ready")
    return next(here, None)


def _check(params: StageParams) -> None:
    if params.reference_audio_id is not None and params.model not in _MELODY_MODELS:
        raise LofiError(
            "INVALID_PARAMS",
            f"MusicGen {params.model} follows no melody; take model={', '.join(_MELODY_MODELS[:-1])} or "
            f"{_MELODY_MODELS[-1]}.",
            field="reference_audio_id", expected=list(_MELODY_MODELS), got=params.model,
        )  # fmt: skip


def _equip(settings: Settings, params: StageParams) -> Equipment:
    weights = catalogue.find("musicgen", params.model)
    found = store.look(weights, store.root_of("musicgen", settings))
    if found.status != "ready":
        raise LofiError(
            "MODEL_NOT_FOUND",
            f"The weights of {weights.title} are not here; get them: lofi download musicgen {weights.model}, or "
            ":LofiBackends in the editor.",
            field="model", got=weights.model,
        )  # fmt: skip
    where = device.choose(settings)
    precision = choose(settings.musicgen_precision, where)
    version = f"musicgen-{weights.model}@{found.stamp}/{precision}/{SCHEMA}"
    stride = settings.musicgen_stride_sec
    if params.duration_sec > WINDOW_SEC and stride != STRIDE_SEC:
        version += f"/stride {stride}"
    return Equipment(version, tuple(map(str, found.folders)), precision, where, {"stride_sec": stride})


INFO = BackendInfo(
    type="musicgen",
    name="MusicGen",
    min_duration_sec=5,
    max_duration_sec=120,
    sample_rate=32_000,
    model_version=f"musicgen/{SCHEMA}",
    stage_types=("generate",),
    models=_MODELS,
    takes=frozenset({"model", "batch_size", "temperature", "top_k", "top_p", "guidance_scale", "reference_audio_id"}),
    extra="musicgen",
    packages=("torch", "transformers", "safetensors"),
    defaults=_defaults,
    check=_check,
    availability=partial(ready.look, "musicgen"),
    equip=_equip,
)
