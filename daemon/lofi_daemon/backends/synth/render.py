"""From a score to finished audio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...audio.loudness import lufs_to_power
from .effects.convolver import BLOCK
from .effects.rider import average, ride
from .effects.tape import Transport, gain_between, saturate
from .master import master
from .mix import GROUPS, Group, keys_of, mix_music
from .score import Score
from .textures import Textures
from .units import RATE, Samples
from .voices.bank import NoteBank

STEMS: tuple[str, ...] = (*GROUPS, "texture")

_NOMINAL_LUFS = -18.0  # what textures are set against in a track without music
_PASSES = 6  # over the blocks: mix, tape, and what the master measures and changes


@dataclass(frozen=True, slots=True)
class Mastered:
    """Finished audio: float32 [frames, 2] at ``sample_rate``; ``lufs`` is None for silence.

    ``stems`` (one for each of ``STEMS``) add up to ``audio``: each holds its group after every fader, effect
    and the reverb, multiplied sample by sample with the gain that tape and limiter gave the whole mix.
    """

    audio: Samples
    sample_rate: int
    lufs: float | None
    true_peak_db: float
    stems: dict[str, Samples] | None = None


def render(
    score: Score,
    *,
    step: Callable[[int, int], None] | None = None,
    stems: bool = False,
    bank: NoteBank | None = None,
) -> Mastered:
    """Exactly round(duration·44100) frames, the same bits for the same score.

    ``step(done, total)`` is called every few milliseconds of work and may raise to cancel. ``bank`` keeps
    notes from one track to the next; it changes the time this takes, not the result. Stems cost as much
    memory each as the track and about twice the time.
    """
    frames = round(score.duration * RATE)
    bank = NoteBank() if bank is None else bank
    blocks = -(-frames // BLOCK)
    keys = [key for key in keys_of(score) if key not in bank]
    progress = _Progress(step, len(keys) + blocks * (_PASSES + (len(GROUPS) if stems else 0)))

    for key in keys:
        bank.get(key)
        progress.advance()
    music, powers = _record(score, bank, frames, GROUPS, progress)
    parts: dict[str, Samples] = {}
    if stems:
        parts = {group: _record(score, bank, frames, (group,), progress)[0] for group in GROUPS}
        parts["texture"] = np.zeros_like(music)
    _tape(score, music, parts, powers, progress)
    has_music = average(powers) is not None
    level = master(music, raise_level=has_music, companions=tuple(parts.values()), step=progress.advance)
    return Mastered(music, RATE, level.lufs, level.true_peak_db, parts if stems else None)


def _record(
    score: Score, bank: NoteBank, frames: int, groups: Sequence[Group], progress: _Progress
) -> tuple[Samples, NDArray[np.float64]]:
    """The music of ``groups`` without tape, [frames, 2], and the K-weighted power of each of its blocks."""
    audio = np.empty((frames, 2), np.float32)
    powers = []
    for block in mix_music(score, bank, frames, groups):
        part = audio[block.start : block.start + BLOCK]
        np.add(block.mid[: len(part)], block.side[: len(part)], out=part[:, 0])
        np.subtract(block.mid[: len(part)], block.side[: len(part)], out=part[:, 1])
        powers.append(block.power / len(part))
        progress.advance()
    return audio, np.array(powers)


def _tape(
    score: Score, music: Samples, stems: dict[str, Samples], powers: NDArray[np.float64], progress: _Progress
) -> None:
    """Ride the level, add what surrounds the music, and play it all from a cassette; in place."""
    mix, frames = score.mix, len(music)
    nominal = lufs_to_power(_NOMINAL_LUFS)
    faders = ride(powers) * np.sqrt(nominal / (average(powers) or nominal))
    # Textures are set against the RMS of one of the two channels.
    textures = Textures(mix, score.seed, frames, float(np.sqrt(nominal / 2)))
    transports = [(buffer, Transport(score.seed, mix.wow, frames)) for buffer in (music, *stems.values())]
    for index, start in enumerate(range(0, frames, BLOCK)):
        block = music[start : start + BLOCK]
        fader = np.linspace(faders[index], faders[index + 1], BLOCK, endpoint=False, dtype=np.float32)
        for buffer, _ in transports:
            buffer[start : start + BLOCK] *= fader[: len(block), None]
        surroundings = np.zeros_like(block)
        textures.add(start, surroundings)
        block += surroundings
        if stems:
            stems["texture"][start : start + BLOCK] = surroundings
        saturated = saturate(block, mix.saturation)
        if stems:
            gain = gain_between(block, saturated)
            for stem in stems.values():
                stem[start : start + BLOCK] *= gain
        block[:] = saturated
        for buffer, transport in transports:
            transport.push(start, buffer[start : start + BLOCK])
        progress.advance()


class _Progress:
    def __init__(self, step: Callable[[int, int], None] | None, total: int) -> None:
        self._step = step
        self._done = 0
        self._total = max(total, 1)

    def advance(self) -> None:
        self._done = min(self._done + 1, self._total)
        if self._step:
            self._step(self._done, self._total)
