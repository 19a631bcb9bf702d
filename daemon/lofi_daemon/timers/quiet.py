"""Quiet hours: when no music starts by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

from ..errors import LofiError

_SPAN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``begin`` up to ``end`` on the user's clock; across midnight where ``end`` comes first."""

    begin: time
    end: time

    def include(self, now: time) -> bool:
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def parse(text: str) -> QuietHours | None:
    """Of "22:00-07:00"; None for an empty text. Raises INVALID_PARAMS (field quiet_hours) for anything else."""
    if not text.strip():
        return None
    span = _SPAN.fullmatch(text)
    try:
        if span is None:
            raise ValueError
        hour, minute, to_hour, to_minute = (int(part) for part in span.groups())
        quiet = QuietHours(time(hour, minute), time(to_hour, to_minute))
    except ValueError:
        raise LofiError(
            "INVALID_PARAMS", f"quiet_hours = {text!r} is no span of the day; write 22:00-07:00.",
            field="quiet_hours", expected="22:00-07:00", got=text,
        ) from None  # fmt: skip
    return None if quiet.begin == quiet.end else quiet


def hush(quiet: QuietHours | None, now: Callable[[], datetime] = datetime.now) -> Callable[[], bool]:
    """Whether it is quiet now, as something to ask again and again."""
    if quiet is None:
        return lambda: False
    return lambda: quiet.include(now().time())
