"""A track of the library as the material of a new one: any format, at the rate that a model works with. Worker only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ..errors import LofiError
from .files import DamagedFile, decode, probe


def read_source(path: Path, sample_rate: int, seconds: float | None = None) -> NDArray[np.float32]:
    """The first ``seconds`` of ``path`` or all of it, [frames, channels] at ``sample_rate``; never empty.

    Raises INVALID_TRACK_ID when the file is gone, UNSUPPORTED when it cannot be decoded.
    """
    try:
        info = probe(path)
        wanted = info.frames if seconds is None else min(info.frames, round(seconds * info.sample_rate))
        blocks, have = [], 0
        for block in decode(path):
            blocks.append(block[: wanted - have])
            have += len(blocks[-1])
            if have >= wanted:
                break
    except FileNotFoundError as error:
        raise LofiError(
            "INVALID_TRACK_ID", f"The file of the track to work from is gone ({path}); name another track.",
            path=str(path),
        ) from error  # fmt: skip
    except (DamagedFile, OSError) as error:
        raise LofiError(
            "UNSUPPORTED", f"The track to work from, {path}, cannot be read: {error}. Name another track.",
            path=str(path),
        ) from error  # fmt: skip
    audio = np.concatenate(blocks)
    if info.sample_rate == sample_rate:
        return audio
    resampled: NDArray[np.float32] = soxr.resample(audio, info.sample_rate, sample_rate)
    return resampled
