"""Does the composer compose here? Ten seconds, its level, and the same bits twice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from ...health.finding import Finding
from ..base import Equipment
from .composer import compose
from .render import render

PROMPT, SECONDS = "rainy night, mellow rhodes", 10.0


def look(equipment: Equipment) -> Iterator[Finding]:
    """Every finding as it is made."""
    began = time.monotonic()
    first = render(compose(PROMPT, SECONDS, 1))
    seconds = time.monotonic() - began
    yield Finding("Built-in composer", "ok", f"{SECONDS:g} s of music in {seconds:.1f} s")
    if first.lufs is None or not -18 < first.lufs < -14:
        yield Finding("Built-in composer", "error", f"loudness {first.lufs} LUFS, not −16", ("make clean install",))
    again = render(compose(PROMPT, SECONDS, 1))
    if np.array_equal(first.audio, again.audio):
        yield Finding("Built-in composer", "ok", "the same request gives the same bits")
    else:
        yield Finding("Built-in composer", "error", "the same request gives other bits", ("please report it",))
