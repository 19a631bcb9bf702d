"""One thing that was found out about this installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "info", "warn", "error"]

WAITS_LONGER = "In a shell this waits longer: lofi doctor --within 120"
"""The advice where time was too short."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``advice`` is what to do about it, a step each; empty where all is well. Only "error" keeps music from being
    made. No msgspec here: a missing library is one of the things to be found."""

    section: str
    level: Level
    text: str
    advice: tuple[str, ...] = ()
