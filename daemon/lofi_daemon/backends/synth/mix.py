"""The mixing desk: notes to faders, groups, reverb send and stereo, a block at a time.

Everything here is linear, so groups mixed one by one add up to the mix. Channels are mid and side
throughout: keeping the bass mono is then a high-pass on one of the two.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...audio.loudness import weighted_power
from .effects.convolver import BLOCK, SIZE, OverlapAdd, Partitioned, spectrum
from .effects.duck import Duck
from .effects.filters import highpass, lowpass, peaking
from .effects.reverb import impulse_response
from .effects.sweep import Sweep
from .score import LayerName, Note, Score, Voice
from .units import RATE, Samples, amplitude, cyclic
from .voices.bank import INSTRUMENTS, Key, NoteBank, key_of

Group = Literal["drums", "bass", "keys", "lead", "pad"]
GROUPS: tuple[Group, ...] = ("drums", "bass", "keys", "lead", "pad")

_MASTER_HIGHPASS_HZ = 28.0
_MASTER_BELLS = ((230.0, -1.2, 0.7), (2_800.0, 1.8, 0.5))  # Hz, dB, Q: less mud, more presence
_MONO_BELOW_HZ = 160.0  # a 24 dB slope: nothing is left of the side at 120


@dataclass(frozen=True, slots=True)
class Strip:
    """A channel of the desk. ``pan`` −1 (left) … 1; ``spread`` pans low notes left and high ones right."""

    group: Group
    gain_db: float
    pan: float = 0.0
    spread: float = 0.0
    send: float = 0.0
    duck: float = 0.0
    """Share of the score's side-chain depth that this channel takes."""


STRIPS: Mapping[LayerName, Strip] = {
    "keys": Strip("keys", 7.2, spread=0.2, send=0.36, duck=1.0),
    "lead": Strip("lead", 5.5, pan=0.08, send=0.5, duck=0.3),
    "bass": Strip("bass", 6.4, duck=0.9),
    "pad": Strip("pad", -1.0, send=0.55, duck=1.0),
    "kick": Strip("drums", -5.5, send=0.02),
    "snare": Strip("drums", -3.5, pan=-0.03, send=0.18),
    "hat": Strip("drums", -8.0, pan=0.25, send=0.08),
    "shaker": Strip("drums", -9.0, pan=-0.35, send=0.08),
    "ride": Strip("drums", -9.5, pan=0.3, send=0.1),
}

VOICE_DB: Mapping[Voice, float] = {
    "felt": 0.5, "bells": -2.0, "guitar": -1.5, "sub": -1.5, "strings": -1.0,
    "ghost": 0.0, "rim": -2.0, "brush": -2.0, "clap": -2.0, "open_hat": -1.0,
}  # fmt: skip
"""Beside the strip, because layers change instruments; 0 if absent."""

_HELD_WIDTH = 0.55  # side relative to mid
_LONGEST_HIT = 2 * RATE
_TREMOLO_HZ = 4.6
_TREMOLO_DEPTH = 0.18


@dataclass(frozen=True, slots=True)
class Event:
    """A note placed in samples. ``end`` is where its release has faded out."""

    start: int
    released: int
    end: int
    key: Key
    mid: np.float32
    side: np.float32


@dataclass(frozen=True, slots=True)
class MusicBlock:
    """``BLOCK`` samples of the dry and reverberated music, and their K-weighted sum of squares (L² + R²)."""

    start: int
    mid: Samples
    side: Samples
    power: float


def keys_of(score: Score) -> list[Key]:
    """Every distinct note sound the score needs, in order of first use."""
    return list(dict.fromkeys(event.key for events in _events(score).values() for event in events))


