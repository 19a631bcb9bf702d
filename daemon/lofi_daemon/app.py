"""The composition root: builds the rooms and wires them. The only file that knows all of them."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path

from . import config, limits
from .backends.registry import BACKENDS
from .engine.host import WORKER, EngineHost, worker_environment
from .engine.link import FromWorker, Notice, Started
from .generation import Generation
from .jobs.job import JobCompleted, JobEvent
from .jobs.lifecycle import Jobs
from .library.room import Library
from .model import NoticeLevel, Track
from .player.events import PlayerEvent, PlayerNotice, TrackUnplayable
from .player.output import Outputs
from .player.player import Player
from .player.playlist import item_of
from .protocol import notify
from .protocol.methods import daemon as daemon_methods
from .protocol.methods import devices as device_methods
from .protocol.methods import generation as generation_methods
from .protocol.methods import library as library_methods
from .protocol.methods import playback as playback_methods
from .protocol.methods import playlist as playlist_methods
from .protocol.methods.table import Table
from .protocol.session import Session
from .protocol.stdio import StdioTransport
from .protocol.wire import Dispatcher, Splitter

log = logging.getLogger(__name__)

LEAVE_WITHIN_SEC = 0.8
"""After the end of stdin; the contract says one second."""


class App:
    """All rooms of one daemon, connected. Make it on a running loop; ``close`` it there."""

    def __init__(self, loaded: config.Loaded, worker: tuple[str, ...] = WORKER) -> None:
        settings = loaded.settings
        self.leaving = asyncio.Event()
        self.notifier = notify.Notifier()
        self.library = Library(settings.cache_root, settings.max_cache_bytes, self._notice, self._in_use)
        self.player = Player(
            self._on_player,
            Outputs(settings.player.output, settings.player.device),
            settings.player.volume,
            crossfade_sec=settings.player.crossfade_sec,
        )
        self.engine = EngineHost(
            self._on_engine,
            self._on_worker_exit,
            worker_environment(settings),
            worker,
            idle_unload_sec=settings.idle_unload_min * 60,
        )
        self.jobs = Jobs(self.engine, self.library, self._on_job, settings.cache.format)
        self.generation = Generation(
            settings, self.jobs, self.library, self.engine, limits.load(settings.limit_hook), self._notice
        )
        table = Table()
        daemon_methods.add(
            table, settings, self.generation, self.jobs, self.library, self.player, self.engine, self.leaving.set
        )
        generation_methods.add(table, settings, self.generation, self.jobs, self.engine)
        library_methods.add(table, self.library)
        playback_methods.add(table, self.library, self.player)
        playlist_methods.add(table, self.library, self.player)
        device_methods.add(table, self.player)
        self.dispatcher = Dispatcher(table)
        self._background: set[asyncio.Task[object]] = set()
        for problem in loaded.problems:
            self._notice("warn", problem)

    async def close(self) -> None:
        """Cancel what runs (saying so), fade the music out, end the worker, close the index."""
        self.jobs.close()
        await asyncio.gather(self.player.close(), self.engine.close())
        await self.library.close()

    def _notice(self, level: NoticeLevel, message: str) -> None:
        log.log({"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}[level], "%s", message)
        self.notifier.notice(level, message)

    def _in_use(self) -> set[str]:
        """Tracks that must not be evicted now."""
        upcoming = self.player.upcoming()
        return {track_id for track_id in (self.player.state().track_id, upcoming and upcoming.track_id) if track_id}

    def _on_engine(self, message: FromWorker) -> None:
        if isinstance(message, Notice):
            self._notice(message.level, message.message)
            return
        if isinstance(message, Started) and self.jobs.current:
            self.generation.loaded.add(self.jobs.current.params.backend)
        self.jobs.on_message(message)

    def _on_worker_exit(self, reason: str) -> None:
        self.generation.loaded.clear()
        self.jobs.on_worker_exit(reason)

    def _on_job(self, event: JobEvent) -> None:
        self.notifier.job(event)
        if isinstance(event, JobCompleted) and event.job.auto_play:
            self._spawn(self._play(event.tracks[0]))

    async def _play(self, track: Track) -> None:
        try:
            await self.player.play_item(item_of(track))
        except Exception as error:
            self._notice("warn", f"The track is ready but could not be played: {error}")

    def _on_player(self, event: PlayerEvent) -> None:
        if isinstance(event, PlayerNotice):
            self._notice(event.level, event.message)
        elif isinstance(event, TrackUnplayable):
            self._spawn(self.library.find_all((event.track_id,)))  # asking makes the index forget a file that is gone
        else:
            self.notifier.player(event)

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def serve_stdio(loaded: config.Loaded, source: int, sink: int, worker: tuple[str, ...] = WORKER) -> None:
    """One daemon for the client on ``source`` and ``sink`` (fds), until it closes its end or asks to shut down.

    ``worker`` is the command that starts the other process.
    """
    app = App(loaded, worker)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, app.leaving.set)
    splitter = Splitter()
    ended = asyncio.Event()

    def on_data(data: bytes) -> None:
        session.receive(splitter.feed(data))

    def on_end() -> None:
        session.receive(splitter.rest())
        ended.set()

    transport = StdioTransport(source, sink, on_data, on_end)
    session = Session(app.dispatcher, transport.write)
    app.notifier.connect(session.notify)
    leave = [asyncio.create_task(ended.wait()), asyncio.create_task(app.leaving.wait())]
    await asyncio.wait(leave, return_when=asyncio.FIRST_COMPLETED)
    try:
        async with asyncio.timeout(LEAVE_WITHIN_SEC):
            await session.drain()
            await app.close()
    except TimeoutError:
        log.warning("left without waiting for everything to close")
    finally:
        app.engine.kill()
        transport.flush(0.2)


def load_settings(setup: tuple[str, ...], file: Path | None = None) -> config.Loaded:
    return config.load(setup, file=file, backends=tuple(BACKENDS))
