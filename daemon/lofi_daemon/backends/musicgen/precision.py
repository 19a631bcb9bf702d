"""Which precision a machine does best with. No torch here: the front asks, because a track's id depends on it."""

from __future__ import annotations

from typing import Literal

Precision = Literal["float32", "bfloat16", "int8"]
Wanted = Literal["auto", "float32", "bfloat16", "int8"]


def choose(wanted: Wanted, device: str) -> Precision:
    """``device`` is "cpu", "cuda" or "mps". On a CPU the step is as fast as its weights are small, whatever the
    processor can multiply; on a GPU bfloat16 is what its kernels are made for."""
    if wanted != "auto":
        return wanted
    return "int8" if device == "cpu" else "bfloat16"
