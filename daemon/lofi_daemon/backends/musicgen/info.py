"""MusicGen as the front sees it."""

from ..base import Availability, BackendInfo

INFO = BackendInfo(
    type="musicgen",
    name="MusicGen",
    min_duration_sec=5,
    max_duration_sec=120,
    sample_rate=32_000,
    model_version="musicgen-small",
    stage_types=("generate", "continue"),
    models=("small", "medium", "large", "stereo-small", "stereo-medium", "stereo-large", "melody"),
    takes=frozenset({"model", "batch_size", "temperature", "top_k", "top_p", "guidance_scale"}),
    availability=lambda settings: Availability(
        "not_installed", "MusicGen is not part of this version of lofi.nvim yet; use backend=synth."
    ),
)
