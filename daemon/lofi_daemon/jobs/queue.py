"""The waiting line: at most five, high before normal before low, first in first out inside a level."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import LofiError
from ..model import Priority
from .job import Job

MAX_WAITING = 5
LEVELS: tuple[Priority, ...] = ("high", "normal", "low")


class WaitingLine:
    def __init__(self) -> None:
        self._levels: dict[Priority, list[Job]] = {level: [] for level in LEVELS}

    def __len__(self) -> int:
        return sum(len(jobs) for jobs in self._levels.values())

    def __iter__(self) -> Iterator[Job]:
        """In the order they will run."""
        for level in LEVELS:
            yield from self._levels[level]

    def require_room(self) -> None:
        """Raises QUEUE_FULL if one more would be too many."""
        if len(self) >= MAX_WAITING:
            raise LofiError(
                "QUEUE_FULL",
                f"{MAX_WAITING} requests are already waiting; wait for one to finish or cancel one.",
                expected=MAX_WAITING,
                got=len(self) + 1,
            )

    def push(self, job: Job) -> None:
        """Raises QUEUE_FULL."""
        self.require_room()
        self._levels[job.priority].append(job)

    def pop(self) -> Job | None:
        """The one to run next."""
        for level in LEVELS:
            if self._levels[level]:
                return self._levels[level].pop(0)
        return None

    def remove(self, job: Job) -> None:
        self._levels[job.priority].remove(job)

    def raise_priority(self, job: Job, priority: Priority) -> None:
        """Move ``job`` to the end of a higher level; a lower or equal one changes nothing."""
        if LEVELS.index(priority) < LEVELS.index(job.priority):
            self.remove(job)
            job.priority = priority
            self._levels[priority].append(job)

    def move(self, job: Job, position: int) -> None:
        """Make ``job`` the ``position``-th to run, 1 to ``len``; between two levels it takes the nearer one."""
        others = [other for other in self if other is not job]
        ahead, behind = others[: position - 1], others[position - 1 :]
        level = LEVELS.index(job.priority)
        if ahead:
            level = max(level, LEVELS.index(ahead[-1].priority))
        if behind:
            level = min(level, LEVELS.index(behind[0].priority))
        self.remove(job)
        job.priority = LEVELS[level]
        self._levels[job.priority].insert(sum(other.priority == job.priority for other in ahead), job)

    def position(self, job: Job) -> int:
        """1 = next to run."""
        return list(self).index(job) + 1

    def clear(self) -> list[Job]:
        jobs = list(self)
        for level in LEVELS:
            self._levels[level].clear()
        return jobs
