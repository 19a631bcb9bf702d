"""Which precision a machine does best with. No torch here: the front asks, because a track's id depends on it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Precision = Literal["float32", "bfloat16"]
Wanted = Literal["auto", "float32", "bfloat16"]

_FASTER_WITH = frozenset({"avx512_bf16", "amx_bf16"})


def choose(wanted: Wanted, device: str) -> Precision:
    """``device`` is "cpu", "cuda" or "mps". A processor that multiplies bfloat16 itself is two to four times as fast
    with it; one that does not is slower than with float32. Apple's GPU has it only since macOS 14."""
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return "bfloat16" if _processor_multiplies() else "float32"
    return "bfloat16" if device == "cuda" else "float32"


@cache
def _processor_multiplies(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not _FASTER_WITH.isdisjoint(flags.split())
