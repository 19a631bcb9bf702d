"""Which models the worker holds, and which it is loading: read from what it says, as it cannot speak meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..backends.base import Equipment
from ..engine.link import Cancelled, Done, Failed, FromWorker, Progress, Started
from ..model import StageParams
from .job import Job


class Memory:
    """``changed`` is called when loading begins, with the stage that needs the model, and with None when it ends.

    One model is held for each backend. Only backends that have weights are ever loading.
    """

    def __init__(self, changed: Callable[[StageParams | None], None]) -> None:
        self._changed = changed
        self._held: dict[str, Equipment] = {}
        self._loading: tuple[StageParams, Equipment] | None = None

    def backends(self) -> list[str]:
        """Those that hold something, by name."""
        return sorted(self._held)

    def hear(self, message: FromWorker, job: Job | None) -> None:
        """``job`` is the one that runs."""
        if job is None or getattr(message, "job_id", None) != job.id:
            return
        if isinstance(message, Started):
            params, equipment = job.stages[message.stage_index], job.equipment[message.stage_index]
            if self._held.get(params.backend) != equipment:
                self._begin(params, equipment)
        elif isinstance(message, Progress | Done | Cancelled):  # an engine looks for a cancel only once it has loaded
            self._end(held=True)
        elif isinstance(message, Failed):
            self._end(held=False)

    def drop(self, backends: Iterable[str]) -> None:
        """These were unloaded."""
        for backend in backends:
            self._held.pop(backend, None)

    def clear(self) -> None:
        """The worker is gone, and all that it held."""
        self._held.clear()
        self._end(held=False)

    def _begin(self, params: StageParams, equipment: Equipment) -> None:
        self._held.pop(params.backend, None)
        if equipment.folders:
            self._loading = (params, equipment)
            self._changed(params)
        else:
            self._held[params.backend] = equipment

    def _end(self, *, held: bool) -> None:
        if self._loading is None:
            return
        (params, equipment), self._loading = self._loading, None
        if held:
            self._held[params.backend] = equipment
        self._changed(None)
