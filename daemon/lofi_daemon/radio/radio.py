"""Endless music: what plays next, asked for in time, and something in its place when it is late.

Something always plays: while the first track is made, a track of the same prompt out of the library or a short one of
the composer; where a backend needs longer than the music lasts, a filler by the composer; where all of that is
missing at the end of a track, any track of the library. What the composer makes for another backend only stands in:
once that backend has a track, the music crossfades into it. The state's message says what one would not expect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from random import Random

from ..errors import LofiError
from ..model import NoticeLevel, Track
from .maker import Maker
from .prefetch import COMPOSER, LEAD_FACTOR, MAX_FILLER_SEC, Decision, Situation, decide
from .presets import Preset
from .shelf import Shelf
from .state import Playing, Plays, PrefetchConfig, RadioState
from .strategies import Mood, Programme, Strategy, next_mood, programme

_log = logging.getLogger(__name__)

OPENING_SEC = 60.0
"""A short first track: it is there sooner, and long enough to make the next."""
PATIENCE_SEC = 8.0
"""So long the radio waits in silence for a first track of the right mood; then any track of the library plays."""
TICK_SEC = 1.0
LONG_PAUSE_SEC = 30.0
"""A pause longer than this is no time to work."""
KEPT_PLAYED = 20
"""So many of the radio's tracks stay in the playlist, for `previous`; older ones leave it."""
LIBRARY_LEAD_SEC = 30.0
"""The strategy ``library`` costs no work; this is early enough for the player to prepare the join."""

NO_DEVICE = "There is no sound device; the radio waits until something plays again."
MAKING_FIRST = "The first track is being made."
OPENING = "A track of the library with the same prompt bridges the time until the next is made."
BRIDGE = "The next track is not ready yet; a track of the library bridges the time."
FILLER = "{name} may take longer than the music lasts; until it is done the composer fills in."
EMPTY_LIBRARY = "The library has no track; the composer plays."


