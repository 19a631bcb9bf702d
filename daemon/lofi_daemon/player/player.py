"""The player: commands on the event loop, one track at a time, events to a listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LofiError
from .decks import CLOSE_TIMEOUT_SEC, Decks
from .events import (
    EndReason,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    PlayerEvent,
    PlayerNotice,
    PlayerState,
    StateName,
    VolumeChanged,
)
from .output import NoDeviceError, Output, Outputs, OutputSetting, Say

if TYPE_CHECKING:  # the front imports this at start; numpy comes with the first play
    from .deck import Deck, Loaded
    from .voice import Voice

__all__ = ["Player", "PlayerState"]

IDLE_SEC = 5.0
FADE_TIMEOUT_SEC = 0.2

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Now:
    """The track that plays or is paused. ``voice`` is None while no output is held: then ``position_sec`` counts."""

    track_id: str
    path: Path
    duration_sec: float
    voice: Voice | None
    position_sec: float = 0.0


class Player:
    """Plays tracks through what the setting ``output`` chooses; ``open_output(say)`` is asked instead if given.

    To be used on one event loop; ``listener`` is called there. Commands are carried out one after another in
    the order they came, and one that has nothing to do returns the state. State and events follow a command at
    once, the sound by one device latency. The output is released after ``idle_sec`` without sound, also
    in a pause; resuming opens it again at the same sample.
    """

    def __init__(
        self,
        listener: Callable[[PlayerEvent], None],
        output: OutputSetting = "auto",
        volume: float = 1.0,
        *,
        open_output: Callable[[Say], Output] | None = None,
        idle_sec: float = IDLE_SEC,
    ) -> None:
        self._listener = listener
        self._level = _checked_level(volume)
        self._idle_sec = idle_sec
        self._state: StateName = "stopped"
        self._message: str | None = None
        self._now: _Now | None = None
        self._decks = Decks(open_output or Outputs(output).open, self._on_silent, self._on_lost, self._notice)
        self._commands = asyncio.Lock()
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
            position_sec=self._position_sec(),
            duration_sec=now.duration_sec if now else 0.0,
            track_id=now.track_id if now else None,
            device=deck.output.device if deck else None,
            message=self._message,
        )

    async def play(self, track_id: str, path: str | Path, duration_sec: float | None = None) -> PlayerState:
        """Play the file ``path`` from its start; what plays fades out and ends as "skipped".

        ``duration_sec`` is the file's own where it is None. Without a sound device the state returned is
        "no_device" and nothing starts.

        Raises ``LofiError``: INVALID_TRACK_ID when the file is gone, UNSUPPORTED when it cannot be decoded,
        AUDIO_DEVICE_ERROR when the device will not open. Each is preceded by ``PlaybackEnded`` "error" for
        ``track_id``; what played before goes on.
        """
        async with self._commands:
            try:
                loaded = await self._load(Path(path), 0.0)
            except NoDeviceError as exc:
                self._end("skipped")
                self._state = "no_device"
                self._tell_no_device(str(exc))
                return self.state()
            except LofiError:
                self._tell(PlaybackEnded(track_id, "error"))
                raise
            self._end("skipped")
            duration = loaded.source.duration_sec if duration_sec is None else duration_sec
            self._now = _Now(track_id, Path(path), duration, loaded.voice)
            self._sound(loaded)
            self._tell(PlaybackStarted(track_id, 0.0, duration))
            return self.state()

    async def pause(self) -> PlayerState:
        async with self._commands:
            return self._pause()

    async def resume(self) -> PlayerState:
        """Go on from where the pause began. Raises ``LofiError`` as ``play`` does; the track stays paused then."""
        async with self._commands:
            return await self._resume()

    async def toggle(self) -> PlayerState:
        """Pause what plays, resume what is paused."""
        async with self._commands:
            return self._pause() if self._state == "playing" else await self._resume()

    async def stop(self) -> PlayerState:
        async with self._commands:
            self._stop()
            return self.state()

    async def set_volume(self, level: float) -> float:
        """Set the volume to ``level`` of 0–1. Raises ``LofiError`` INVALID_PARAMS (field "level") otherwise."""
        level = _checked_level(level)
        if level != self._level:
            self._level = level
            if self._decks.current:
                self._decks.current.mixer.set_level(level)
            self._tell(VolumeChanged(level))
        return level

    async def close(self) -> None:
        """Fade out and release everything, within a second even if the sound server hangs."""
        self._decks.refuse_loads()
        self._cancel_idle()
        try:
            async with asyncio.timeout(FADE_TIMEOUT_SEC + CLOSE_TIMEOUT_SEC), self._commands:
                self._stop()
                await self._decks.quiet(FADE_TIMEOUT_SEC)
                await self._decks.release()
        except TimeoutError:
            _log.warning("the sound device hangs; it is left to itself")
        self._cancel_idle()
        self._decks.close()

    # Below: called while ``_commands`` is held, or from the event loop in one go.

    async def _load(self, path: Path, start_sec: float) -> Loaded:
        level = self._level
        loaded = await self._decks.load(path, start_sec, level)
        if level != self._level:  # set while the device was opened
            loaded.deck.mixer.set_level(self._level)
        return loaded

    def _sound(self, loaded: Loaded) -> None:
        loaded.deck.mixer.start(loaded.voice)
        self._state, self._message = "playing", None
        self._cancel_idle()

    def _pause(self) -> PlayerState:
        if self._state == "playing" and self._now and self._decks.current:
            self._decks.current.mixer.pause()
            self._state = "paused"
            self._tell(PlaybackPaused(self._now.track_id, self._position_sec()))
            self._arm_idle()
        return self.state()

    async def _resume(self) -> PlayerState:
        now = self._now
        if self._state != "paused" or now is None:
            return self.state()
        if self._decks.current and now.voice:
            self._decks.current.mixer.resume()
            self._state, self._message = "playing", None
            self._cancel_idle()
        else:
            try:
                loaded = await self._load(now.path, now.position_sec)
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
        if self._now is None or self._now.voice is not voice:
            return
        error = voice.source.error
        if error:
            self._notice(f"{self._now.path.name} broke off: {error}.")
        self._state = "stopped"
        self._end("error" if error else "finished")

    def _on_lost(self, deck: Deck) -> None:
        """The device is gone. Here: pause where it was last heard. Recovery would start from this place."""
        was_playing = self._state == "playing"
        self._let_go(unheard_sec=deck.output.latency_sec if was_playing else 0.0)
        self._decks.abandon()
        if self._now and was_playing:
            self._state = "paused"
            self._message = "The sound device went away. Resume to play on once it is back."
            self._tell(PlaybackPaused(self._now.track_id, self._position_sec()))
            self._notice(self._message)

    def _let_go(self, *, unheard_sec: float = 0.0) -> None:
        """Keep the track's place in seconds, now that its voice goes with the deck."""
        now = self._now
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
                await self._decks.release()

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


def _checked_level(level: float) -> float:
    number = isinstance(level, int | float) and not isinstance(level, bool)
    if not number or not 0.0 <= level <= 1.0:  # NaN is refused too: it compares false
        raise LofiError(
            "INVALID_PARAMS",
            "The volume is a number from 0 to 1.",
            field="level",
            expected="0–1",
            got=repr(level),
        )
    return float(level)
