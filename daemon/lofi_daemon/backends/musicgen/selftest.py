"""Is the MusicGen on this machine sound? Its weights, our step against torch's, chunks against the whole, and music.

The tests of this project know random weights only; this is for the real ones.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import LofiError
from ...health.finding import Finding
from ...model import StageParams
from ..base import Equipment
from ..care import threads
from ..trial import Trial, judge
from .codec import Codec
from .encoder import encode
from .engine import MusicGenEngine
from .loaded import Loaded
from .native.build import folder
from .torch_decoder import TorchDecoder, TorchWeights

POSITIONS = 32
PROMPT = "lofi hip hop, mellow rhodes, vinyl crackle, slow drums"
SECONDS = 5.0
OVERLAP_SEC = 2.0
UNHEARD_DB = 3.0
EXACT = {"float32": 1e-3, "bfloat16": 0.05, "int8": 0.12}
"""Allowed difference of logits from float32's, relative; the published weights are the least regular there are."""


def look(equipment: Equipment) -> Iterator[Finding]:
    """Every finding as it is made. Raises MODEL_* where the model cannot even be loaded."""
    notices: list[str] = []
    began = time.monotonic()
    loaded = Loaded(equipment, None, lambda level, message: notices.append(message), folder(), threads())
    size = f"{len(loaded.checkpoint.names())} tensors, {loaded.config.layers} layers of {loaded.config.hidden}"
    yield _found("ok", f"loads in {time.monotonic() - began:.1f} s: {size}, {loaded.precision} on {loaded.device}")
    for notice in notices:
        yield _found("warn", notice)
    yield _decoder(loaded)
    yield _codec(loaded)
    audio = yield from _music(equipment)
    if audio is not None:
        yield _join(loaded.codec, audio)


def _decoder(loaded: Loaded) -> Finding:
    """What is run here against torch in float32, on the same codes."""
    config = loaded.config
    codes = torch.randint(0, config.vocabulary, (2, config.codebooks, POSITIONS), generator=torch.Generator())
    states = loaded.text.states(PROMPT)
    before = config.before(states.shape[1])
    exact = TorchDecoder(TorchWeights(loaded.checkpoint, "float32", torch.device("cpu")), 2, before + POSITIONS)
    ours = loaded.layers(2, before + POSITIONS)
    with torch.no_grad():
        rows: list[Tensor] = []
        x = loaded.embeddings(codes, before)
        if config.melody:
            prefix = loaded.prefix(states, 1, True, None) + loaded.embeddings.positions(0, before)
            x = torch.cat([prefix, x], 1)
        for layers in (exact, ours):
            if not config.melody:
                layers.text(*loaded.conditions(states, 1, True))
            at_once = layers.rows // 2
            for first in range(0, before, at_once):
                layers.forward(x[:, first : min(before, first + at_once)], first)
            steps = range(before, before + POSITIONS)
            rows.append(torch.stack([layers.forward(x[:, i : i + 1], i).clone() for i in steps]))
            layers.close()
    error = float((rows[1] - rows[0]).norm() / rows[0].norm())
    alike = float((rows[1].argmax(-1) == rows[0].argmax(-1)).float().mean())
    text = f"logits differ from float32's by {error:.2%}; the likeliest token is the same in {alike:.1%}"
    if error <= EXACT[loaded.precision]:
        return _found("ok", text)
    advice = "please report it, with this output", "until then: musicgen_precision = float32"
    return _found("error", text, *advice)


def _codec(loaded: Loaded) -> Finding:
    config, frames = loaded.config, 120
    codes = torch.randint(0, config.vocabulary, (1, config.codebooks, frames), generator=torch.Generator())
    whole = loaded.codec.stream(1).push(codes, last=True)
    stream = loaded.codec.stream(1)
    parts = [stream.push(codes[:, :, at : at + 25], last=at + 25 >= frames) for at in range(0, frames, 25)]
    error = float((torch.cat(parts, 2) - whole).abs().max())
    text = f"sound in parts differs from the whole by {error:.1e}"
    return _found("ok", text) if error <= 1e-4 else _found("error", text, "please report it, with this output")


def _music(equipment: Equipment) -> Generator[Finding, None, NDArray[np.float32] | None]:
    """Gives back what was made, [samples, channels], where it could be made."""
    context = Trial(equipment)
    params = StageParams(backend="musicgen", prompt=PROMPT, duration_sec=SECONDS, seed=1)
    engine = MusicGenEngine()
    began = time.monotonic()
    try:
        audio = engine.render(params, context)[0].audio
    except LofiError as error:
        yield _found("error", error.message)
        return None
    seconds = time.monotonic() - began
    yield _found("ok", f"{SECONDS:g} s of music in {seconds:.1f} s, loading included")
    for notice in context.notices:
        yield _found("warn", notice)
    yield judge("MusicGen", audio, equipment.folders[0])
    return audio


def _join(codec: Codec, audio: NDArray[np.float32]) -> Finding:
    """Where a track goes over into one that continues it, its end is crossed with what the codec makes of that."""
    samples = round(OVERLAP_SEC * codec.sample_rate)
    codes = encode(codec, audio[-2 * samples :])
    again = codec.stream(1).push(codes, last=True)[0].numpy().T[samples : 2 * samples]
    end, rise = audio[-samples:], np.linspace(0, 1, samples, dtype=np.float32)[:, None]
    window = codec.sample_rate // 10
    before, crossed = _levels(end, window), _levels(np.asarray(end * (1 - rise) + again * rise, np.float32), window)
    worst = float(np.abs(crossed - before).max())
    text = f"going over into a continuation changes the level by {worst:.1f} dB at most"
    if worst <= UNHEARD_DB:
        return _found("ok", text)
    return _found("warn", text, "random weights do this; with trained ones, please report it")


def _levels(sound: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Power of each window in decibel, not below −60."""
    parts = sound[: len(sound) // window * window].reshape(-1, window * sound.shape[1])
    return np.asarray(10 * np.log10((parts**2).mean(1) + 1e-6), np.float32)


def _found(level: str, text: str, *advice: str) -> Finding:
    return Finding("MusicGen", level, text, advice)  # type: ignore[arg-type]
