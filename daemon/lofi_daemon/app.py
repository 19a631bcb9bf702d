"""The composition root: builds the rooms and wires them. The only file that knows all of them."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Callable
from pathlib import Path

from . import config, limits
from .backends.registry import BACKENDS, default_backend
from .engine.host import WORKER, EngineHost, worker_environment
from .engine.link import FromWorker, Notice
from .errors import LofiError
from .generation import Generation
from .jobs.job import JobCompleted, JobEvent, JobResumed, JobStreaming, LatentUnkept
from .jobs.lifecycle import Jobs
from .jobs.memory import Memory
from .library.latents.sweeper import Sweeper
from .library.room import Library
from .model import NoticeLevel, StageParams, Track
from .models.manager import Downloads
from .mpris import room as mpris
from .mpris.view import View, view
from .pipelines import Pipelines
from .player.events import (
    DevicesChanged,
    PlaybackEnded,
    PlaybackResumed,
    PlaybackStarted,
    PlayerEvent,
    PlayerNotice,
    PlaylistChanged,
    TrackUnplayable,
)
from .player.output import Outputs
from .player.player import Player
from .player.playlist import Item, item_of
from .protocol import notify
from .protocol.methods import daemon as daemon_methods
from .protocol.methods import devices as device_methods
from .protocol.methods import generation as generation_methods
from .protocol.methods import health as health_methods
from .protocol.methods import latents as latent_methods
from .protocol.methods import library as library_methods
from .protocol.methods import models as model_methods
from .protocol.methods import pipelines as pipeline_methods
from .protocol.methods import playback as playback_methods
from .protocol.methods import playlist as playlist_methods
from .protocol.methods import radio as radio_methods
from .protocol.methods import studio as studio_methods
from .protocol.methods import timers as timer_methods
from .protocol.methods.table import Table
from .protocol.session import Session
from .protocol.stdio import StdioTransport
from .protocol.wire import Dispatcher, Splitter
from .radio import presets
from .radio.maker import Maker
from .radio.player import RadioPlayer
from .radio.radio import Radio
from .radio.shelf import Shelf
from .resume import Resume
from .streaming import Streaming
from .timers import quiet
from .timers.battery import BatteryWatch
from .timers.focus import FocusTimer
from .timers.music import Music
from .timers.sleep import SleepTimer

log = logging.getLogger(__name__)

LEAVE_WITHIN_SEC = 0.8
"""After the end of stdin; the contract says one second."""


class App:
    """All rooms of one daemon, connected. Make it on a running loop; ``close`` it there."""

    def __init__(self, loaded: config.Loaded, worker: tuple[str, ...] = WORKER, shared_log: Path | None = None) -> None:
        """``shared_log`` is the log of a daemon that several clients share, None for one of a client's own."""
        settings = loaded.settings
        self.leaving = asyncio.Event()
        self.notifier = notify.Notifier()
        self.library = Library(
            settings.cache_root,
            settings.max_cache_bytes,
            self._notice,
            self._in_use,
            lambda change: self.notifier.emit("library_changed", change),
            latent_dir=settings.latent_root,
            latent_ttl_hours=settings.latent_ttl_hours,
            latents_in_use=lambda: self.jobs.latents(),
        )
        self.sweeper = Sweeper(self.library.sweep_latents)
        self.player = Player(
            self._on_player,
            Outputs(settings.player.output, settings.player.device),
            settings.player.volume,
            crossfade_sec=settings.player.crossfade_sec,
        )
        self.engine = EngineHost(
            self._on_engine,
            self._on_worker_exit,
            worker_environment(settings, log_file=shared_log),
            worker,
            idle_unload_sec=settings.idle_unload_min * 60,
        )
        self.jobs = Jobs(self.engine, self.library, self._on_job, settings.cache.format)
        self.memory = Memory(self._on_loading)
        self.generation = Generation(
            settings, self.jobs, self.library, self.engine, self.memory, limits.load(settings.limit_hook), self._notice
        )
        self.pipelines = Pipelines(self.library, self.jobs.live)
        self.downloads = Downloads(settings, self.notifier.emit, self._notice)
        self._hushed = self._quiet_hours(settings.player.quiet_hours)
        self.streaming = Streaming(self.player, self._play, self._may_start, asyncio.get_running_loop().time)
        self.radio = self._make_radio(loaded)
        music = Music(self.player, self.radio.begin)
        self.sleep = SleepTimer(music, lambda state: self.notifier.emit("sleep_changed", state))
        self.focus = FocusTimer(
            music, lambda state: self.notifier.emit("focus_changed", state), self._notice, self._hushed
        )
        self.battery = BatteryWatch(music, self._notice, hushed=self._hushed)
        if settings.player.pause_on_battery:
            self.battery.start()
        table = Table()
        daemon_methods.add(
            table,
            settings,
            self.generation,
            self.jobs,
            self.library,
            self.player,
            self.engine,
            self.radio,
            self.sleep,
            self.focus,
            self.leaving.set,
            shared_log,
        )
        generation_methods.add(table, self.generation, self.jobs)
        pipeline_methods.add(table, self.generation, self.pipelines, self.library)
        studio_methods.add(table)
        model_methods.add(table, settings, self.downloads)
        library_methods.add(table, self.library, settings.cache.format)
        latent_methods.add(table, self.library)
        playback_methods.add(table, self.library, self.player)
        playlist_methods.add(table, self.library, self.player)
        device_methods.add(table, self.player)
        radio_methods.add(table, self.radio)
        timer_methods.add(table, self.sleep, self.focus)
        health_methods.add(table, loaded, lambda: self.player.state().device)
        self.dispatcher = Dispatcher(table)
        self.mpris: mpris.Mpris | None = None
        if mpris.wanted(settings.player.mpris):
            self.mpris = mpris.Mpris(self._shown, lambda method, params: table[method](params))
        self.resume = Resume(self.player, self.library, settings.cache_root) if settings.player.resume else None
        if self.resume:
            self.resume.begin()
        self.sweeper.begin()
        self._background: set[asyncio.Task[object]] = set()
        if shared_log is None:  # else every client is told the problems of its own settings
            for problem in loaded.problems:
                self._notice("warn", problem)

    async def close(self) -> None:
        """Cancel what runs (saying so), fade the music out, end the worker, close the index."""
        for room in (self.radio, self.sleep, self.focus, self.battery, self.sweeper):
            room.close()
        self.jobs.close()
        if self.resume:
            await self.resume.close()
        await asyncio.gather(self.player.close(), self.engine.close(), self.downloads.close())
        if self.mpris:
            await self.mpris.close()
        await self.library.close()

    def is_needed(self) -> bool:
        """Whether it works, fetches, plays, or is in a focus break after which the music comes back."""
        playing = self.player.state().state == "playing"
        return bool(self.jobs.live()) or self.downloads.active or playing or self.focus.state().active

    def _quiet_hours(self, setting: str) -> Callable[[], bool]:
        try:
            return quiet.hush(quiet.parse(setting))
        except LofiError as error:
            self._notice("warn", f"{error.message} There are no quiet hours until then.")
            return quiet.hush(None)

    def _make_radio(self, loaded: config.Loaded) -> Radio:
        settings, clock = loaded.settings, asyncio.get_running_loop().time
        moods, problems = presets.load(loaded.file)
        for problem in problems:
            self._notice("warn", problem)

        def choose(name: str | None) -> str:
            name = name or settings.radio.backend or default_backend(settings)
            if name not in BACKENDS:
                raise LofiError(
                    "INVALID_BACKEND", f"There is no backend “{name}”; choose one of {', '.join(BACKENDS)}.",
                    field="backend", expected=list(BACKENDS), got=name,
                )  # fmt: skip
            return name

        def unready(name: str) -> str | None:
            available = BACKENDS[name].availability(settings)
            return None if available.status == "ready" else available.message

        self.maker = Maker(
            self.generation.generate,
            self.jobs,
            clock,
            takes=lambda name: BACKENDS[name].takes,
            unready=unready,
            music_sec=self.player.music_left_sec,
            say=lambda message: self._notice("warn", message),
            can_continue=lambda name: name in BACKENDS and "continue" in BACKENDS[name].stage_types,
        )
        return Radio(
            RadioPlayer(self.player),
            Shelf(self.library.page, random.Random()),
            self.maker,
            moods,
            strategy=settings.radio.strategy,
            duration_sec=settings.radio.duration_sec,
            choose=choose,
            limits=lambda name: (BACKENDS[name].min_duration_sec, BACKENDS[name].max_duration_sec),
            changed=lambda state: self.notifier.emit("radio_changed", state),
            notice=self._notice,
            clock=clock,
            chance=random.Random(),
            hushed=self._hushed,
        )

    def _notice(self, level: NoticeLevel, message: str) -> None:
        log.log({"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}[level], "%s", message)
        self.notifier.notice(level, message)

    def _in_use(self) -> set[str]:
        """Tracks that must not be evicted now."""
        upcoming = self.player.upcoming()
        named = (self.player.state().track_id, upcoming and upcoming.track_id)
        material = {track_id for job in self.jobs.live() for track_id in job.sources}
        material |= {track.id for job in self.jobs.live() for result in job.results for track in result.tracks}
        return {track_id for track_id in named if track_id} | self.radio.holds() | material

    def _on_engine(self, message: FromWorker) -> None:
        if isinstance(message, Notice):
            self._notice(message.level, message.message)
            return
        self.memory.hear(message, self.jobs.current)
        self.jobs.on_message(message)

    def _on_worker_exit(self, reason: str) -> None:
        self.memory.clear()
        self.jobs.on_worker_exit(reason)

    def _on_loading(self, params: StageParams | None) -> None:
        if params:
            self.downloads.loading(params.backend, params.model or "")
        else:
            self._spawn(self.downloads.loaded())

    def _on_job(self, event: JobEvent) -> None:
        begun = self.streaming.on_job(event)
        if isinstance(event, JobStreaming):
            return
        if isinstance(event, JobResumed):
            self._notice("warn", f"The worker died ({event.reason}); the track goes on where it was.")
            return
        if isinstance(event, LatentUnkept):
            self._notice("warn", f"The track has no latent to go on from later. {event.message}")
            return
        self.notifier.job(event)
        self.pipelines.on_job(event)
        self.maker.on_job(event)
        self.radio.wake()
        if isinstance(event, JobCompleted) and event.job.auto_play and not begun:
            self._spawn(self._play_made(event.tracks[0]))

    def _may_start(self) -> bool:
        """Whether music may begin by itself: not into the silence of quiet hours."""
        return not self._hushed() or self.player.state().state == "playing"

    async def _play_made(self, track: Track) -> None:
        if not self._may_start():
            self._notice("info", "The track is ready; it does not start by itself in your quiet hours.")
            return
        await self._play(item_of(track))

    async def _play(self, item: Item) -> None:
        try:
            if self.player.goes_on_in(item):
                await self.player.add([item], next=True)
            else:
                await self.player.play_item(item)
        except Exception as error:
            self._notice("warn", f"The track is ready but could not be played: {error}")

    def _on_player(self, event: PlayerEvent) -> None:
        if isinstance(event, PlayerNotice):
            self._notice(event.level, event.message)
        elif isinstance(event, TrackUnplayable):
            self._spawn(self.library.find_all((event.track_id,)))  # asking makes the index forget a file that is gone
        else:
            self.notifier.player(event)
            self._tell_rooms(event)
            if self.mpris:
                self.mpris.heard(event)

    def _shown(self) -> View:
        now = self.player.current()
        return view(self.player.state(), now.prompt if now else "")

    def _tell_rooms(self, event: PlayerEvent) -> None:
        """What the radio and the timers make of it, after the clients have heard."""
        if isinstance(event, PlaybackStarted):
            self.radio.on_started(event.track_id)
        elif isinstance(event, PlaybackEnded) and event.reason == "stopped":
            self.radio.on_stopped()
        elif isinstance(event, PlaybackEnded) and event.reason == "skipped":
            self.radio.on_skipped()
        elif isinstance(event, PlaylistChanged):
            self.radio.on_playlist([entry.track_id for entry in event.tracks])
        elif isinstance(event, DevicesChanged):
            self.radio.on_devices()
        else:
            self.radio.wake()
        if isinstance(event, PlaybackStarted | PlaybackResumed):
            self.battery.on_user()

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
        app.downloads.kill()
        transport.flush(0.2)


def load_settings(setup: tuple[str, ...], file: Path | None = None) -> config.Loaded:
    return config.load(setup, file=file, backends=tuple(BACKENDS))
