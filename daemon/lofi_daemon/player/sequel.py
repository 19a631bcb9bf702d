"""The track that comes next, opened ahead of time and given to the mixer, which decides when it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..errors import LofiError
from .decks import Decks
from .joins import crossfade_sec, shared_sec_of
from .now import Now
from .output import NoDeviceError
from .playlist import Item

if TYPE_CHECKING:
    from .deck import Deck
    from .voice import Voice


class Sequel:
    """Keeps ``wanted()`` ready behind ``now()``, whatever it turns into; None where nothing is to follow.

    ``load(item)`` opens a track on the deck that is held; ``on_begun(coming)`` hears that the mixer has gone
    over to it; ``on_bad(item, error)`` takes out a track that cannot be played.
    """

    def __init__(
        self,
        decks: Decks,
        now: Callable[[], Now | None],
        wanted: Callable[[], Item | None],
        load: Callable[[Item], Awaitable[Now]],
        on_begun: Callable[[Now], None],
        on_bad: Callable[[Item, LofiError], None],
    ) -> None:
        self.crossfade_sec = 0.0
        self._decks = decks
        self._now = now
        self._wanted = wanted
        self._load = load
        self._on_begun = on_begun
        self._on_bad = on_bad
        self._ready: Now | None = None
        self._offered: dict[Voice, Now] = {}
        """Also what was taken back: the mixer may have begun it just before it heard of that."""
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """See to it that the mixer has what is wanted; to be called whenever that may have changed."""
        if self._now() and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._prepare())

    def take(self, item: Item) -> Now | None:
        """``item`` if it is ready; it is the caller's now, to be started before anything else."""
        ready = self._ready
        return ready if ready and ready.item == item else None

    def forget(self) -> None:
        """The mixer was told to start something or to fall silent, or is gone: it has dropped what was to follow."""
        self._ready = None
        self._offered.clear()

    def overlap_frames(self, coming: Now) -> int:
        """Of a crossfade from what plays now into ``coming``."""
        now, deck = self._now(), self._decks.current
        if now is None or deck is None:
            return 0
        return round(crossfade_sec(self.crossfade_sec, now.duration_sec, coming.duration_sec) * deck.mixer.rate)

    def offer_again(self) -> None:
        """After a change of the crossfade."""
        if self._ready and self._decks.current:
            self._follow(self._decks.current, self._ready)

    def begun(self, voice: Voice) -> None:
        coming = self._offered.pop(voice, None)
        if coming:
            self._ready = None
            self._on_begun(coming)

    def silent(self, voice: Voice) -> None:
        self._offered.pop(voice, None)

    def close(self) -> None:
        if self._task:
            self._task.cancel()

    async def _prepare(self) -> None:
        """Holds up no command: a pause must not wait for a slow disk. So all may have changed after each load."""
        while (item := self._missing()) is not None:
            held = self._decks.current
            try:
                coming = await self._load(item)
            except NoDeviceError:
                return
            except LofiError as error:
                if error.name == "AUDIO_DEVICE_ERROR":
                    if self._decks.current is held:
                        return  # whoever watches the device says so
                elif self._missing() == item:
                    self._on_bad(item, error)
                continue
            deck, voice = self._decks.current, coming.voice
            if deck is None or voice is None or self._missing() != item:
                if deck is not None and voice in deck.sources:
                    deck.close_source(voice)
                continue
            self._ready = self._offered[voice] = coming
            self._follow(deck, coming)

    def _follow(self, deck: Deck, coming: Now) -> None:
        now = self._now()
        shared_sec = shared_sec_of(now.item, coming.item) if now else 0.0
        frames = round(shared_sec * deck.mixer.rate) or self.overlap_frames(coming)
        deck.mixer.follow(coming.voice, frames, shared=shared_sec > 0)

    def _missing(self) -> Item | None:
        """What is wanted and not ready. Takes back what is ready and not wanted."""
        now, deck = self._now(), self._decks.current
        if now is None or now.voice is None or deck is None:
            return None
        item = self._wanted()
        if self._ready and self._ready.item != item:
            self._ready = None
            deck.mixer.follow(None)
        return None if self._ready else item
