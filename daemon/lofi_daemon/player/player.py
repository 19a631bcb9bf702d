"""The player: commands on the event loop, one track at a time, events to a listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LofiError
from .choice import Choice
from .decks import CLOSE_TIMEOUT_SEC, FAILED_CLOSE_TIMEOUT_SEC, Decks
from .devices import DeviceList
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
from .recovery import STALL_SEC, Recovery, StallWatch

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
    """Plays tracks through what ``output`` opens; ``open_output(say)`` is asked instead if given.

    To be used on one event loop; ``listener`` is called there. Commands are carried out one after another in
    the order they came, and one that has nothing to do returns the state. State and events follow a command at
    once, the sound by one device latency. The output is released after ``idle_sec`` without sound, also
    in a pause; resuming opens it again at the same sample. When the device fails, or asks for no sample for
    ``stall_sec``, the player waits and goes on where it was last heard, on whatever device opens first.
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
    ) -> None:
        self._listener = listener
        self._level = _checked_level(volume)
        self._idle_sec = idle_sec
        self._state: StateName = "stopped"
        self._message: str | None = None
        self._now: _Now | None = None
        self._outputs = output if isinstance(output, Outputs) else Outputs(output)
        self._decks = Decks(open_output or self._outputs.open, self._on_silent, self._on_lost, self._notice)
        self._choice = Choice(self._outputs, self._device_id, self._tell)
        self._recovery = Recovery(self._play_on)
        self._watch = StallWatch(self._pulls, self._on_stall, stall_sec)
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
            self._recovery.cancel()
            self._end("skipped")
            duration = loaded.source.duration_sec if duration_sec is None else duration_sec
            self._now = _Now(track_id, Path(path), duration, loaded.voice)
            self._sound(loaded)
            self._tell(PlaybackStarted(track_id, 0.0, duration))
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
            if self._decks.current:
                self._decks.current.mixer.set_level(level)
            self._tell(VolumeChanged(level))
        return level

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
        self._watch.start()

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
                loaded = await self._load(now.path, now.position_sec)
            except NoDeviceError:
                return False
            except LofiError as exc:
                if exc.name == "AUDIO_DEVICE_ERROR":
                    return False
                self._notice(exc.message)
                self._state, self._message = "stopped", None
                self._end("error")
                return True
            now.voice = loaded.voice
            self._sound(loaded)
            self._tell(PlaybackResumed(now.track_id, self._position_sec()))
            if self._recovery.is_news:
                self._tell(PlayerNotice("info", f"The music goes on through “{loaded.deck.output.device}”."))
            self._choice.look()
            return True

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
        await self._decks.release(FAILED_CLOSE_TIMEOUT_SEC)
        if now is None or self._state != "playing":
            return
        try:
            loaded = await self._load(now.path, now.position_sec)
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
