"""What neural engines see to alike: the number of threads, a GPU that fails, memory that runs out. Worker only."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Callable

import torch

from ..errors import LofiError
from .base import RenderContext, Rendering


def render(
    name: str,
    context: RenderContext,
    on: Callable[[str], list[Rendering]],
    unload: Callable[[], object],
    relief: str,
) -> list[Rendering]:
    """What ``on`` renders on the equipment's device. Where that is a GPU and it fails, ``unload``, say so and render on
    the CPU.

    ``relief`` is what to do about too little memory, for the middle of a sentence. Raises MODEL_INFERENCE_FAILED for
    that, and for a GPU that fails once the track is heard: the CPU's samples would be others. What else ``on`` raises
    passes.
    """
    torch.set_num_threads(threads())
    device = context.equipment.device
    try:
        if device != "cpu":
            try:
                return on(device)
            except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the GPU
                reason = _first_line(error)
            unload()
            if context.heard:
                raise LofiError(
                    "MODEL_INFERENCE_FAILED",
                    f"The GPU failed in the middle of the track ({reason}); try again, or set device=cpu.",
                )
            context.notice("warn", f"The GPU failed ({reason}); {name} goes on with the CPU, which is slower.")
        return on("cpu")
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        unload()
        raise LofiError("MODEL_INFERENCE_FAILED", f"There is not enough memory for {name}; {relief}.") from error


def threads() -> int:
    """As the settings say (the front puts them into the environment), else the cores that this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def give_back() -> None:
    """Return to the system what was freed."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _is_memory(error: Exception) -> bool:
    """torch has no error of its own for that on the CPU."""
    said = str(error)
    return isinstance(error, MemoryError) or "not enough memory" in said or "can't allocate memory" in said


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
