"""Checkpoints as bytes: safetensors whose tensor ``latent`` is x_t, with the rest beside it. Never a pickle.

What is no tensor lies in one of bytes, as JSON, so that whoever keeps the file may write its header anew.
"""

from __future__ import annotations

import json
from typing import Any, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .checkpoint import Checkpoint
from .errors import ResumeError
from .guidance import Kind
from .solvers import SOLVERS

LATENT = "latent"


def pack_latent(latent: Tensor) -> bytes:
    """A finished latent, [batch, frames, 64]."""
    return save({LATENT: latent.detach().cpu().contiguous()})


def unpack_latent(blob: bytes) -> Tensor:
    """The latent of a run or, of a checkpoint, x_t. ``ResumeError`` where there is none."""
    latent = _tensors(blob).get(LATENT)
    if latent is None or latent.ndim != 3 or not latent.dtype.is_floating_point:
        raise ResumeError("The file holds no latent [batch, frames, 64].")
    return latent


def pack(checkpoint: Checkpoint) -> bytes:
    """All that the further steps depend on, bit for bit."""
    said = {
        "step": checkpoint.step,
        "grid": checkpoint.grid,
        "solver": checkpoint.solver,
        "guidance": checkpoint.guidance,
        "seeds": [str(seed) for seed in checkpoint.seeds],
        "switch_step": checkpoint.switch_step,
    }
    tensors = {LATENT: checkpoint.x, "said": torch.frombuffer(bytearray(json.dumps(said).encode()), dtype=torch.uint8)}
    tensors |= {f"noise.{i}": state for i, state in enumerate(checkpoint.noise)}
    if checkpoint.momentum is not None:
        tensors["momentum"] = checkpoint.momentum
    if checkpoint.velocity is not None:
        tensors["velocity"] = checkpoint.velocity
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def unpack(blob: bytes) -> Checkpoint:
    """The checkpoint that was packed; ``ResumeError`` where the bytes are those of none."""
    tensors = _tensors(blob)
    try:
        said: dict[str, Any] = json.loads(bytes(tensors["said"].tolist()))
        seeds = tuple(int(seed) for seed in said["seeds"])
        checkpoint = Checkpoint(
            x=tensors[LATENT],
            step=int(said["step"]),
            grid=tuple(float(t) for t in said["grid"]),
            solver=str(said["solver"]),
            guidance=said["guidance"],
            momentum=tensors.get("momentum"),
            velocity=tensors.get("velocity"),
            noise=tuple(tensors[f"noise.{i}"] for i in range(len(seeds))),
            seeds=seeds,
            switch_step=None if said["switch_step"] is None else int(said["switch_step"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ResumeError(f"The file is no checkpoint ({error!r}).") from None
    if checkpoint.solver not in SOLVERS or checkpoint.guidance not in get_args(Kind):
        raise ResumeError(f"The checkpoint is of {checkpoint.solver}, {checkpoint.guidance}: a later version made it.")
    return checkpoint


def _tensors(blob: bytes) -> dict[str, Tensor]:
    try:
        return load(blob)
    except SafetensorError as error:
        raise ResumeError(f"The latent's file is damaged ({error}).") from None
