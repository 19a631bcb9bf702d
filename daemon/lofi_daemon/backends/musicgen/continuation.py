"""Going on from a track of the library: its end, whose codes the first window has as its prompt.

The new track begins with the last seconds of the other one, as the codec gives them back, so that a player can cross
from one into the other while both play the same music.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...audio.sources import read_tail
from ...errors import LofiError
from .codec import Codec


def read_end(path: Path, codec: Codec, frames: int, least: int) -> NDArray[np.float32]:
    """The last ``frames`` of ``codec`` in ``path``, or as many as there are, but ``least``: [samples, channels].

    The last one ends with the file's last sample. Raises INVALID_TRACK_ID and UNSUPPORTED, the latter also for a
    track that is too short.
    """
    audio = read_tail(path, codec.sample_rate, frames * codec.hop)
    whole = len(audio) // codec.hop
    if whole < least:
        raise LofiError(
            "UNSUPPORTED",
            f"The track to go on from, {path}, lasts {len(audio) / codec.sample_rate:.1f} seconds, and "
            f"{least * codec.hop / codec.sample_rate:g} are needed; name a longer one, or a smaller overlap_sec.",
            path=str(path),
        )
    return audio[-whole * codec.hop :]
