"""MusicGen as the front sees it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ...config import Settings
from ...errors import LofiError
from ...model import StageParams
from ...models import catalogue
from .. import device, ready
from ..base import BackendInfo, Equipment
from .precision import choose
from .windows import STRIDE_SEC, WINDOW_SEC

SCHEMA = 1
"""Part of every track's id: raise it with any change of ours that moves a sample."""

_MODELS = tuple(weights.model for weights in catalogue.CATALOGUE["musicgen"])
_MELODY_MODELS = tuple(model for model in _MODELS if "melody" in model)
_TAKES = "model batch_size temperature top_k top_p guidance_scale reference_audio_id src_audio_id overlap_sec"


def _defaults(settings: Settings, asked: Mapping[str, object]) -> Mapping[str, object]:
    """Sampling as all published checkpoints' generation_config.json (and transformers, where it is silent) have it."""
    return {
        "model": ready.first_model("musicgen", settings),
        "guidance_scale": 3.0,
        "temperature": 1.0,
        "top_k": 50,
        "top_p": 1.0,
    }


def _check(params: StageParams) -> None:
    if params.stage_type != "continue" and params.overlap_sec is not None:
        raise LofiError(
            "INVALID_PARAMS", "overlap_sec is for stage_type=continue, which goes on from a track; add that, too.",
            field="overlap_sec", got=params.overlap_sec,
        )  # fmt: skip
    if params.reference_audio_id is None:
        return
    if params.stage_type == "continue":
        raise LofiError(
            "INVALID_PARAMS", "MusicGen goes on from a track or follows a melody, not both; leave one of the two out.",
            field="reference_audio_id", got=params.reference_audio_id,
        )  # fmt: skip
    if params.model not in _MELODY_MODELS:
        raise LofiError(
            "INVALID_PARAMS",
            f"MusicGen {params.model} follows no melody; take model={', '.join(_MELODY_MODELS[:-1])} or "
            f"{_MELODY_MODELS[-1]}.",
            field="reference_audio_id", expected=list(_MELODY_MODELS), got=params.model,
        )  # fmt: skip


def _equip(settings: Settings, params: StageParams) -> Equipment:
    weights = catalogue.find("musicgen", params.model)
    found = ready.installed("musicgen", weights, settings)
    where = device.choose(settings)
    precision = choose(settings.musicgen_precision, where)
    version = f"musicgen-{weights.model}@{found.stamp}/{precision}/{SCHEMA}"
    stride = settings.musicgen_stride_sec
    if stride != STRIDE_SEC and (params.duration_sec > WINDOW_SEC or params.stage_type == "continue"):
        version += f"/stride {stride}"
    return Equipment(version, tuple(map(str, found.folders)), precision, where, {"stride_sec": stride})


INFO = BackendInfo(
    type="musicgen",
    name="MusicGen",
    min_duration_sec=5,
    max_duration_sec=120,
    sample_rate=32_000,
    model_version=f"musicgen/{SCHEMA}",
    stage_types=("generate", "continue"),
    models=_MODELS,
    takes=frozenset(_TAKES.split()),
    extra="musicgen",
    packages=("torch", "transformers", "safetensors"),
    defaults=_defaults,
    check=_check,
    availability=partial(ready.look, "musicgen"),
    equip=_equip,
)
