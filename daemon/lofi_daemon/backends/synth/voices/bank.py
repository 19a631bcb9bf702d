"""Every instrument by name, and the notes already made.

A note's timbre depends only on (voice, pitch, velocity in six steps, a rounded length), never on what was
made before it, so a kept note and a fresh one are the same samples. Level and release belong to the mixer.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..score import Note, Voice
from ..units import RATE, Samples
from . import drums, keys, pads, strings
from .tone import ease_in, peak, rms

_VELOCITY_STEPS = 6
_TAKES = 3
_REFERENCE = np.float32(0.1)
_HIGHEST = np.float32(0.42)  # a short pluck is not made a click by being as loud as a long tone
_BUDGET_BYTES = 160 * 2**20


@dataclass(frozen=True, slots=True)
class Instrument:
    """How a voice is made and let go. Exactly one of the three makers is set.

    Pitched voices have an RMS of .1 over their first 400 ms (less if that took a peak above .42), drums a
    peak of 1, at any velocity.
    """

    struck: Callable[[int, float, int], Samples] | None = None
    """(pitch, velocity, frames): rings and decays."""
    held: Callable[[int, float], Samples] | None = None
    """(pitch, velocity): a loop, sounding as long as the key is down."""
    hit: Callable[[float, int], Samples] | None = None
    """(velocity, take): a drum, which nobody damps."""
    attack: float = 0.0
    release: float = 0.0
    longest: float = 8.0
    """Seconds after which a struck voice has died away."""


INSTRUMENTS: Mapping[Voice, Instrument] = {
    "rhodes": Instrument(struck=keys.rhodes, release=0.12, longest=7),
    "felt": Instrument(struck=keys.felt, release=0.18, longest=7),
    "bells": Instrument(struck=keys.bells, release=0.35, longest=5),
    "guitar": Instrument(struck=strings.guitar, release=0.09, longest=3),
    "upright": Instrument(struck=strings.upright, release=0.06, longest=4),
    "sub": Instrument(struck=strings.sub, release=0.06, longest=10),
    "pad": Instrument(held=pads.pad, attack=0.9, release=1.1),
    "strings": Instrument(held=pads.strings, attack=0.35, release=0.7),
    "kick": Instrument(hit=drums.kick),
    "snare": Instrument(hit=drums.snare),
    "ghost": Instrument(hit=drums.snare),
    "rim": Instrument(hit=drums.rim),
    "brush": Instrument(hit=drums.brush),
    "clap": Instrument(hit=drums.clap),
    "hat": Instrument(hit=drums.hat),
    "open_hat": Instrument(hit=drums.open_hat),
    "ride": Instrument(hit=drums.ride),
    "shaker": Instrument(hit=drums.shaker),
}

Key = tuple[Voice, int, int, int, int]
"""Voice, pitch (of a drum: which take), velocity step, frames (0 = as long as it is), percent crushed."""


def key_of(note: Note, take: int, crushed: int) -> Key:
    """What the sound of ``note`` depends on. ``take`` counts the layer's notes, so that hits alternate."""
    instrument = INSTRUMENTS[note.voice]
    step = min(max(math.ceil(note.velocity * _VELOCITY_STEPS), 1), _VELOCITY_STEPS)
    if instrument.hit:
        return note.voice, take % _TAKES, step, 0, crushed
    if instrument.held:
        return note.voice, note.pitch, step, 0, 0
    seconds = min(max(note.length, 0.0) + instrument.release, instrument.longest)
    # Half octaves of length: notes a little longer or shorter share their samples.
    rounded = min(2 ** (math.ceil(2 * math.log2(max(seconds, 0.35))) / 2), instrument.longest)
    return note.voice, note.pitch, step, math.ceil(rounded * RATE), 0


class NoteBank:
    """Makes notes and keeps the recently used ones, read-only."""

    def __init__(self, budget_bytes: int = _BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._held = 0
        self._notes: OrderedDict[Key, Samples] = OrderedDict()

    def __len__(self) -> int:
        return len(self._notes)

    def __contains__(self, key: Key) -> bool:
        return key in self._notes

    def get(self, key: Key) -> Samples:
        """Mono; of a held voice, its loop."""
        if key in self._notes:
            self._notes.move_to_end(key)
            return self._notes[key]
        note = _make(key)
        note.flags.writeable = False
        self._notes[key] = note
        self._held += note.nbytes
        while self._held > self._budget and len(self._notes) > 1:
            self._held -= self._notes.popitem(last=False)[1].nbytes
        return note

    def clear(self) -> bool:
        """Forget all notes; whether there were any."""
        had = bool(self._notes)
        self._notes.clear()
        self._held = 0
        return had


def _make(key: Key) -> Samples:
    voice, pitch, step, frames, crushed = key
    instrument = INSTRUMENTS[voice]
    velocity = step / _VELOCITY_STEPS
    if instrument.hit:
        note = instrument.hit(velocity, pitch)
        if crushed:
            note = drums.crush(note, crushed / 100)
            ease_in(note, 0.0005)
        return note / peak(note)
    if instrument.held:
        note = instrument.held(pitch, velocity)
        note *= _REFERENCE / rms(note)
        return note
    assert instrument.struck is not None
    note = instrument.struck(pitch, velocity, frames)
    note *= min(_REFERENCE / rms(note[: int(0.4 * RATE)]), _HIGHEST / peak(note))
    return note
