"""The player: commands on the event loop, a playlist that plays one track after another, events to a listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LofiError
from .choice import Choice
from .decks import CLOSE_TIMEOUT_SEC, PATIENT_CLOSE_TIMEOUT_SEC, Decks
from .devices import DeviceList
from .events import (
    EndReason,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackSeeked,
    PlaybackStarted,
    PlayerEvent,
    PlayerNotice,
    PlayerState,
    PlaylistChanged,
    PlaylistEntry,
    StateName,
    TrackUnplayable,
    VolumeChanged,
)
from .joins import MAX_CROSSFADE_SEC, trim_of
from .now import Now
from .output import NoDeviceError, Output, Outputs, OutputSetting, Say
from .playlist import Item, Loop, Playlist
from .recovery import STALL_SEC, Recovery, StallWatch
from .sequel import Sequel
from .state import Saved

if TYPE_CHECKING:  # the front imports this at start; numpy comes with the first play
    from .deck import Deck, Loaded
    from .voice import Voice

__all__ = ["Item", "Player", "PlayerState"]

IDLE_SEC = 5.0
FADE_TIMEOUT_SEC = 0.2

_log = logging.getLogger(__name__)


class Player:
    """Plays tracks through what ``output`` opens; ``open_output(say)`` is asked instead if given.

    To be used on one event loop; ``listener`` is called there. Commands are carried out one after another in
    the order they came, and one that has nothing to do returns the state. State and events follow a command at
    once, the sound by one device latency. The output is released after ``idle_sec`` without sound, also
    in a pause; resuming opens it again at the same sample. When the device fails, or asks for no sample for
    ``stall_sec``, the player waits and goes on where it was last heard, on whatever device opens first.

    What plays is the current track of the playlist, unless it was removed meanwhile: then it plays on to its end.
    At its end the next one follows, over ``crossfade_sec`` or without a gap (see ``joins``). A track of the
    playlist that cannot be played is taken out, said, and passed over.
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
        self._level = _checked_level(volume)
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
            self._commands,
            now=lambda: self._now,
            wanted=self._playlist.after,
            load=self._open,
            on_begun=self._on_follows,
            on_bad=self._drop,
        )
        self._sequel.crossfade_sec = _checked_crossfade(crossfade_sec)
        self._advancing: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._releasing: asyncio.Task[None] | None = None

    @property
    def volume(self) -> float:
        return self._level

    @property
    def underruns(self) -> int:
        """Times the output that is open now ran dry."""
        return self._decks.current.output.underruns if self._decks.current else 0

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

    def current(self) -> Item | None:
        """What plays or is paused."""
        return self._now.item if self._now else None

    def upcoming(self) -> Item | None:
        """What follows the track that plays, as things are."""
        return self._playlist.after()

    def time_left_sec(self) -> float:
        """Until the end of the track that plays or is paused; 0 without one."""
        return self._now.duration_sec - self._position_sec() if self._now else 0.0

    def music_left_sec(self) -> float:
        """Until silence, if nothing is added: the track's rest and the playlist's. Infinite where it loops."""
        return self.time_left_sec() + self._playlist.left_sec()

    def saved(self) -> Saved:
        """What ``restore`` needs to come back to this."""
        current = self._playlist.current
        here = self._now is not None and current is not None and self._now.track_id == current.track_id
        return Saved(
            tuple(item.track_id for item in self._playlist.items),
            current.track_id if current else None,
            self._position_sec() if here else 0.0,
            self._level,
            self._playlist.loop,
            self._playlist.shuffle,
        )

    async def play(self, track_id: str, path: str | Path, duration_sec: float | None = None) -> PlayerState:
        """``play_item`` for a file of which no more is known."""
        return await self.play_item(Item(track_id, str(path), duration_sec=duration_sec or 0.0))

    async def play_item(self, item: Item) -> PlayerState:
        """Play ``item`` from its start; what plays ends as "skipped".

        It becomes the playlist's current track: where it stands there, or else after the one that was current.

        Without a sound device the state returned is "no_device" and nothing starts.

        Raises ``LofiError``: INVALID_TRACK_ID when the file is gone, UNSUPPORTED when it cannot be decoded,
        AUDIO_DEVICE_ERROR when the device will not open. Each is preceded by ``PlaybackEnded`` "error" for
        the track; what played before goes on.
        """
        async with self._commands:
            try:
                coming = await self._open(item)
            except NoDeviceError as exc:
                self._no_device(str(exc), item)
                return self.state()
            except LofiError:
                self._tell(PlaybackEnded(item.track_id, "error"))
                raise
            self._playlist.play(item)
            self._switch(coming, "skipped")
            return self.state()

    async def start(self) -> PlayerState:
        """From silence: play the playlist's current track from its start, or its first. Raises AUDIO_DEVICE_ERROR."""
        async with self._commands:
            if self._now is None and self._playlist:
                await self._go(self._playlist.current or self._playlist.after(skipping=True), "skipped")
            return self.state()

    async def skip(self) -> PlayerState:
        """Go over to the next track; at the playlist's end the music stops. Raises ``LofiError`` AUDIO_DEVICE_ERROR."""
        async with self._commands:
            if self._now or self._playlist:
                await self._go(self._playlist.after(skipping=True), "skipped")
            return self.state()

    async def previous(self) -> PlayerState:
        """Go back to the track before, or to the start of the first. Raises ``LofiError`` AUDIO_DEVICE_ERROR."""
        async with self._commands:
            item = self._playlist.before() or (self._now.item if self._now else None)
            if item:
                await self._go(item, "skipped")
            return self.state()

    async def seek(self, position_sec: float) -> PlayerState:
        """Go on at ``position_sec`` of the track, or at its end if that comes first; a pause goes on too.

        Raises ``LofiError``: INVALID_PARAMS (field "position_sec") for a negative one; as ``play_item`` where the
        file cannot be opened again, and then playback goes on where it was.
        """
        position_sec = _checked_position(position_sec)
        async with self._commands:
            now = self._now
            if now is None:
                return self.state()
            position_sec = min(position_sec, now.duration_sec)
            if self._state == "playing" and now.voice:
                loaded = await self._load(now.item, position_sec)
                if now is not self._now:  # the next track began meanwhile
                    loaded.deck.close_source(loaded.voice)
                    return self.state()
                now.voice = loaded.voice
                self._sound(loaded)
            else:
                if self._decks.current:
                    self._decks.current.mixer.leave()
                    self._sequel.forget()
                now.voice, now.position_sec = None, position_sec
            self._tell(PlaybackSeeked(now.track_id, position_sec))
            return self.state()

    async def add(self, items: Sequence[Item], *, next: bool = False) -> PlaylistChanged:
        """See ``Playlist.add``. Starts nothing. Raises ``LofiError`` INVALID_PARAMS for a list that is full."""
        async with self._commands:
            self._playlist.add(items, next=next)
            return self._playlist_changed()

    async def remove(self, track_id: str) -> PlaylistChanged:
        """Remove a track by its id or the beginning of it; what plays goes on. Raises as ``Playlist.meant``."""
        async with self._commands:
            self._playlist.remove(self._playlist.meant(track_id))
            return self._playlist_changed()

    async def clear(self) -> PlaylistChanged:
        """What plays goes on to its end."""
        async with self._commands:
            self._playlist.clear()
            return self._playlist_changed()

    async def set_mode(self, loop: Loop | None = None, shuffle: bool | None = None) -> PlaylistChanged:
        async with self._commands:
            self._playlist.set_mode(loop, shuffle)
            return self._playlist_changed()

    async def set_crossfade(self, duration_sec: float) -> PlayerState:
        """0–30 seconds, 0 = gapless. Raises ``LofiError`` INVALID_PARAMS (field "duration_sec") otherwise."""
        self._sequel.crossfade_sec = _checked_crossfade(duration_sec)
        self._sequel.offer_again()
        return self.state()

    async def restore(
        self, items: Sequence[Item], current_id: str | None, position_sec: float, loop: Loop, shuffle: bool
    ) -> PlayerState:
        """Be paused at ``position_sec`` of the track ``current_id`` of ``items``; no device is opened.

        Does nothing once something has been played or listed.
        """
        async with self._commands:
            if self._now or self._playlist:
                return self.state()
            self._playlist.add(items)
            if current_id is not None and current_id in self._playlist:
                self._playlist.jump(current_id)
            self._playlist.set_mode(loop, shuffle)
            current = self._playlist.current
            if current and position_sec > 0:
                self._now = Now(current, current.duration_sec, None, position_sec)
                self._state = "paused"
                self._tell(PlaybackPaused(current.track_id, position_sec))
            self._playlist_changed()
            return self.state()

    async def pause(self) -> PlayerState:
        self._stop_waiting()
        async with self._commands:
            return self._pause()

    async def resume(self) -> PlayerState:
        """Go on from where the pause began; in "waiting", try once more now.

        Raises ``LofiError`` as ``play`` does; the track stays paused then.
        """
        async with self._commands:
            return await self._resume()

    async def toggle(self) -> PlayerState:
        """Pause what plays or waits for a device, resume what is paused."""
        if self._state == "waiting":
            return await self.pause()
        async with self._commands:
            return self._pause() if self._state == "playing" else await self._resume()

    async def stop(self) -> PlayerState:
        self._stop_waiting()
        async with self._commands:
            self._stop()
            return self.state()

    async def set_volume(self, level: float) -> float:
        """Set the volume to ``level`` of 0–1. Raises ``LofiError`` INVALID_PARAMS (field "level") otherwise."""
        level = _checked_level(level)
        if level != self._level:
            self._level = level
            self._sound_level()
            self._tell(VolumeChanged(level))
        return level

    def duck(self, factor: float) -> None:
        """Sound at ``factor`` of the volume that is set, until told otherwise; for fades that take seconds."""
        self._duck = factor
        self._sound_level()

    async def devices(self) -> DeviceList:
        """The sound devices there are now. Raises ``LofiError`` AUDIO_DEVICE_ERROR where the system does not say."""
        return await self._choice.list()

    async def set_device(self, wanted: str) -> DeviceList:
        """Play through ``wanted``, an id, a name or a part of one, or "" for the system's default, from now on.

        What plays moves there without losing a sample. Raises ``LofiError`` AUDIO_DEVICE_ERROR, field "device",
        for one that is not there.
        """
        device_id, is_open = await self._choice.find(wanted)
        async with self._commands:
            self._outputs.chosen = device_id
            if self._state == "waiting":
                self._recovery.hurry()
            elif self._decks.current and not is_open:
                await self._move()
        return await self._choice.list()

    async def close(self) -> None:
        """Fade out and release everything, within a second even if the sound server hangs."""
        self._decks.refuse_loads()
        self._recovery.cancel()
        self._sequel.close()
        self._cancel_idle()
        try:
            async with asyncio.timeout(FADE_TIMEOUT_SEC + CLOSE_TIMEOUT_SEC), self._commands:
                self._stop()
                await self._decks.quiet(FADE_TIMEOUT_SEC)
                await self._decks.release()
        except TimeoutError:
            _log.warning("the sound device hangs; it is left to itself")
        self._cancel_idle()
        self._watch.stop()
        self._choice.close()
        self._decks.close()

    # Below: called while ``_commands`` is held, or from the event loop in one go.

    async def _load(self, item: Item, start_sec: float) -> Loaded:
        level = self._level * self._duck
        loaded = await self._decks.load(Path(item.path), start_sec, level, trim_of(item.lufs))
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

    def _stop(self) -> None:
        if self._decks.current:
            self._decks.current.mixer.leave()
        self._sequel.forget()
        self._end("stopped")
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


def _checked_position(position_sec: float) -> float:
    if not _is_number(position_sec) or not 0.0 <= position_sec < float("inf"):
        raise LofiError(
            "INVALID_PARAMS",
            "The position is a number of seconds from the start, 0 or more.",
            field="position_sec",
            expected="≥ 0",
            got=repr(position_sec),
        )
    return float(position_sec)


def _checked_crossfade(duration_sec: float) -> float:
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


def _checked_level(level: float) -> float:
    if not _is_number(level) or not 0.0 <= level <= 1.0:  # NaN is refused too: it compares false
        raise LofiError(
            "INVALID_PARAMS",
            "The volume is a number from 0 to 1.",
            field="level",
            expected="0–1",
            got=repr(level),
        )
    return float(level)
