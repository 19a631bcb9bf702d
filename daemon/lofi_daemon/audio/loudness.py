"""Loudness and true peak of finished audio. Worker only: the front must not measure on its event loop.

ITU-R BS.1770-4 (loudness, true peak), EBU Tech 3342 (loudness range). Audio is float [frames, channels],
one or two channels, both weighted 1; any sample rate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

Audio = NDArray[np.floating]

_GATE_LUFS = -70.0
_RING_SECONDS = 0.13  # after which the weighting filter's response is below −200 dB
_STRETCH = 8_192
_GUARD = 512  # samples at either end of a stretch where interpolation is not yet exact


def integrated_lufs(audio: Audio, rate: int, *, step: Callable[[], None] = lambda: None) -> float | None:
    """Gated loudness of the whole programme in LUFS; None if it is silent or shorter than 400 ms.

    ``step`` is called about every second of audio and may raise to give up.
    """
    energies = _hop_energies(audio, rate, step)
    blocks = _windows(energies, 4)
    return _gated(blocks, relative_db=-10.0)


def loudness_range(audio: Audio, rate: int) -> float:
    """LRA in LU: how far soft and loud passages of 3 s lie apart; 0 if there are fewer than two."""
    blocks = _windows(_hop_energies(audio, rate, lambda: None), 30)
    blocks = blocks[blocks > lufs_to_power(_GATE_LUFS)]
    if len(blocks) < 2:
        return 0.0
    loud = blocks[blocks > blocks.mean() * 10 ** (-20 / 10)]
    low, high = np.percentile(_lufs(loud), [10, 95])
    return float(high - low)


def true_peak_dbtp(audio: Audio, *, within_db: float = 6.0, step: Callable[[], None] = lambda: None) -> float:
    """Largest magnitude of the four times oversampled signal in dBTP; −inf for silence.

    Stretches of audio whose samples stay ``within_db`` below the loudest sample of all are passed over:
    interpolation does not add as much. ``step`` as in ``integrated_lufs``.
    """
    starts = range(0, len(audio), _STRETCH)
    peaks = [float(np.abs(audio[start : start + _STRETCH]).max()) for start in starts]
    threshold = max(peaks, default=0.0) * 10 ** (-within_db / 20)
    highest = 0.0
    for start, peak in zip(starts, peaks, strict=True):
        step()
        if peak == 0 or peak < threshold:
            continue
        begin = start - _GUARD
        padded = np.zeros((_STRETCH + 2 * _GUARD, audio.shape[1]), np.float32)
        source = audio[max(begin, 0) : start + _STRETCH + _GUARD]
        offset = max(-begin, 0)
        padded[offset : offset + len(source)] = source
        highest = max(highest, _stretch_peak(np.ascontiguousarray(padded.T)))
    return float(20 * np.log10(highest)) if highest > 0 else float("-inf")


def lufs_to_power(lufs: float) -> float:
    """The K-weighted mean square, summed over channels, that a loudness stands for."""
    return float(10 ** ((lufs + 0.691) / 10))


def weighted_power(spectrum: NDArray[np.complexfloating], size: int, rate: int) -> float:
    """K-weighted sum of squares of the real signal of ``size`` samples whose rfft ``spectrum`` is (Parseval)."""
    return float(np.sum((spectrum.real**2 + spectrum.imag**2) * _weighting_power(size, rate)) * 2 / size)


def _stretch_peak(channels: NDArray[np.float32]) -> float:
    """``channels`` [channels, n], ``_GUARD`` samples longer at each end than what is measured."""
    size = channels.shape[1]
    taper = np.linspace(0, 1, _GUARD // 2, dtype=np.float32)
    channels[:, : len(taper)] *= taper
    channels[:, -len(taper) :] *= taper[::-1]
    inner = slice(_GUARD, size - _GUARD)
    highest = float(np.abs(channels[:, inner]).max())
    spectrum = rfft(channels)
    for quarter in (1, 2, 3):
        shifted = irfft(spectrum * _shift(size, quarter), size)[:, inner]
        highest = max(highest, float(shifted.max()), -float(shifted.min()))
    return highest


@lru_cache(maxsize=8)
def _shift(size: int, quarter: int) -> NDArray[np.complex64]:
    """Response that moves a signal by ``quarter`` quarters of a sample."""
    turn = 2j * np.pi * quarter / 4 / size
    return np.asarray(np.exp(turn * np.arange(size // 2 + 1)), np.complex64)


def _hop_energies(audio: Audio, rate: int, step: Callable[[], None]) -> NDArray[np.float64]:
    """Mean square of the K-weighted signal, summed over channels, of each whole 100 ms."""
    hop = round(rate / 10)
    count = len(audio) // hop
    energies = np.zeros(count)
    hops = max(30_000 // hop, 1)
    block = hops * hop
    size = next_fast_len(block + int(_RING_SECONDS * rate), real=True)
    weighting = _weighting(size, rate)
    for channel in range(audio.shape[1]):
        tail = np.zeros(size - block, np.float32)
        for start in range(0, count * hop, block):
            piece = np.zeros(block, np.float32)
            part = audio[start : start + block, channel]
            piece[: len(part)] = part
            weighted = irfft(rfft(piece, size) * weighting, size)
            weighted[: len(tail)] += tail
            tail = weighted[block:].copy()
            squares = np.square(weighted[:block]).reshape(hops, hop).mean(1)
            first = start // hop
            energies[first : first + hops] += squares[: count - first]
            step()
    return energies


def _windows(energies: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Mean of every ``length`` successive hops."""
    if len(energies) < length:
        return np.zeros(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(energies, length).mean(1))


def _gated(blocks: NDArray[np.float64], relative_db: float) -> float | None:
    heard = blocks[blocks > lufs_to_power(_GATE_LUFS)]
    if not len(heard):
        return None
    loud = heard[heard > heard.mean() * 10 ** (relative_db / 10)]
    return float(_lufs(loud.mean()))


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return -0.691 + 10 * np.log10(power)


@lru_cache(maxsize=4)
def _weighting_power(size: int, rate: int) -> NDArray[np.float32]:
    response = _weighting(size, rate)
    return response.real**2 + response.imag**2


@lru_cache(maxsize=4)
def _weighting(size: int, rate: int) -> NDArray[np.complex64]:
    """The K-weighting's response on the bins of an rfft.

    BS.1770 gives coefficients at 48 kHz only; these are the analogue prototypes behind them (B. De Man,
    "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018).
    """
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)

    k, q = np.tan(np.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = _ratio(
        delay,
        (high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k),
        (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k),
    )
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    norm = 1 + k / q + k * k
    highpass = _ratio(delay, (1, -2, 1), (1, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm))
    return (shelf * highpass).astype(np.complex64)


def _ratio(
    delay: NDArray[np.complex128], above: tuple[float, float, float], below: tuple[float, float, float]
) -> NDArray[np.complex128]:
    top = above[0] + delay * (above[1] + delay * above[2])
    return top / (below[0] + delay * (below[1] + delay * below[2]))
