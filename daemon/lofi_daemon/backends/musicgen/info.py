"""MusicGen as the front sees it."""

from functools import partial

from .. import ready
from ..base import BackendInfo

_MODELS = (
    "small", "medium", "large", "stereo-small", "stereo-medium", "stereo-large", "melody", "melody-large",
    "stereo-melody",
)  # fmt: skip

INFO = BackendInfo(
    type="musicgen",
    name="MusicGen",
    min_duration_sec=5,
    max_duration_sec=120,
    sample_rate=32_000,
    model_version="musicgen-small",
    stage_types=("generate", "continue"),
    models=_MODELS,
    takes=frozenset({"model", "batch_size", "temperature", "top_k", "top_p", "guidance_scale"}),
    extra="musicgen",
    packages=("torch", "transformers"),
    availability=partial(ready.look, "musicgen"),
)
