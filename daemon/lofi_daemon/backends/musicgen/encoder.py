"""EnCodec's other half: sound to codes. It is run once a continuation, so transformers' own does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .codec import Codec


def encode(codec: Codec, audio: NDArray[np.float32], pause: Callable[[], None] = lambda: None) -> Tensor:
    """``audio`` [samples, channels] at the codec's rate → codes [1, codebooks, frames], a last frame perhaps in part.

    It can take seconds; ``pause``, called in between, may raise.

    Two channels become one for a model that has one, and one becomes two; stereo codes interleave left and right.
    """
    sides = 2 if codec.stereo else 1
    if audio.shape[1] != sides:
        audio = np.repeat(audio.mean(1, keepdims=True), sides, 1)
    model: Any = codec.model
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(audio.T))[:, None].to(codec.device)  # a side is an item of its own
        for layer in model.encoder.layers:
            x = layer(x)
            pause()
        codes: Tensor = model.quantizer.encode(x, model.config.target_bandwidths[0])  # [codebooks, sides, frames]
    return codes.reshape(1, -1, codes.shape[2]).cpu()
