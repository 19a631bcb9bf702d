"""The player: commands on the event loop, a playlist that plays one track after another, events to a listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from ..errors import LofiError
from .checks import checked_crossfade, checked_level, checked_position
from .decks import CLOSE_TIMEOUT_SEC
from .devices import DeviceList
from .events import (
    EndReason,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackSeeked,
    PlayerState,
    PlaylistChanged,
    VolumeChanged,
)
from .now import Now
from .output import NoDeviceError
from .playlist import Item, Loop
from .state import Saved
from .transport import FADE_TIMEOUT_SEC, Transport

__all__ = ["Item", "Player", "PlayerState"]

_log = logging.getLogger(__name__)


class Player(Transport):
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

    @property
    def volume(self) -> float:
        return self._level

    @property
    def underruns(self) -> int:
        """Times the output that is open now ran dry."""
        return self._decks.current.output.underruns if self._decks.current else 0

    def current(self) -> Item | None:
        """What plays or is paused."""
        return self._now.item if self._now else None

    def goes_on_in(self, item: Item) -> bool:
        """Whether ``item`` continues what plays or is paused, and may come after it."""
        now = self._now
        return now is not None and item.continues == now.track_id and self._playlist.loop != "one"

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

    async def made(self, item: Item) -> None:
        """The track that was played while it was made is finished: what plays of it goes on, now as ``item``."""
        async with self._commands:
            if self._now and self._now.track_id == item.track_id:
                self._now.item = item
                self._now.duration_sec = item.duration_sec
            self._playlist.update(item)
            self._playlist_changed()

    async def give_up(self, track_id: str, reason: EndReason) -> None:
        """The track will not be finished: it leaves the playlist, and what plays of it fades out, ending as ``reason``.

        After "stopped" there is silence, else the playlist goes on.
        """
        async with self._commands:
            self._playlist.remove(track_id)
            if self._now is None or self._now.track_id != track_id:
                self._playlist_changed()
            elif self._state == "playing" and reason != "stopped":
                try:
                    await self._go(self._playlist.after(skipping=True), reason)
                except LofiError as exc:
                    self._notice(exc.message)
                    self._finish("error")
            else:
                self._recovery.cancel()
                self._stop(reason)
                self._playlist_changed()

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

        Of a track that is still being made the end is as far as it is made.

        Raises ``LofiError``: INVALID_PARAMS (field "position_sec") for a negative one; as ``play_item`` where the
        file cannot be opened again, and then playback goes on where it was.
        """
        position_sec = checked_position(position_sec)
        async with self._commands:
            now = self._now
            if now is None:
                return self.state()
            made_sec = now.item.growth.ready_sec if now.item.growth else now.duration_sec
            position_sec = min(position_sec, now.duration_sec, made_sec)
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
        self._sequel.crossfade_sec = checked_crossfade(duration_sec)
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
        level = checked_level(level)
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
        self._outputs.chosen = device_id
        if self._state == "waiting":
            self._recovery.cancel()  # it may be held by the device that this choice is to get away from
        async with self._commands:
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
