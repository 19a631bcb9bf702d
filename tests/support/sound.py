"""Sounds whose clicks can be seen: a sine never steps further than its slope."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FREQUENCY = 220.0
AMPLITUDE = 0.5


def sine(seconds: float, rate: int = 48_000, channels: int = 2) -> FloatArray:
    """[frames, channels], not zero at its end, the channels a quarter turn apart."""
    t = np.arange(round(seconds * rate)) / rate
    turns = [2 * np.pi * FREQUENCY * t + channel * np.pi / 2 for channel in range(channels)]
    return (AMPLITUDE * np.sin(np.stack(turns, axis=1))).astype(np.float32)


def swell(seconds: float, rate: int = 48_000) -> FloatArray:
    """``sine`` in stereo whose level rises from half, so that no two of its frames are the same."""
    frames = sine(seconds, rate)
    return (frames * np.linspace(0.5, 1.0, len(frames))[:, None]).astype(np.float32)


def noise(seconds: float, rate: int = 48_000, channels: int = 2, seed: int = 7) -> FloatArray:
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.4, 0.4, (round(seconds * rate), channels)).astype(np.float32)


def click_threshold(rate: int = 48_000) -> float:
    """A tenth above the steepest step of ``sine``; a cut at its crest is thirty times that."""
    return 1.1 * AMPLITUDE * 2 * np.pi * FREQUENCY / rate


def largest_step(frames: FloatArray) -> float:
    """Between neighbouring samples, and from the silence before them."""
    return float(np.abs(np.diff(frames, axis=0, prepend=np.zeros((1, 2)))).max())


def save(path: Path, frames: FloatArray, rate: int = 48_000, subtype: str | None = None) -> Path:
    soundfile.write(path, frames, rate, subtype=subtype)
    return path


def wait_until_decoded(timeout_sec: float = 60.0) -> None:
    """Until every decoder has ended or is seconds ahead: then no reader of half a second is faster than one."""
    deadline = time.monotonic() + timeout_sec
    while any(map(_is_behind, threading.enumerate())):
        assert time.monotonic() < deadline, "a decoder does not get ahead"
        time.sleep(0.0005)


def _is_behind(thread: threading.Thread) -> bool:
    run = getattr(thread, "_target", None)  # a thread lets go of it as it ends
    if thread.name != "lofi-decoder" or run is None:
        return False
    source = run.__self__
    return bool(source.available <= source._low)