def mix_music(score: Score, bank: NoteBank, frames: int, groups: Sequence[Group] = GROUPS) -> Iterator[MusicBlock]:
    """The score's notes through the desk, block by block, until ``frames`` are covered."""
    mix = score.mix
    channels = [
        _Channel(score, layer, events, bank)
        for layer, events in _events(score).items()
        if STRIPS[layer].group in groups
    ]
    response = lowpass(SIZE, mix.lowpass_hz) * highpass(SIZE, _MASTER_HIGHPASS_HZ)
    for hz, db, q in _MASTER_BELLS:
        response *= peaking(SIZE, hz, db, q)
    mono_below = highpass(SIZE, _MONO_BELOW_HZ) ** 2
    reverb = Partitioned(impulse_response(mix.reverb, mix.reverb_time_scale, mix.lowpass_hz))
    back = (OverlapAdd(), OverlapAdd())
    sweep = Sweep(score.sections)
    for start in range(0, frames, BLOCK):
        mid, side, send = (np.zeros(BLOCK, np.float32) for _ in range(3))
        for channel in channels:
            channel.add_to(start, mid, side, send)
        middle = spectrum(mid) * response
        wide = spectrum(side) * (response * mono_below)
        reverb.push(spectrum(send), (middle, wide))
        power = 2 * (weighted_power(middle, SIZE, RATE) + weighted_power(wide, SIZE, RATE))
        mid, side = sweep.push(start, back[0].push(middle), back[1].push(wide))
        yield MusicBlock(start, mid, side, power)


class _Channel:
    """One layer: plays its events, then its inserts."""

    def __init__(self, score: Score, layer: LayerName, events: Sequence[Event], bank: NoteBank) -> None:
        self._strip = STRIPS[layer]
        self._bank = bank
        self._coming = iter(events)
        self._next: Event | None = next(self._coming, None)
        self._sounding: list[Event] = []
        self._duck = Duck(score.layers.get("kick", ()), score.mix.sidechain * self._strip.duck)

    def add_to(self, start: int, mid: Samples, side: Samples, send: Samples) -> None:
        stop = start + BLOCK
        while self._next is not None and self._next.start < stop:
            self._sounding.append(self._next)
            self._next = next(self._coming, None)
        if not self._sounding:
            return
        own_mid, own_side, tremolo_mid, tremolo_side = (np.zeros(BLOCK, np.float32) for _ in range(4))
        trembles = False
        for event in self._sounding:
            if event.key[0] == "rhodes":
                trembles = True
                _play(event, self._bank.get(event.key), start, tremolo_mid, tremolo_side)
            else:
                _play(event, self._bank.get(event.key), start, own_mid, own_side)
        self._sounding = [event for event in self._sounding if event.end > stop]
        if trembles:
            _tremolo(start, tremolo_mid, tremolo_side)
            own_mid += tremolo_mid
            own_side += tremolo_side
        gain = self._duck.gain(start, BLOCK)
        if gain is not None:
            own_mid *= gain
            own_side *= gain
        mid += own_mid
        side += own_side
        if self._strip.send:
            own_mid *= np.float32(self._strip.send)
            send += own_mid


