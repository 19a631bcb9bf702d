"""The deck that is held open, and the thread that opens and closes it: the asyncio half of ``deck``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LofiError
from .audio_thread import AudioThread
from .growth import Growth
from .output import Output, Say

if TYPE_CHECKING:  # the front imports this at start; numpy comes with the first load
    from .deck import Deck, Loaded
    from .voice import Voice

OPEN_TIMEOUT_SEC = 30.0  # two probes of 10 s, and the opening itself
CLOSE_TIMEOUT_SEC = 0.5  # the daemon leaves within a second of the end of its stdin
PATIENT_CLOSE_TIMEOUT_SEC = 3.0  # a slow device is waited for, so that it can be opened again; a dead one is not

_log = logging.getLogger(__name__)


class Decks:
    """At most one deck is open: ``current``. Its methods belong to one event loop, and its listeners are called there.

    ``on_silent(voice)``: a voice of the current deck fell silent; its source is already closed. ``on_begun(voice)``:
    one that was to follow has begun. ``on_lost(deck)``: the current deck's device went away; ``abandon`` it.
    ``say`` passes on what ``open_output`` tells.
    """

    def __init__(
        self,
        open_output: Callable[[Say], Output],
        on_silent: Callable[[Voice], None],
        on_begun: Callable[[Voice], None],
        on_lost: Callable[[Deck], None],
        say: Say,
    ) -> None:
        self.current: Deck | None = None
        self._open_output = open_output
        self._on_silent = on_silent
        self._on_begun = on_begun
        self._on_lost = on_lost
        self._say = say
        self._thread = AudioThread()
        self._quiet = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def load(self, music: Path | Growth, start_sec: float, level: float, trim: float = 1.0) -> Loaded:
        """Open ``music`` at ``start_sec``, and a deck at volume ``level`` if none is. Not to be called twice at once
        while no deck is open.

        ``trim`` is the amplitude that evens the track's loudness.

        Raises ``LofiError`` and ``NoDeviceError`` as ``deck.load`` does; AUDIO_DEVICE_ERROR also where the
        sound server does not answer.
        """
        loop = asyncio.get_running_loop()
        held = self.current

        def later(callback: Callable[..., None], *args: object) -> None:
            try:
                loop.call_soon_threadsafe(callback, *args)
            except RuntimeError:
                _log.debug("the event loop is closed; %s is not delivered", callback.__name__)

        def load() -> Loaded:
            from . import deck

            return deck.load(
                held,
                music,
                start_sec,
                lambda: self._open_output(lambda text: later(self._say, text)),
                level,
                deck.Calls(
                    lambda deck, voice: later(self._silent, deck, voice),
                    lambda deck, voice: later(self._begun, deck, voice),
                    lambda deck: later(self._lost, deck),
                ),
                trim,
            )

        def discard(loaded: Loaded) -> None:
            loaded.source.close()
            if loaded.deck is not held:
                loaded.deck.output.close()

        self._check_open()
        if self._closing:
            await asyncio.wait(self._closing)
        try:
            loaded = await self._thread.call(load, timeout_sec=OPEN_TIMEOUT_SEC, too_late=discard)
        except TimeoutError:
            self._renew_thread()
            raise LofiError(
                "AUDIO_DEVICE_ERROR",
                "The sound device does not answer; restart the sound server, then play again.",
            ) from None
        try:
            self._check_open()
            if loaded.deck.lost or (held is not None and self.current is not held):
                raise LofiError("AUDIO_DEVICE_ERROR", "The sound device went away just now; play again.")
        except LofiError:
            self._thread.soon(lambda: discard(loaded))
            raise
        self.current = loaded.deck
        loaded.deck.sources[loaded.voice] = loaded.source
        return loaded

    async def quiet(self, timeout_sec: float) -> None:
        """Until no voice is left, or ``timeout_sec`` where the device takes no more samples."""
        if self.current and self.current.sources:
            self._quiet.clear()
            try:
                async with asyncio.timeout(timeout_sec):
                    await self._quiet.wait()
            except TimeoutError:
                _log.info("the sound device takes no more samples")

    async def release(self, timeout_sec: float = CLOSE_TIMEOUT_SEC) -> None:
        """Close the current deck with its sources, if there is one."""
        deck = self._forget()
        if deck:
            await self._close_output(deck, timeout_sec)

    def abandon(self) -> None:
        """``release`` without waiting; the next ``load`` waits instead."""
        deck = self._forget()
        if deck:
            task = asyncio.get_running_loop().create_task(self._close_output(deck, PATIENT_CLOSE_TIMEOUT_SEC))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def refuse_loads(self) -> None:
        """From now on every ``load`` fails, the one under way too."""
        self._closed = True

    def close(self) -> None:
        """End the thread once its last call is done."""
        self._closed = True
        self._thread.close()

    def _check_open(self) -> None:
        if self._closed:
            raise LofiError("AUDIO_DEVICE_ERROR", "The player is closed; start the daemon again.")

    def _forget(self) -> Deck | None:
        deck, self.current = self.current, None
        if deck:
            for voice in list(deck.sources):
                deck.close_source(voice)
        return deck

    async def _close_output(self, deck: Deck, timeout_sec: float) -> None:
        try:
            await self._thread.call(deck.output.close, timeout_sec=timeout_sec)
        except TimeoutError:
            _log.warning("the sound device does not close; it is left to itself")
            self._renew_thread()

    def _renew_thread(self) -> None:
        """Leave the thread to the call that holds it, so that another device can be opened."""
        self._thread.close()
        self._thread = AudioThread()

    def _silent(self, deck: Deck, voice: Voice) -> None:
        if voice not in deck.sources:
            return  # the deck was closed meanwhile
        if voice.starvations:
            _log.warning("a track was made or decoded too slowly %d times", voice.starvations)
        deck.close_source(voice)
        if not deck.sources:
            self._quiet.set()
        self._on_silent(voice)

    def _begun(self, deck: Deck, voice: Voice) -> None:
        if deck is self.current:
            self._on_begun(voice)

    def _lost(self, deck: Deck) -> None:
        if deck is self.current:
            self._on_lost(deck)
