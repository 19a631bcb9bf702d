"""A track of the library as the material of a new one: any format, at the rate that a model works with. Worker only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ..errors import LofiError
from .files import AudioInfo, DamagedFile, decode, probe


def read_source(path: Path, sample_rate: int, seconds: float | None = None) -> NDArray[np.float32]:
    """The first ``seconds`` of ``path`` or all of it, [frames, channels] at ``sample_rate``; never empty.

    Raises INVALID_TRACK_ID when the file is gone, UNSUPPORTED when it cannot be decoded.
    """
    blocks: list[NDArray[np.float32]] = []
    have = 0
    with _named_errors(path):
        info = probe(path)
        wanted = info.frames if seconds is None else min(info.frames, round(seconds * info.sample_rate))
        for block in decode(path):
            blocks.append(block[: wanted - have])
            have += len(blocks[-1])
            if have >= wanted:
                break
    return _at_rate(np.concatenate(blocks), info, sample_rate)


def read_tail(path: Path, sample_rate: int, frames: int) -> NDArray[np.float32]:
    """The last ``frames`` of ``path`` at ``sample_rate``, or all it has: [frames, channels], never empty.

    They end where the file ends. Raises as ``read_source``.
    """
    blocks: list[NDArray[np.float32]] = []
    with _named_errors(path):
        info = probe(path)
        wanted = -(-frames * info.sample_rate // sample_rate)
        for block in decode(path):
            blocks.append(block)
            while sum(map(len, blocks[1:])) >= wanted:
                del blocks[0]
    return _at_rate(np.concatenate(blocks)[-wanted:], info, sample_rate)[-frames:]


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
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


def _at_rate(audio: NDArray[np.float32], info: AudioInfo, sample_rate: int) -> NDArray[np.float32]:
    if info.sample_rate == sample_rate:
        return audio
    resampled: NDArray[np.float32] = soxr.resample(audio, info.sample_rate, sample_rate)
    return resampled