def _play(event: Event, source: Samples, block_start: int, mid: Samples, side: Samples) -> None:
    """Add the part of ``event`` that lies in the block."""
    instrument = INSTRUMENTS[event.key[0]]
    stop = event.end if instrument.held else min(event.end, event.start + len(source))
    begin, end = max(event.start, block_start), min(stop, block_start + BLOCK)
    if begin >= end:
        return
    at, length = begin - event.start, end - begin
    target = slice(begin - block_start, end - block_start)
    if instrument.held:
        offset = (event.start * 7919) % len(source)  # so that a repeated chord is not the same loop again
        envelope = _envelope(event, at, length, instrument.attack, instrument.release)
        envelope *= event.mid
        mid[target] += cyclic(source, at + offset, length) * envelope
        # Half a loop away, an ensemble has nothing in common with itself: a second one for the width.
        envelope *= np.float32(_HELD_WIDTH)
        side[target] += cyclic(source, at + offset + len(source) // 2, length) * envelope
        return
    segment = source[at : at + length] * event.mid
    releasing = max(event.released - event.start - at, 0)
    if releasing < length and instrument.release:
        first = at + releasing - (event.released - event.start)
        segment[releasing:] *= _release(instrument.release)[first : first + length - releasing]
    mid[target] += segment
    if event.side:
        side[target] += segment * (event.side / event.mid)


def _envelope(event: Event, at: int, length: int, attack: float, release: float) -> Samples:
    """Of a held note from ``at`` samples after its start."""
    envelope = np.ones(length, np.float32)
    rise = _release(attack)[::-1]
    if at < len(rise):
        part = rise[at : at + length]
        envelope[: len(part)] *= part
    releasing = max(event.released - event.start - at, 0)
    if releasing < length:
        first = at + releasing - (event.released - event.start)
        envelope[releasing:] *= _release(release)[first : first + length - releasing]
    return envelope


_RELEASES: dict[float, Samples] = {}


def _release(seconds: float) -> Samples:
    """Raised cosine from 1 to 0."""
    if seconds not in _RELEASES:
        frames = round(seconds * RATE)
        _RELEASES[seconds] = (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, frames))).astype(np.float32)
    return _RELEASES[seconds]


def _tremolo(start: int, mid: Samples, side: Samples) -> None:
    """The suitcase piano's stereo vibrato: level wanders from one speaker to the other, in place."""
    cycles = np.arange(start, start + len(mid)) * (_TREMOLO_HZ / RATE)
    cycles -= np.floor(cycles)
    swing = np.sin(cycles.astype(np.float32) * np.float32(2 * np.pi)) * np.float32(_TREMOLO_DEPTH)
    shifted = mid * swing
    mid += side * swing
    side += shifted


def _events(score: Score) -> dict[LayerName, list[Event]]:
    levels = _section_levels(score)
    return {layer: _place(score, layer, notes, levels) for layer, notes in score.layers.items() if notes}


def _place(
    score: Score, layer: LayerName, notes: Sequence[Note], section_gain: Callable[[float], float]
) -> list[Event]:
    strip = STRIPS[layer]
    fader = amplitude(strip.gain_db + score.mix.gain_db.get(layer, 0.0))
    crushed = round(100 * min(max(score.mix.bit_crush, 0.0), 1.0)) if strip.group == "drums" else 0
    events = []
    for take, note in enumerate(notes):
        if note.velocity <= 0 or not 0 <= note.start < score.duration:
            continue
        instrument = INSTRUMENTS[note.voice]
        key = key_of(note, take, crushed)
        loudness = min(note.velocity, 1.0) ** (1.5 if instrument.hit else 1.2)
        gain = fader * amplitude(VOICE_DB.get(note.voice, 0.0)) * loudness * section_gain(note.start)
        pan = strip.pan + strip.spread * min(max((note.pitch - 62) / 14, -1.0), 1.0)
        start = round(note.start * RATE)
        if instrument.hit:
            released = end = start + _LONGEST_HIT
        else:
            sounding = max(note.length, 0.02)
            if instrument.struck:
                sounding = min(sounding, instrument.longest - instrument.release)
            released = start + round(sounding * RATE)
            end = released + round(instrument.release * RATE)
        events.append(Event(start, released, end, key, np.float32(gain), np.float32(-gain * pan)))
    return sorted(events, key=lambda event: event.start)


def _section_levels(score: Score) -> Callable[[float], float]:
    """Gain by time. It is set as a note begins, as a player would, so that what still rings is left alone."""
    starts = [section.start for section in score.sections]
    gains = [amplitude(section.level_db) for section in score.sections]

    def gain(seconds: float) -> float:
        # Played a few milliseconds early, a downbeat still belongs to the section it opens.
        index = bisect.bisect_right(starts, seconds + 0.03) - 1
        return gains[max(index, 0)] if gains else 1.0

    return gain