class Radio:
    """``begin``, ``end`` and ``step`` are called on one event loop. ``changed`` hears every new state, ``notice`` what
    the user should know. ``choose`` turns a backend's name (None = left open) into one that there is, ``limits`` gives
    the shortest and the longest track of a backend. ``hushed`` is True in quiet hours.
    """

    def __init__(
        self,
        player: Plays,
        shelf: Shelf,
        maker: Maker,
        presets: Sequence[Preset],
        *,
        strategy: Strategy,
        duration_sec: float,
        choose: Callable[[str | None], str],
        limits: Callable[[str], tuple[float, float]],
        changed: Callable[[RadioState], None],
        notice: Callable[[NoticeLevel, str], None],
        clock: Callable[[], float],
        chance: Random,
        hushed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.presets = tuple(presets)
        self._player = player
        self._shelf = shelf
        self._maker = maker
        self._default_strategy = strategy
        self._config = PrefetchConfig(duration_sec, LEAD_FACTOR)
        self._choose = choose
        self._limits = limits
        self._changed = changed
        self._notice = notice
        self._clock = clock
        self._chance = chance
        self._hushed = hushed
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told = RadioState(False, strategy)
        self._playlist: frozenset[str] = frozenset()
        self._starting: str | None = None  # what the radio itself is having played
        self._leaving: asyncio.Task[RadioState] | None = None
        self._brought: deque[str] = deque()  # what the radio put into the playlist, this one and those before
        self._reset(None)

    def _reset(self, programme: Programme | None) -> None:
        """A radio that is off (None), or one that has just begun."""
        self._programme = programme
        self._duration_sec = self._config.duration_sec
        self._opening = programme is not None
        self._last: Mood | None = None  # the latest mood asked for
        self._moods: dict[str, Mood] = {}  # of the tracks ahead and the one that plays
        self._playing: str | None = None
        self._ahead: list[Track] = []
        self._pause_began: float | None = None
        self._unheard: Track | None = None  # to play once there is a sound device
        self._unheard_again = False
        self._bridges: set[str] = set()
        self._stand_ins: set[str] = set()
        self._message: str | None = None
        self._said: set[str] = set()
        self._began_at = self._clock()
        self._began_hushed = self._hushed()

    # ── asked from above ──

    @property
    def active(self) -> bool:
        return self._programme is not None

    def state(self) -> RadioState:
        if self._programme is None:
            return RadioState(False, self._default_strategy)
        making = self._maker.current
        mood = self._moods.get(self._playing or "") or (making.mood if making else self._last)
        return RadioState(
            active=True,
            strategy=self._programme.strategy,
            prompt=mood.prompt if mood else None,
            preset=mood.preset if mood else None,
            backend=self._maker.backend(),
            next_track_id=self._ahead[0].id if self._ahead else None,
            generating=making is not None,
            message=self._message or self._maker.message,
        )

    def holds(self) -> set[str]:
        """Tracks that must not be evicted: they are about to play."""
        return {track.id for track in (*self._ahead, *(track for _, track in self._maker.made))}

    async def begin(
        self,
        prompt: str | None = None,
        strategy: str | None = None,
        presets: Sequence[str] | None = None,
        backend: str | None = None,
        duration_sec: float | None = None,
    ) -> RadioState:
        """Start the radio, or go over to another programme. What plays goes on until the first track is there.

        Raises INVALID_PARAMS (field strategy, presets), INVALID_PROMPT, INVALID_BACKEND, INVALID_DURATION; what
        played before goes on then.
        """
        chosen = programme(strategy, prompt, presets, self.presets, self._default_strategy)
        name = self._choose(backend)
        if duration_sec is not None:
            low, high = self._limits(name)
            if not low <= duration_sec <= high:
                raise LofiError(
                    "INVALID_DURATION", f"{name} makes tracks of {low:g} to {high:g} seconds; choose one of those.",
                    field="duration_sec", expected=[low, high], got=duration_sec,
                )  # fmt: skip
        async with self._lock:
            await self._clear()
            self._maker.begin(name)
            self._reset(chosen)
            if duration_sec is not None:
                self._duration_sec = duration_sec
            if self._began_hushed:
                self._notice("info", "These are your quiet hours; the radio plays because you asked for it.")
            await self._step()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        return self.state()

    async def end(self, why: str | None = None) -> RadioState:
        """Stop the radio: its job is cancelled, its next track leaves the playlist. What plays plays to its end."""
        async with self._lock:
            if self.active:
                await self._clear()
                self._reset(None)
                if why:
                    self._notice("info", why)
                self._tell()
        return self.state()

    def config(self) -> PrefetchConfig:
        return self._config

    def configure(self, duration_sec: float | None, lead_factor: float | None) -> PrefetchConfig:
        """From the next track on."""
        self._config = PrefetchConfig(
            self._config.duration_sec if duration_sec is None else duration_sec,
            self._config.lead_factor if lead_factor is None else lead_factor,
        )
        if duration_sec is not None:
            self._duration_sec = duration_sec
        return self._config

    def close(self) -> None:
        """The daemon leaves; its jobs are not ours to cancel then."""
        self._reset(None)
        if self._task:
            self._task.cancel()

    # ── heard from the player ──

    def on_started(self, track_id: str) -> None:
        """This track plays now. One that was not in the playlist is the user's choice, and the radio's end."""
        self._shelf.heard(track_id)
        if not self.active:
            return
        ids = [track.id for track in self._ahead]
        if track_id in ids:
            del self._ahead[: ids.index(track_id) + 1]
        elif track_id != self._starting and track_id not in self._playlist:
            self.on_stopped("The radio ends because you chose another track.")
            return
        self._playing = track_id
        self._opening &= track_id not in self._moods
        if track_id not in self._bridges:
            self._message = None
        self._wake.set()

    def on_skipped(self) -> None:
        """Something ended before its time. If the user did that, more of the same is not what is wanted next."""
        if self._starting is None:
            self._maker.piece.end()
        self._wake.set()

    def on_stopped(self, why: str | None = None) -> None:
        """The user wants no more of it."""
        if self.active:
            self._leaving = asyncio.get_running_loop().create_task(self.end(why))

    def on_playlist(self, track_ids: Collection[str]) -> None:
        """The playlist is this now. Who takes the radio's next track out does not want it."""
        self._playlist = frozenset(track_ids)
        ahead = [track for track in self._ahead if track.id in self._playlist]
        if len(ahead) < len(self._ahead):
            self._maker.piece.end()
        self._ahead = ahead
        self._wake.set()

    def on_devices(self) -> None:
        """There are other sound devices now; perhaps one that plays."""
        self._unheard_again = True
        self._wake.set()

    def wake(self) -> None:
        """Something has happened: look now instead of at the next tick."""
        self._wake.set()

    # Below: called while ``_lock`` is held.

    async def _run(self) -> None:
        while self.active:
            self._wake.clear()  # before: what happens during the step deserves another
            async with self._lock:
                try:
                    await self._step()
                except Exception:
                    _log.exception("the radio stumbled; it tries again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SEC):
                    await self._wake.wait()

    async def _step(self) -> None:
        """Look at how things stand and do what is due."""
        programme = self._programme
        if programme is None:
            return
        if not self._hushed():
            self._began_hushed = False
        elif not self._began_hushed:
            await self._clear()
            self._reset(None)
            self._notice("info", "Quiet hours have begun: the radio ends with this track. Start it again to go on.")
            self._tell()
            return
        if await self._can_be_heard():
            self._mark_pause(self._player.now())
            if not self._player.now().has_track:
                self._ahead.clear()  # it did not follow: passed over, or already the one that played
            await self._maker.go_on()
            await self._hand_over()
            if self._opening:
                await self._open(programme)
            else:
                await self._prefetch(programme)
        self._tell()

    async def _can_be_heard(self) -> bool:
        """False while there is no sound device: then nothing is made, nobody would hear it."""
        if self._unheard is None:
            return True
        if self._player.now().has_track:  # the user got something to play
            self._unheard, self._message = None, None
        elif self._unheard_again:
            track, self._unheard, self._message = self._unheard, None, None
            self._unheard_again = False
            await self._play(track)
        return self._unheard is None

    def _mark_pause(self, playing: Playing) -> None:
        if playing.sounds or not playing.has_track:
            self._pause_began = None
        elif self._pause_began is None:
            self._pause_began = self._clock()

    async def _hand_over(self) -> None:
        """Finished tracks to the player, one at a time."""
        while self._maker.made and not self._has_ahead():
            making, track = self._maker.made.pop(0)
            self._moods[track.id] = making.mood
            if making.stand_in:
                self._stand_ins.add(track.id)
                await self._put(track)
                continue
            for filler in [filler for filler in self._ahead if filler.id in self._stand_ins]:
                self._ahead.remove(filler)
                await self._player.take_out(filler.id)
            if self._playing in self._stand_ins:
                await self._play(track)
            else:
                await self._put(track)

    def _has_ahead(self) -> bool:
        """A track follows that is no mere filler."""
        return any(track.id not in self._stand_ins for track in self._ahead)

    async def _open(self, programme: Programme) -> None:
        """The first track, as soon as can be."""
        if programme.strategy == "library" and await self._bridge(None):
            return
        if not self._maker.busy:
            mood = next_mood(programme, self._last, self._chance)
            if programme.strategy != "library" and (track := await self._shelf.like(mood.prompt)):
                self._last = self._moods[track.id] = mood
                self._maker.piece.made(track.id, mood, track.backend)
                await self._play(track, OPENING)
                return
            if programme.strategy == "library":
                self._say_once(EMPTY_LIBRARY)
                self._programme = Programme("same_prompt", programme.moods)
            await self._make(mood, COMPOSER, min(OPENING_SEC, self._duration_sec), stand_in=True)
        if self._player.now().has_track:
            return
        late = self._clock() - self._began_at >= PATIENCE_SEC
        if (late or not self._maker.is_next()) and await self._bridge(BRIDGE):
            return
        if self._maker.current:
            self._message = MAKING_FIRST

    async def _prefetch(self, programme: Programme) -> None:
        playing = self._player.now()
        backend = self._maker.backend()
        if programme.strategy == "library" or backend is None:
            due = playing.left_sec <= min(LIBRARY_LEAD_SEC, playing.length_sec / 2)
            if due and not self._ahead and _goes_on(playing) and not await self._bridge(None):
                self._opening = True
            return
        decision = self._decide(backend, playing)
        if decision.step == "library" and _goes_on(playing):
            if not await self._bridge(BRIDGE):
                self._opening = not playing.has_track  # an empty library: what is made first plays at once
        elif decision.step == "make":
            await self._make(next_mood(programme, self._last, self._chance), backend, decision.duration_sec)
        elif decision.step == "fill":
            self._say_once(FILLER.format(name=backend))
            mood = next_mood(programme, self._last, self._chance)
            await self._make(mood, COMPOSER, decision.duration_sec, stand_in=True)

    def _decide(self, backend: str, playing: Playing) -> Decision:
        ahead = [*self._ahead, *(track for _, track in self._maker.made)]
        duration_sec = self._length(backend, self._duration_sec)
        paused_long = self._pause_began is not None and self._clock() - self._pause_began >= LONG_PAUSE_SEC
        return decide(
            Situation(
                left_sec=playing.left_sec,
                playing_sec=playing.length_sec,
                ahead=len(ahead),
                ahead_sec=sum(track.duration_sec for track in ahead),
                making=self._maker.busy,
                may_make=self._maker.may_make() and not paused_long,
                duration_sec=duration_sec,
                work_sec=self._maker.expected_sec(backend, duration_sec),
                composer_work_sec=None if backend == COMPOSER else self._maker.expected_sec(COMPOSER, MAX_FILLER_SEC),
                crossfade_sec=playing.crossfade_sec,
                lead_factor=self._config.lead_factor,
                standing_in=self._playing in self._stand_ins,
            )
        )

    async def _make(self, mood: Mood, backend: str, duration_sec: float, *, stand_in: bool = False) -> None:
        if not self._maker.may_make():
            return
        stand_in = stand_in and self._maker.backend() != COMPOSER
        if await self._maker.make(mood, backend, self._length(backend, duration_sec), stand_in=stand_in):
            self._last = mood

    async def _bridge(self, message: str | None) -> bool:
        """A track that is there, next or at once; False if there is none. ``message`` says why."""
        track = await self._shelf.pick()
        if track is None:
            return False
        if message:
            self._say_once(message)
            self._bridges.add(track.id)
            self._message = message
        self._moods[track.id] = Mood(track.prompt)
        await self._put(track)
        return True

    async def _put(self, track: Track) -> None:
        """``track`` is next, or plays at once where nothing of the radio's does."""
        if self._opening or not self._player.now().has_track:
            await self._play(track, self._message if track.id in self._bridges else None)
            return
        self._bring(track)
        await self._player.put_next(track)
        if self._playing != track.id:  # it may have begun already
            self._ahead.append(track)
        await self._tidy()

    async def _play(self, track: Track, message: str | None = None) -> None:
        self._opening = False
        if message:
            self._bridges.add(track.id)
        self._starting = track.id
        self._bring(track)
        try:
            heard = await self._player.play(track)
        except LofiError as error:  # the next tick finds another
            self._say_once(f"The radio passes over a track: {error.message}")
            return
        finally:
            self._starting = None
        self._message = message
        if not heard:
            self._unheard, self._unheard_again, self._message = track, False, NO_DEVICE
            self._say_once(NO_DEVICE)
            return
        await self._tidy()

    def _bring(self, track: Track) -> None:
        """Remember what comes into the playlist by the radio; what the user put there stays."""
        if track.id in self._brought:  # out of the library once more
            self._brought.remove(track.id)
        elif track.id in self._playlist:
            return
        self._brought.append(track.id)

    async def _tidy(self) -> None:
        """The playlist keeps a few of the radio's tracks, not those of a whole day."""
        while len(self._brought) > KEPT_PLAYED:
            oldest = self._brought.popleft()
            self._moods.pop(oldest, None)
            self._bridges.discard(oldest)
            self._stand_ins.discard(oldest)
            await self._player.take_out(oldest)

    async def _clear(self) -> None:
        """Nothing of the radio's is made or waits any more."""
        self._maker.drop()
        ahead, self._ahead = self._ahead, []
        for track in ahead:
            await self._player.take_out(track.id)

    def _length(self, backend: str, duration_sec: float) -> float:
        low, high = self._limits(backend)
        return min(high, max(low, duration_sec))

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._notice("info", message)

    def _tell(self) -> None:
        state = self.state()
        if state != self._told:
            self._told = state
            self._changed(state)


def _goes_on(playing: Playing) -> bool:
    """Whether silence is near: not in a pause."""
    return playing.sounds or not playing.has_track
