"""From the child's counts to what is told: percent that never falls, a steady speed, a time that is left."""

from __future__ import annotations

import math

from msgspec import Struct

from .link import Progress

SMOOTHING_SEC = 4.0
SPEED_AFTER_SEC = 1.0
SHORTEST_SEC = 0.1
LONGEST_SEC = 0.5
SLOWEST = 1000.0
"""Bytes a second below which a time that is left would say nothing."""


class DownloadProgress(Struct, frozen=True):
    """The notification ``download_progress``."""

    backend: str
    model: str
    component: str
    component_percent: int
    overall_percent: int
    bytes_downloaded: int
    bytes_total: int
    bytes_per_sec: float | None
    eta_sec: float | None
    file_name: str
    files_completed: int
    files_total: int


class Pace:
    """Of one download. A damaged file that is fetched again takes bytes away; what was told stays."""

    def __init__(self, backend: str, model: str) -> None:
        self._ident = (backend, model)
        self._began: float | None = None
        self._measured_at = 0.0
        self._fetched = 0
        self._speed: float | None = None
        self._told_at = -math.inf
        self._overall = -1
        self._bytes = 0
        self._files = 0
        self._components: dict[str, int] = {}

    def hear(self, progress: Progress, now: float) -> DownloadProgress | None:
        """What to tell at ``now`` (seconds of a clock that does not jump); None if it is too soon."""
        self._measure(progress, now)
        overall = max(self._overall, _percent(progress.done, progress.total))
        since = now - self._told_at
        ended = progress.done == progress.total and self._overall < 100
        if not ended and (since < SHORTEST_SEC or (overall == self._overall and since < LONGEST_SEC)):
            return None
        self._told_at, self._overall = now, overall
        self._bytes = max(self._bytes, progress.done)
        self._files = max(self._files, progress.files_done)
        part = max(
            self._components.get(progress.component, 0), _percent(progress.component_done, progress.component_total)
        )
        self._components[progress.component] = part
        left = progress.total - progress.done
        return DownloadProgress(
            *self._ident,
            component=progress.component,
            component_percent=part,
            overall_percent=overall,
            bytes_downloaded=self._bytes,
            bytes_total=progress.total,
            bytes_per_sec=self._speed,
            eta_sec=left / self._speed if self._speed and self._speed >= SLOWEST else None,
            file_name=progress.file,
            files_completed=self._files,
            files_total=progress.files_total,
        )

    @property
    def percent(self) -> int:
        return max(0, self._overall)

    def _measure(self, progress: Progress, now: float) -> None:
        """An exponential mean over ``SMOOTHING_SEC``, after a first second in which there is none."""
        if self._began is None:
            self._began = self._measured_at = now
            self._fetched = progress.fetched
            return
        elapsed = now - self._measured_at
        if now - self._began < SPEED_AFTER_SEC or elapsed < SHORTEST_SEC:
            return
        speed = (progress.fetched - self._fetched) / elapsed
        weight = 1.0 if self._speed is None else 1 - math.exp(-elapsed / SMOOTHING_SEC)
        self._speed = speed if self._speed is None else self._speed + weight * (speed - self._speed)
        self._measured_at, self._fetched = now, progress.fetched


def _percent(done: int, total: int) -> int:
    return 100 if total <= 0 else 100 * done // total
