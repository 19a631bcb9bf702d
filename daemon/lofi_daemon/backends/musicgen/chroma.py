"""Which of the twelve notes sounds loudest, 7.8 times a second: what the melody models hear of a melody.

As transformers' ``MusicgenMelodyFeatureExtractor`` computes it, in numpy. The melody is taken from the whole mix; when
the models were trained, drums and bass had been removed before.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SAMPLE_RATE = 32_000
NOTES = 12
WINDOW, HOP = 16_384, 4_096
_TUNING_A0 = 440 / 16
"""Hz; octaves are counted from it."""

_CENTRE, _SPREAD = 5.0, 2.0
"""In octaves: what lies far from 880 Hz counts less, as in librosa's chroma."""

Sound = NDArray[np.float32]


def chromagram(mono: Sound) -> NDArray[np.float32]:
    """[frames, 12] of ``mono`` [samples] at 32 kHz: 1 at the loudest note from C up, 0 elsewhere."""
    short = max(0, WINDOW - len(mono))
    mono = np.pad(mono, (short // 2, short - short // 2))
    mono = np.pad(mono, WINDOW // 2, mode="reflect")
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    frames = sliding_window_view(mono, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * hann, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    loudest = (power @ note_weights().T).argmax(1)
    notes: NDArray[np.float32] = np.eye(NOTES, dtype=np.float32)[loudest]
    return notes


@cache
def note_weights() -> NDArray[np.float64]:
    """How much each bin of a spectrum says of each note: [12, WINDOW / 2 + 1].

    A Gaussian around the note as wide as the bins are apart, at least a semitone; every bin's weights have length 1
    before it counts by its octave. (D. Ellis, "Chroma feature analysis and synthesis", 2007; librosa.filters.chroma.)
    """
    hertz = np.arange(1, WINDOW // 2 + 2) * (SAMPLE_RATE / WINDOW)
    semitones = NOTES * np.log2(hertz / _TUNING_A0)  # above A
    semitones = np.concatenate([[semitones[0] - 1.5 * NOTES], semitones])  # 0 Hz has no pitch: far below
    apart = np.maximum(np.diff(semitones), 1.0)
    semitones = semitones[:-1]
    from_c = semitones[None] - (np.arange(NOTES)[:, None] + 3)  # C is three semitones above A
    away = np.mod(from_c + NOTES / 2, NOTES) - NOTES / 2
    weights: NDArray[np.float64] = np.exp(-0.5 * (2 * away / apart) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((semitones / NOTES - _CENTRE) / _SPREAD) ** 2)
    return weights
