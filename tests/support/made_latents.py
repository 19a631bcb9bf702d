"""Small real latents: written by safetensors itself, with the record of a job that never ran."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy

from lofi_daemon.library.latents.file import examine_bytes, seal
from lofi_daemon.library.tracks import Tracks
from lofi_daemon.model import LatentFile, LatentRecord, StageParams

SHAPE = (2, 25, 64)


def blob(seed: int = 1, shape: tuple[int, ...] = SHAPE, **more: np.ndarray) -> bytes:
    """Safetensors bytes: noise [batch, frames, 64] as "latent", and ``more`` beside it."""
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return safetensors.numpy.save({"latent": noise, **more})


def record(**fields: object) -> LatentRecord:
    params = StageParams(backend="ace_step_15", prompt="rainy night", duration_sec=30.0, seed=1, batch_size=2)
    usual = {
        "id": str(uuid.uuid4()), "shape": SHAPE, "dtype": "float32", "model_variant": "turbo",
        "stage_type": "generate", "total_steps": 8, "schedule": (1.0, 0.75, 0.5, 0.0), "params": params,
        "lm_metadata": {"bpm": 75}, "batch_size": 2, "created_at": "2027-01-15T08:00:00.000Z",
    }  # fmt: skip
    return LatentRecord(**{**usual, **fields})


def staged(folder: Path, of: LatentRecord, data: bytes | None = None) -> tuple[LatentFile, Path]:
    """The file as a worker leaves it, and what the worker says of it."""
    whole = seal(blob(shape=of.shape) if data is None else data, of)
    path = folder / f"{of.id}.safetensors"
    path.write_bytes(whole)
    return LatentFile(msgspec.structs.replace(of, path=path.name), examine_bytes(whole).sha256), path


def committed(tracks: Tracks, data: bytes | None = None, **fields: object) -> LatentRecord:
    return tracks.latents.commit(*staged(tracks.staging(), record(**fields), data))
