"""Lets a track be heard while it is made, as soon as it will not run dry."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine

from .jobs.job import Job, JobCancelled, JobCompleted, JobEvent, JobFailed, JobStreaming
from .player.events import EndReason
from .player.growth import Growth
from .player.player import Player
from .player.playlist import Item, item_of

_log = logging.getLogger(__name__)


class Streaming:
    """Follows the one job that runs. ``play(item)`` begins a track and says it where that fails."""

    def __init__(
        self,
        player: Player,
        play: Callable[[Item], Coroutine[object, object, None]],
        may_start: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._player = player
        self._play = play
        self._may_start = may_start
        self._clock = clock
        self._job: Job | None = None
        self._growth: Growth | None = None
        self._begun = False
        self._tasks: set[asyncio.Task[None]] = set()

    def on_job(self, event: JobEvent) -> bool:
        """Every event of every job. True for the end of one whose track was already begun: not to be begun again."""
        if isinstance(event, JobStreaming):
            self._on_audio(event)
        elif isinstance(event, JobCompleted | JobFailed | JobCancelled) and event.job is self._job:
            return self._on_end(event)
        return False

    def _on_audio(self, event: JobStreaming) -> None:
        job = event.job
        if job is not self._job:
            self._job, self._growth, self._begun = job, self._open(event), False
        growth = self._growth
        if growth is None:
            return
        growth.grown(event.frames, self._clock())
        if job.auto_play and not self._begun and not job.cancelling and growth.is_safe_from(0.0) and self._may_start():
            self._begun = True
            params = job.params
            self._spawn(self._play(Item(job.track_id, event.path, params.title, params.duration_sec, growth=growth)))

    def _on_end(self, event: JobCompleted | JobFailed | JobCancelled) -> bool:
        growth, begun = self._growth, self._begun
        self._job, self._growth, self._begun = None, None, False
        if growth is None or not begun:
            return False
        if isinstance(event, JobCompleted):
            growth.finish()
            self._spawn(self._player.made(item_of(event.tracks[0])))
        else:
            reason: EndReason = "error" if isinstance(event, JobFailed) else "stopped"
            self._spawn(self._player.give_up(event.job.track_id, reason))
        return True

    def _open(self, event: JobStreaming) -> Growth | None:
        if os.name != "posix":  # a file that is open cannot be removed there
            return None
        try:
            return Growth(event.path, event.sample_rate, event.channels, event.job.params.duration_sec)
        except OSError as error:
            _log.warning("%s cannot be heard before it is finished: %s", event.path, error)
            return None

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
