"""Numbers that come from outside, checked."""

from __future__ import annotations

from ..errors import LofiError
from .joins import MAX_CROSSFADE_SEC


def checked_position(position_sec: float) -> float:
    if not _is_number(position_sec) or not 0.0 <= position_sec < float("inf"):
        raise LofiError(
            "INVALID_PARAMS",
            "The position is a number of seconds from the start, 0 or more.",
            field="position_sec",
            expected="≥ 0",
            got=repr(position_sec),
        )
    return float(position_sec)


def checked_crossfade(duration_sec: float) -> float:
    if not _is_number(duration_sec) or not 0.0 <= duration_sec <= MAX_CROSSFADE_SEC:
        raise LofiError(
            "INVALID_PARAMS",
            f"The crossfade is a number of seconds from 0 to {MAX_CROSSFADE_SEC:.0f}.",
            field="duration_sec",
            expected=f"0–{MAX_CROSSFADE_SEC:.0f}",
            got=repr(duration_sec),
        )
    return float(duration_sec)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def checked_level(level: float) -> float:
    if not _is_number(level) or not 0.0 <= level <= 1.0:  # NaN is refused too: it compares false
        raise LofiError(
            "INVALID_PARAMS",
            "The volume is a number from 0 to 1.",
            field="level",
            expected="0–1",
            got=repr(level),
        )
    return float(level)
