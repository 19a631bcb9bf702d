"""Every backend by name, front side; and the module that holds each one's engine, worker side."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Settings
from .acestep.info import V1, V15
from .base import BackendInfo
from .musicgen.info import INFO as MUSICGEN
from .synth.info import INFO as SYNTH

BACKENDS: Mapping[str, BackendInfo] = {info.type: info for info in (SYNTH, MUSICGEN, V1, V15)}

ENGINE_MODULES: Mapping[str, str] = {
    "synth": "lofi_daemon.backends.synth.engine",
    "musicgen": "lofi_daemon.backends.musicgen.engine",
    "ace_step_15": "lofi_daemon.backends.acestep.engine",
}
"""Imported in the worker when first used; each has ``make_engine() -> Engine``."""

SELFTEST_MODULES: Mapping[str, str] = {
    "synth": "lofi_daemon.backends.synth.selftest",
    "musicgen": "lofi_daemon.backends.musicgen.selftest",
    "ace_step_15": "lofi_daemon.backends.acestep.selftest",
}
"""What `lofi selftest` runs; each has ``look(equipment) -> Iterator[Finding]``."""


def default_backend(settings: Settings) -> str:
    """What a request that names no backend gets: the configured one; for "auto" MusicGen once it is
    ready, else the composer."""
    if settings.default_backend != "auto":
        return settings.default_backend
    return "musicgen" if MUSICGEN.availability(settings).status == "ready" else "synth"
