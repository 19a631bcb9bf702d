"""Struck keys: electric piano, felt piano, bells. Each function returns a tone that rings freely."""

from __future__ import annotations

import numpy as np

from ..effects.filters import rolloff, rolloff_below
from ..units import RATE, Samples, hertz
from .tone import TAU, decay, ease_in, noise, partials, stream, turns


def rhodes(pitch: int, velocity: float, frames: int) -> Samples:
    """Two-operator FM: a body whose brightness dies away, and the short ping of the tine.

    After J. Chowning's electric pianos of the DX7 era, with the modulation kept low: above .22·v² the tine
    pings like a toy.
    """
    hz = hertz(pitch)
    register = 220.0 / hz
    angle = turns(hz, frames)
    angle *= TAU
    pure = np.sin(angle)

    tone: Samples = decay(frames, 0.9 * register**0.3)
    tone *= pure
    tone *= np.float32(0.3 + 1.15 * velocity**1.6)
    tone += angle
    np.sin(tone, out=tone)
    tone *= np.float32(0.75)

    # The tine, and the pickup off its centre: an octave above that grows with the blow.
    early = min(frames, int(0.4 * RATE))
    if 14 * hz < 9_000:
        ping = np.sin(14 * angle[:early]) * decay(early, 0.05) * np.float32(0.22 * velocity**2)
        tone[:early] += np.float32(0.25) * np.sin(angle[:early] + ping)
        tone[early:] += np.float32(0.25) * pure[early:]
    else:
        tone += np.float32(0.25) * pure
    angle *= 2
    octave = np.sin(angle, out=angle)
    octave *= decay(frames, 0.6 * register**0.4)
    octave *= np.float32(0.04 + 0.16 * velocity)
    tone += octave

    fall = decay(frames, 1.9 * register**0.45)
    fall *= np.float32(0.8)
    fall += np.float32(0.2) * decay(frames, 0.35)
    tone *= fall
    _add_knock(tone, stream(1, pitch), corner=600, tau=0.012, level=0.012 + 0.03 * velocity)
    ease_in(tone, 0.003)
    return tone


def felt(pitch: int, velocity: float, frames: int) -> Samples:
    """An upright piano with a strip of felt between hammers and strings, the soft pedal down.

    Stiff strings: partial n lies at n·f·√(1 + B·n²) (Fletcher 1964). Two strings a note, a cent and a half
    apart: one gives its energy to the soundboard at once, the other rings on (Weinreich 1977).
    """
    hz = hertz(pitch)
    stiffness = 2.5e-4 * 2 ** ((pitch - 60) / 12)
    frequencies, taus, levels = [], [], []
    for n in range(1, 11):
        partial = n * hz * np.sqrt(1 + stiffness * n * n)
        if partial > 7_500:
            break
        level = n**-1.5 * np.exp(-partial / (900 + 1_700 * velocity))
        # Where the hammer strikes, an eighth along the string, the eighth partial has its node.
        level *= abs(np.sin(np.pi * n / 8)) / np.sin(np.pi / 8) * 0.6 + 0.4
        tau = 1.6 * np.sqrt(261 / hz) / (1 + 0.35 * (n - 1))
        for cents, share, length in ((-0.75, 0.72, 0.45), (0.75, 0.28, 1.9)):
            frequencies.append(partial * 2 ** (cents / 1200))
            taus.append(tau * length)
            levels.append(level * share)
    tone = partials(frequencies, taus, levels, frames)
    _add_knock(tone, stream(2, pitch), corner=380, tau=0.014, level=0.05)
    ease_in(tone, 0.006)
    return tone


def bells(pitch: int, velocity: float, frames: int) -> Samples:
    """A vibraphone with soft mallets: bars tuned 1 : 4 : 10 (Rossing, Science of Percussion Instruments)."""
    hz = hertz(pitch)
    register = np.sqrt(440 / hz)
    rows = [
        (1.0, 1.5, 1.0),
        (1.0023, 0.5, 0.25),
        (3.98, 0.32, 0.10 + 0.22 * velocity),
        (9.6, 0.06, 0.09 * velocity),
    ]
    rows = [row for row in rows if row[0] * hz < 9_000]
    tone = partials(
        [ratio * hz for ratio, _, _ in rows],
        [tau * register for _, tau, _ in rows],
        [level for _, _, level in rows],
        frames,
    )
    _add_knock(tone, stream(3, pitch), corner=1_500, tau=0.004, level=0.02)
    ease_in(tone, 0.004)
    return tone


def _add_knock(tone: Samples, rng: np.random.Generator, corner: float, tau: float, level: float) -> None:
    """The mechanics: a dull thud as the key lands, in place."""
    frames = min(len(tone), int(8 * tau * RATE))
    thud = noise(rng, frames, lambda hz: rolloff(hz, corner, 2) * rolloff_below(hz, 70, 2))
    thud *= decay(frames, tau)
    ease_in(thud, 0.001)
    tone[:frames] += np.float32(level) * thud
