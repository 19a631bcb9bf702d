"""The reverb: an eight-line feedback delay network, solved in the frequency domain.

J.-M. Jot & A. Chaigne 1991 (the network, one decay per frequency), J. Dattorro 1997 (input diffusers). With
the Householder matrix A = I − ¼J the network's state s obeys (D⁻¹ − A)s = b, where D holds the lines. That
is a diagonal plus rank one, so Sherman–Morrison gives the response in closed form: no sample loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len

from ..units import RATE, Samples
from .filters import bins, highpass, lowpass, rolloff

Space = Literal["room", "plate", "ambient"]

_LINES = (1423, 1657, 1873, 2089, 2251, 2467, 2671, 2903)
_OUT_LEFT = (1, -1, 1, 1, -1, 1, -1, -1)
_OUT_RIGHT = (1, 1, -1, 1, -1, -1, 1, -1)
_PLAYED_HZ = (300.0, 2_000.0)
_DIFFUSERS = ((142, 0.7), (107, 0.7), (379, 0.6), (277, 0.6))


@dataclass(frozen=True, slots=True)
class _Room:
    t60: float
    size: float
    damping_hz: float
    predelay: float
    longest: float
    """Seconds at which the response is cut (faded out)."""


_ROOMS: dict[Space, _Room] = {
    "room": _Room(0.8, 0.45, 5_200, 0.010, 1.2),
    "plate": _Room(1.6, 1.0, 4_200, 0.018, 2.2),
    "ambient": _Room(2.6, 1.25, 3_600, 0.026, 3.7),
}


@lru_cache(maxsize=4)
def impulse_response(
    space: Space, time_scale: float, lowpass_hz: float, highpass_hz: float = 250.0
) -> tuple[Samples, Samples]:
    """Mid and side response to a mono send, already through the send's high-pass and ``lowpass_hz``.

    Where music is written the mid's response has a mean power of 1, so that a longer reverb is not a
    louder one.
    """
    room = _ROOMS[space]
    t60 = min(max(room.t60 * time_scale, 0.2), 6.0)
    longest = min(max(room.longest * time_scale, 0.4), 4.4)
    # The circle must outlast the decay: what rings past its end comes back at its start.
    size = next_fast_len(int(RATE * max(longest, 1.1 * t60)), real=True)
    hz = bins(size).astype(np.float64)
    delay = -2j * np.pi * hz / RATE
    decay = t60 / (1 + (hz / room.damping_hz) ** 1.5) + 0.05

    inverse = np.empty((len(_LINES), len(hz)), np.complex128)
    for line, length in enumerate(_LINES):
        samples = length * room.size
        gain = 10 ** (-3 * samples / (RATE * decay))
        inverse[line] = 1 / (np.exp(-delay * samples) / gain - 1)
    total = inverse.sum(0)
    state = inverse * (1 - 0.25 * total / (1 + 0.25 * total))

    send = np.exp(delay * RATE * room.predelay) * lowpass(size, lowpass_hz) * highpass(size, highpass_hz)
    for length, feedback in _DIFFUSERS:
        echo = np.exp(delay * length)
        send *= (echo - feedback) / (1 - feedback * echo)
    send *= rolloff(bins(size), 11_000, 2)
    left, right = (_tapped(state, signs) * send for signs in (_OUT_LEFT, _OUT_RIGHT))
    mid, side = (irfft(half, size)[: int(RATE * longest)] for half in ((left + right) / 2, (left - right) / 2))
    fade = np.cos(np.linspace(0, np.pi / 2, len(mid) // 4)) ** 2
    played = (hz > _PLAYED_HZ[0]) & (hz < _PLAYED_HZ[1])
    scale = 1 / np.sqrt(np.mean(np.abs((left + right)[played] / 2) ** 2))
    for part in (mid, side):
        part[-len(fade) :] *= fade
        part *= scale
    return mid.astype(np.float32), side.astype(np.float32)


def _tapped(lines: NDArray[np.complex128], signs: Sequence[int]) -> NDArray[np.complex128]:
    total = np.zeros(lines.shape[1], np.complex128)
    for sign, line in zip(signs, lines, strict=True):
        total += sign * line
    return total
