"""Hearing what a render does: pitch, tempo, key, clicks, bands. Independent of the renderer's own filters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from lofi_daemon.backends.synth.score import Mix, Note, Score, Section

RATE = 44_100
Audio = NDArray[np.float32]

QUIET_MIX = Mix(crackle_db=None, hiss=False)
"""No textures: what is heard is the music."""

_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""Krumhansl & Kessler's key profiles."""


def piece(duration: float = 6.0, mix: Mix = QUIET_MIX, **layers: tuple[Note, ...]) -> Score:
    """A score by hand: these layers, one section, C major, 80 bpm."""
    section = Section("A", 0, 2, 0.0, duration)
    return Score(1, "chillhop", 80.0, 4, 0, "major", 50.0, duration, (0.0, duration), (section,), (), layers, mix)  # type: ignore[arg-type]


def undrummed(score: Score) -> Score:
    """The same music without drums and textures, where a click would be a mistake."""
    pitched = {layer: notes for layer, notes in score.layers.items() if layer in ("keys", "lead", "bass", "pad")}
    mix = replace(score.mix, crackle_db=None, hiss=False, rain_db=None, ocean_db=None, thunder=False)
    return replace(score, layers=pitched, mix=mix)


def band_energy(audio: Audio, low: float, high: float) -> float:
    """Share of the power that lies between two frequencies."""
    hz, power = signal.welch(audio.reshape(len(audio), -1).mean(axis=1), RATE, nperseg=min(16_384, len(audio)))
    return float(power[(hz >= low) & (hz < high)].sum() / power.sum())


def centroid(audio: Audio) -> float:
    """Centre of gravity of the magnitude spectrum in Hz."""
    hz, power = signal.welch(audio.reshape(len(audio), -1).mean(axis=1), RATE, nperseg=min(8_192, len(audio)))
    magnitude = np.sqrt(power)
    return float((hz * magnitude).sum() / magnitude.sum())


def pitch_of(tone: Audio, near: float) -> float:
    """Frequency of the partial near ``near``: centre of the power within a semitone of the strongest bin."""
    size = 2**18
    power = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), size)) ** 2
    hz = np.arange(len(power)) * RATE / size
    power[(hz < near * 0.92) | (hz > near * 1.09)] = 0
    power[power < power.max() / 1_000] = 0
    return float((hz * power).sum() / power.sum())


def hum(audio: Audio, above: float = 10_000.0) -> float:
    """Loudest sample above a frequency, dBFS: where lofi has little and a click has much."""
    sos = signal.butter(6, above, "high", fs=RATE, output="sos")
    return float(20 * np.log10(np.abs(signal.sosfiltfilt(sos, audio, axis=0)).max() + 1e-12))


def largest_step(audio: Audio) -> float:
    """Between two successive samples."""
    return float(np.abs(np.diff(audio, axis=0)).max())


def bass_correlation(audio: Audio, below: float = 120.0) -> float:
    """Between left and right under a frequency."""
    spectrum = np.fft.rfft(audio.T)
    low = np.arange(spectrum.shape[1]) * RATE / len(audio) < below
    left, right = spectrum[0, low], spectrum[1, low]
    power = np.sqrt((np.abs(left) ** 2).sum() * (np.abs(right) ** 2).sum())
    return float((left * right.conj()).real.sum() / power)


def onset_envelope(audio: Audio, hop: int = 256) -> NDArray[np.float64]:
    """Rise of the log spectrum per ``hop`` samples."""
    _, _, frames = signal.stft(audio.mean(axis=1), RATE, nperseg=1_024, noverlap=1_024 - hop)
    level = np.log1p(300 * np.abs(frames))
    rise = np.maximum(np.diff(level, axis=1), 0).sum(axis=0)
    return np.asarray(rise - signal.medfilt(rise, 87))


def tempo(audio: Audio, near: float, hop: int = 256) -> float:
    """Beats a minute: the autocorrelation peak whose octave is closest to ``near``.

    Read at eight beats' distance, where a tempo one percent off is four frames away.
    """
    envelope = np.maximum(onset_envelope(audio, hop), 0)
    envelope = envelope - envelope.mean()
    size = 2 ** int(np.ceil(np.log2(2 * len(envelope))))
    spectrum = np.fft.rfft(envelope, size)
    similar = np.fft.irfft(np.abs(spectrum) ** 2)[: len(envelope)]
    beats = np.arange(near * 0.9, near * 1.1, 0.02)
    scores = np.zeros(len(beats))
    for count in (1, 2, 4, 8, 16):
        lags = count * 60 / beats * RATE / hop
        scores += np.interp(lags, np.arange(len(similar)), similar)
    return float(beats[scores.argmax()])


def key_of(audio: Audio) -> tuple[int, str]:
    """Tonic and "major" or "minor", by chroma and key profiles."""
    hz, power = signal.welch(audio.mean(axis=1), RATE, nperseg=32_768)
    chroma = np.zeros(12)
    inside = (hz > 60) & (hz < 1_200)
    pitch = np.round(12 * np.log2(hz[inside] / 440) + 69).astype(int) % 12
    np.add.at(chroma, pitch, np.sqrt(power[inside]))
    scored = [
        (float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1]), tonic, mode)
        for tonic in range(12)
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
    ]
    _, tonic, mode = max(scored)
    return tonic, mode
