"""What plays, and how it goes over into something else: the player without its commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LofiError
from .checks import checked_crossfade, checked_level
from .choice import Choice
from .decks import PATIENT_CLOSE_TIMEOUT_SEC, Decks
from .events import (
    EndReason,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    PlayerEvent,
    PlayerNotice,
    PlayerState,
    PlaylistChanged,
    PlaylistEntry,
    StateName,
    TrackUnplayable,
)
from .joins import trim_of
from .now import Now
from .output import NoDeviceError, Output, Outputs, OutputSetting, Say
from .playlist import Item, Playlist
from .recovery import STALL_SEC, Recovery, StallWatch
from .sequel import Sequel

if TYPE_CHECKING:  # the front imports this at start; numpy comes with the first play
    from .deck import Deck, Loaded
    from .voice import Voice

IDLE_SEC = 5.0
FADE_TIMEOUT_SEC = 0.2

_log = logging.getLogger(__name__)


class Transport:
    """The half of ``Player`` that holds its state. It takes no lock: its methods are called while the player holds
    ``_commands``, or from the event loop in one go.
    """

    def __init__(
        self,
        listener: Callable[[PlayerEvent], None],
        output: OutputSetting | Outputs = "auto",
        volume: float = 1.0,
        *,
        open_output: Callable[[Say], Output] | None = None,
        idle_sec: float = IDLE_SEC,
        stall_sec: float = STALL_SEC,
        crossfade_sec: float = 0.0,
        playlist: Playlist | None = None,
    ) -> None:
        self._listener = listener
        self._level = checked_level(volume)
        self._duck = 1.0
        self._idle_sec = idle_sec
        self._state: StateName = "stopped"
        self._message: str | None = None
        self._now: Now | None = None
        self._playlist = playlist or Playlist()
        self._outputs = output if isinstance(output, Outputs) else Outputs(output)
        self._decks = Decks(
            open_output or self._outputs.open, self._on_silent, self._on_begun, self._on_lost, self._notice
        )
        self._choice = Choice(self._outputs, self._device_id, self._tell)
        self._recovery = Recovery(self._play_on)
        self._watch = StallWatch(self._pulls, self._on_stall, stall_sec)
        self._commands = asyncio.Lock()
        self._sequel = Sequel(
            self._decks,
            now=lambda: self._now,
            wanted=self._playlist.after,
            load=self._open,
            on_begun=self._on_follows,
            on_bad=self._drop,
        )
        self._sequel.crossfade_sec = checked_crossfade(crossfade_sec)
        self._advancing: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._releasing: asyncio.Task[None] | None = None

    def state(self) -> PlayerState:
        now, deck = self._now, self._decks.current
        return PlayerState(
            state=self._state,
            volume=self._level,
            crossfade_sec=self._sequel.crossfade_sec,
            loop=self._playlist.loop,
            shuffle=self._playlist.shuffle,
            playlist_length=len(self._playlist),
            playlist_index=self._playlist.index,
            position_sec=self._position_sec(),
            duration_sec=now.duration_sec if now else 0.0,
            track_id=now.track_id if now else None,
            device=deck.output.device if deck else None,
            message=self._message,
        )

    def playlist(self) -> PlaylistChanged:
        """The playlist as it is now."""
        entries = tuple(PlaylistEntry(item.track_id, item.prompt, item.duration_sec) for item in self._playlist.items)
        return PlaylistChanged(entries, self._playlist.index, self._playlist.loop, self._playlist.shuffle)

    async def _load(self, item: Item, start_sec: float) -> Loaded:
        level = self._level * self._duck
        loaded = await self._decks.load(item.growth or Path(item.path), start_sec, level, trim_of(item.lufs))
        if level != self._level * self._duck:  # set while the device was opened
            self._sound_level()
        return loaded

    def _sound_level(self) -> None:
        if self._decks.current:
            self._decks.current.mixer.set_level(self._level * self._duck)

    async def _open(self, item: Item) -> Now:
        loaded = await self._load(item, 0.0)
        return Now(item, item.duration_sec or loaded.source.duration_sec, loaded.voice)

    async def _go(self, item: Item | None, reason: EndReason) -> None:
        """Go over to ``item``, or to the first after it that can be played; None or none is the music's end."""
        while item is not None:
            try:
                self._switch(self._sequel.take(item) or await self._open(item), reason)
                return
            except NoDeviceError as exc:
                self._no_device(str(exc), item)
                return
            except LofiError as exc:
                if exc.name == "AUDIO_DEVICE_ERROR":
                    raise
                self._drop(item, exc)
                item = self._playlist.after(skipping=True)
        if self._decks.current:
            self._decks.current.mixer.leave()
        self._sequel.forget()
        self._recovery.cancel()
        self._finish(reason)

    def _switch(self, coming: Now, reason: EndReason) -> None:
        """Let ``coming``, whose voice is on the deck, begin now."""
        deck = self._decks.current
        assert deck is not None and coming.voice is not None
        overlap = self._sequel.overlap_frames(coming) if self._state == "playing" else 0
        self._recovery.cancel()
        deck.mixer.start(coming.voice, overlap)
        self._sequel.forget()
        self._end(reason)
        self._state, self._message = "playing", None
        self._become(coming)
        self._watch.start()

    def _become(self, coming: Now) -> None:
        self._now = coming
        if coming.track_id in self._playlist:
            self._playlist.jump(coming.track_id)
        self._cancel_idle()
        self._tell(PlaybackStarted(coming.track_id, 0.0, coming.duration_sec))
        self._playlist_changed()

    def _playlist_changed(self) -> PlaylistChanged:
        changed = self.playlist()
        self._tell(changed)
        self._sequel.look()
        return changed

    def _drop(self, item: Item, error: LofiError) -> None:
        """Take a track out of the playlist that cannot be played, and say so."""
        self._notice(error.message)
        self._playlist.remove(item.track_id)
        self._tell(TrackUnplayable(item.track_id))
        self._playlist_changed()

    def _no_device(self, why: str, item: Item) -> None:
        self._end("skipped")
        self._state = "no_device"
        self._playlist.play(item)
        self._playlist_changed()
        self._tell_no_device(why)

    def _finish(self, reason: EndReason) -> None:
        """The music is over."""
        self._state, self._message = "stopped", None
        self._end(reason)
        self._playlist.end()
        self._playlist_changed()

    def _sound(self, loaded: Loaded) -> None:
        loaded.deck.mixer.start(loaded.voice)
        self._sequel.forget()
        self._state, self._message = "playing", None
        self._cancel_idle()
        self._watch.start()
        self._sequel.look()

    def _pause(self) -> PlayerState:
        if self._state == "playing" and self._now and self._decks.current:
            self._decks.current.mixer.pause()
            self._state = "paused"
            self._tell(PlaybackPaused(self._now.track_id, self._position_sec()))
            self._arm_idle()
        return self.state()

    async def _resume(self) -> PlayerState:
        now = self._now
        if self._state == "waiting":
            self._recovery.hurry()
        if self._state != "paused" or now is None:
            return self.state()
        if self._decks.current and now.voice:
            self._decks.current.mixer.resume()
            self._state, self._message = "playing", None
            self._cancel_idle()
            self._watch.start()
        else:
            try:
                loaded = await self._load(now.item, now.position_sec)
            except NoDeviceError as exc:
                self._tell_no_device(str(exc))
                return self.state()
            now.voice = loaded.voice
            self._sound(loaded)
        self._tell(PlaybackResumed(now.track_id, self._position_sec()))
        return self.state()

    def _stop(self, reason: EndReason = "stopped") -> None:
        if self._decks.current:
            self._decks.current.mixer.leave()
        self._sequel.forget()
        self._end(reason)
        self._state, self._message = "stopped", None

    def _end(self, reason: EndReason) -> None:
        """Forget the track. Its voice, if it still sounds, fades out by what the caller told the mixer."""
        now, self._now = self._now, None
        if now:
            self._tell(PlaybackEnded(now.track_id, reason))
            self._arm_idle()

    def _on_silent(self, voice: Voice) -> None:
        """A voice has faded out, or its file has ended and left the device."""
        self._sequel.silent(voice)
        now = self._now
        if now is None or now.voice is not voice:
            return
        reason = self._ending_of(now)
        if self._playlist.after() is None:
            self._finish(reason)
            return
        # What follows is still being opened, or would not open in time.
        now.voice, now.position_sec = None, now.duration_sec
        self._advancing = asyncio.get_running_loop().create_task(self._advance(now, reason))

    def _on_begun(self, voice: Voice) -> None:
        self._sequel.begun(voice)

    def _on_follows(self, coming: Now) -> None:
        """The mixer has gone over to ``coming``."""
        if self._now:
            self._end(self._ending_of(self._now))
            self._become(coming)

    def _ending_of(self, now: Now) -> EndReason:
        error = now.voice.source.error if now.voice else None
        if error:
            self._notice(f"{now.path.name} broke off: {error}.")
        return "error" if error else "finished"

    async def _advance(self, ended: Now, reason: EndReason) -> None:
        async with self._commands:
            if self._now is not ended or self._state != "playing":
                return
            try:
                await self._go(self._playlist.after(), reason)
            except LofiError as exc:
                self._notice(exc.message)
                self._finish("error")

    def _on_lost(self, deck: Deck, why: str = "The sound device went away") -> None:
        """The device is gone. Wait where it was last heard; ``_play_on`` is tried from there."""
        was_playing = self._state == "playing"
        self._let_go(unheard_sec=deck.output.latency_sec if was_playing else 0.0)
        self._decks.abandon()
        self._outputs.distrust()
        if self._now and was_playing:
            self._state = "waiting"
            self._message = f"{why}; the music goes on here once one plays."
            self._tell(PlaybackPaused(self._now.track_id, self._position_sec()))
            self._recovery.begin()
            if self._recovery.is_news:
                self._notice(self._message)

    def _on_stall(self) -> None:
        if self._decks.current:
            self._on_lost(self._decks.current, "The sound device takes no more sound")

    async def _play_on(self) -> bool:
        """Try to leave "waiting"; whether there is nothing more to try."""
        async with self._commands:
            now = self._now
            if self._state != "waiting" or now is None:
                return True
            try:
                loaded = await self._load(now.item, now.position_sec)
            except NoDeviceError:
                return False
            except LofiError as exc:
                if exc.name == "AUDIO_DEVICE_ERROR":
                    return False
                await self._go_past(now.item, exc)
                return True
            now.voice = loaded.voice
            self._sound(loaded)
            self._tell(PlaybackResumed(now.track_id, self._position_sec()))
            if self._recovery.is_news:
                self._tell(PlayerNotice("info", f"The music goes on through “{loaded.deck.output.device}”."))
            self._choice.look()
            return True

    async def _go_past(self, item: Item, error: LofiError) -> None:
        """``item`` went missing while its device was: play what follows it."""
        self._drop(item, error)
        try:
            await self._go(self._playlist.after(skipping=True), "error")
        except LofiError as exc:
            self._notice(exc.message)
            self._finish("error")

    def _stop_waiting(self) -> None:
        """Not only once the command has its turn: an attempt may hold it for as long as a sound server hangs."""
        if self._state == "waiting":
            self._recovery.cancel()
            self._state, self._message = "paused", None

    async def _move(self) -> None:
        """Leave the device that is open for the chosen one, at the sample where its fade out ended."""
        deck, now = self._decks.current, self._now
        assert deck is not None
        if now and now.voice and self._state == "playing":
            voice, start_sec = now.voice, deck.sources[now.voice].start_sec
            self._let_go()
            deck.mixer.leave()
            await self._decks.quiet(FADE_TIMEOUT_SEC)
            now.position_sec = start_sec + voice.position / deck.mixer.rate
        else:
            self._let_go()
        await self._decks.release(PATIENT_CLOSE_TIMEOUT_SEC)
        if now is None or self._state != "playing":
            return
        try:
            loaded = await self._load(now.item, now.position_sec)
        except (NoDeviceError, LofiError) as exc:
            self._state, self._message = "waiting", str(exc)
            self._tell(PlaybackPaused(now.track_id, self._position_sec()))
            self._notice(self._message)
            self._recovery.begin()
            return
        now.voice = loaded.voice
        self._sound(loaded)
        self._tell(PlaybackResumed(now.track_id, self._position_sec()))

    def _pulls(self) -> int | None:
        """For the watch on stalls: None while there is nothing to pull."""
        deck = self._decks.current
        return deck.pulls if deck and self._state == "playing" else None

    def _device_id(self) -> str | None:
        deck = self._decks.current
        return (deck.output.device_id or None) if deck else None

    def _let_go(self, *, unheard_sec: float = 0.0) -> None:
        """Keep the track's place in seconds, now that its voice goes with the deck."""
        now = self._now
        self._sequel.forget()
        if now and now.voice and self._decks.current:
            now.position_sec = max(0.0, self._decks.current.position_sec(now.voice) - unheard_sec)
            now.voice = None

    def _arm_idle(self) -> None:
        self._cancel_idle()
        self._idle = asyncio.get_running_loop().call_later(self._idle_sec, self._start_release)

    def _cancel_idle(self) -> None:
        if self._idle:
            self._idle.cancel()
            self._idle = None

    def _start_release(self) -> None:
        self._releasing = asyncio.get_running_loop().create_task(self._release_if_idle())

    async def _release_if_idle(self) -> None:
        async with self._commands:
            if self._state != "playing":
                self._let_go()
                await self._decks.release(PATIENT_CLOSE_TIMEOUT_SEC)

    def _position_sec(self) -> float:
        now = self._now
        if now is None:
            return 0.0
        position = now.position_sec
        if now.voice and self._decks.current:
            position = self._decks.current.position_sec(now.voice)
        return min(position, now.duration_sec)

    def _tell_no_device(self, message: str) -> None:
        """State the reason, and say it once, not at every attempt."""
        if message != self._message:
            self._message = message
            self._notice(message)

    def _notice(self, message: str) -> None:
        self._tell(PlayerNotice("warn", message))

    def _tell(self, event: PlayerEvent) -> None:
        try:
            self._listener(event)
        except Exception:
            _log.exception("a listener of the player failed")
