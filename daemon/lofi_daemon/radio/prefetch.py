"""When the radio asks for its next track, and of whom. Pure: the radio says how things stand, this says what to do.

One track is made ahead of the one that plays. A second may be on its way where the first is only there to cover the
work on it, or where tracks are so short that the crossfade takes more than half of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

LEAD_FACTOR = 1.5
"""Work begins when the music left is this many times the work expected."""
MARGIN_SEC = 10.0
"""On top, for what does not grow with the length: a worker that starts, a model that loads."""
CHEAP_SEC = 30.0
"""Work that takes no longer is done as soon as a track begins, so that a skip has somewhere to go."""
LAST_CALL_SEC = 4.0
"""So long before the crossfade the next track must be known; from then on the library helps out."""

MIN_FILLER_SEC = 60.0
MAX_FILLER_SEC = 600.0

SMOOTHING = 0.4
"""Weight of the newest measurement of a backend's speed."""
COMPOSER = "synth"
FIRST_GUESS: dict[str, float] = {COMPOSER: 0.1}
"""Seconds of work for a second of audio before anything is measured. The composer takes 0.02 on two cores, and a
slow machine five times that."""
UNKNOWN_GUESS = 4.0
"""A neural model on a CPU; too early costs nothing, too late a bridge."""

NEARLY_DONE_SEC = 5.0
ENOUGH_MUSIC_SEC = 30.0


class Speeds:
    """Seconds of work for a second of audio, per backend, measured."""

    def __init__(self) -> None:
        self._ratio: dict[str, float] = {}

    def observe(self, backend: str, audio_sec: float, work_sec: float) -> None:
        """``work_sec`` is from the start of the job to the track in the library."""
        if audio_sec <= 0 or work_sec < 0:
            return
        newest = work_sec / audio_sec
        known = self._ratio.get(backend)
        self._ratio[backend] = newest if known is None else SMOOTHING * newest + (1 - SMOOTHING) * known

    def expected_sec(self, backend: str, audio_sec: float) -> float:
        return self._ratio.get(backend, FIRST_GUESS.get(backend, UNKNOWN_GUESS)) * audio_sec


@dataclass(frozen=True, slots=True)
class Situation:
    """Seconds throughout.

    ``left_sec`` is what is left of the track that plays (0 = nothing plays), ``playing_sec`` its whole length;
    ``ahead`` tracks of ``ahead_sec`` in all follow it. ``making`` = a track is being made. ``work_sec`` is what the
    next of ``duration_sec`` is expected to cost, ``composer_work_sec`` what the composer's longest filler costs, None
    where the composer makes the next anyway. ``may_make`` = nothing speaks against work now (an error a moment ago, a
    pause). ``standing_in`` = what plays only covers the work on the next, and stops when that is there.
    """

    left_sec: float
    playing_sec: float
    ahead: int
    ahead_sec: float
    making: bool
    may_make: bool
    duration_sec: float
    work_sec: float
    composer_work_sec: float | None
    crossfade_sec: float
    lead_factor: float = LEAD_FACTOR
    standing_in: bool = False


Step = Literal["wait", "make", "fill", "library"]


@dataclass(frozen=True, slots=True)
class Decision:
    """``make``: the chosen backend starts on a track. ``fill``: the composer makes ``duration_sec`` to cover its
    work. ``library``: a track that is there is put next, at once."""

    step: Step
    duration_sec: float = field(default=0.0)


WAIT = Decision("wait")


def decide(now: Situation) -> Decision:
    """What the radio does at this moment."""
    last_call = last_call_sec(now.crossfade_sec, now.playing_sec)
    if now.ahead == 0 and now.left_sec <= last_call:
        return Decision("library")
    if now.making or not now.may_make or now.ahead >= _most_ahead(now):
        return WAIT
    music = now.left_sec + now.ahead_sec
    wanted = now.work_sec * now.lead_factor + MARGIN_SEC + last_call
    at_once = now.ahead == 0 and (now.standing_in or now.work_sec <= CHEAP_SEC)
    if music > wanted and not at_once:
        return WAIT
    in_time = now.work_sec + last_call <= music
    if now.ahead == 0:
        if not in_time and now.composer_work_sec is not None and now.composer_work_sec + last_call <= now.left_sec:
            return Decision("fill", min(MAX_FILLER_SEC, max(MIN_FILLER_SEC, wanted - now.left_sec)))
    elif not in_time and now.ahead_sec < MAX_FILLER_SEC:
        return WAIT  # once the one ahead plays the composer can cover more of the work
    return Decision("make", now.duration_sec)


def last_call_sec(crossfade_sec: float, playing_sec: float) -> float:
    """How long before its end a track must have a next one."""
    return min(crossfade_sec + LAST_CALL_SEC, playing_sec / 2)


def gives_way(rest_sec: float, music_sec: float) -> bool:
    """Whether the radio's running job, with ``rest_sec`` of work to go, is put off for a user's request.

    Not when it is nearly done, nor while there is so little music that silence would be near.
    """
    return rest_sec > NEARLY_DONE_SEC and music_sec >= ENOUGH_MUSIC_SEC


def _most_ahead(now: Situation) -> int:
    short = now.crossfade_sec > now.duration_sec / 2
    covered = now.work_sec > now.left_sec  # ready only when the one ahead has begun: never two at once
    return 2 if short or covered else 1
