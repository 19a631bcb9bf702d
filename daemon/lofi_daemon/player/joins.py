"""How one track goes over into the next: how long they overlap, and how loud each is."""

from __future__ import annotations

from .playlist import Item

MAX_CROSSFADE_SEC = 30.0
SHORTEST_FADED_SEC = 2.0

TARGET_LUFS = -16.0
MAX_BOOST_DB = 6.0


def crossfade_sec(wanted_sec: float, leaving_sec: float, coming_sec: float) -> float:
    """Seconds that a track of ``leaving_sec`` and the one of ``coming_sec`` after it sound together.

    Each track grants ``wanted_sec``, or a quarter of its length where it is shorter than twice that, or nothing
    where it is shorter than 2 s; the smaller grant holds. 0 is a gapless join.
    """
    return min(_granted(wanted_sec, leaving_sec), _granted(wanted_sec, coming_sec))


def shared_sec_of(leaving: Item, coming: Item) -> float:
    """Seconds of music with which ``leaving`` ends and ``coming`` begins; 0 where it does not go on from there.

    They go over into each other on these, whatever crossfade is wanted: it is not heard, and without it there would be
    the same music twice.
    """
    return coming.overlap_sec if coming.continues == leaving.track_id else 0.0


def trim_of(lufs: float | None) -> float:
    """Amplitude that brings a track of ``lufs`` to −16 LUFS: down as far as it takes, up by 6 dB at most.

    1.0 where the loudness is unknown. ``Volume`` grants a boost only as far as the volume leaves room for it,
    because the peaks of a track are not stored.
    """
    if lufs is None:
        return 1.0
    return float(10 ** (min(TARGET_LUFS - lufs, MAX_BOOST_DB) / 20))


def _granted(wanted_sec: float, duration_sec: float) -> float:
    if duration_sec < SHORTEST_FADED_SEC:
        return 0.0
    return duration_sec / 4 if duration_sec < 2 * wanted_sec else wanted_sec
