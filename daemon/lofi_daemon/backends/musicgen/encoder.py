"""EnCodec's other half: sound to codes. It is run once a continuation, so transformers' own does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .codec import Codec


def encode(codec: Codec, audio: NDArray[np.float32]) -> Tensor:
    """``audio`` [samples, channels] at the codec's rate → codes [1, codebooks, frames], a last frame perhaps in part.

    Two channels become one for a model that has one, and one becomes two; stereo codes interleave left and right.
    """
    sides = 2 if codec.stereo else 1
    if audio.shape[1] != sides:
        audio = np.repeat(audio.mean(1, keepdims=True), sides, 1)
    rows = torch.from_numpy(np.ascontiguousarray(audio.T))[:, None].to(codec.device)  # a side is an item of its own
    model: Any = codec.model
    with torch.no_grad():
        codes: Tensor = model.encode(rows, return_dict=True).audio_codes[0]
    return codes.permute(1, 0, 2).reshape(1, -1, codes.shape[2]).cpu()
