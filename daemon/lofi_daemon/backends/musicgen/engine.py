"""The worker's door to MusicGen: load when first asked, tokens with the sound beside them, tell, stop, unload."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from collections.abc import Generator as Steps
from contextlib import closing
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from ...model import StageParams
from .. import care
from ..base import Equipment, RenderContext, Rendering
from .continuation import read_end
from .decoding import Decoding
from .encoder import encode
from .loaded import Loaded
from .melody import Tune, read_tune
from .native.build import folder as native_folder
from .sampling import Sampling
from .tokens import generate_codes
from .windows import STRIDE_SEC, Window, prompt_frames, windows

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns of how the checkpoints were published

_RELIEF = "close other programs, ask for fewer tracks at once (batch_size), or take model=small"


def make_engine() -> MusicGenEngine:
    """What the worker calls once."""
    return MusicGenEngine()


class MusicGenEngine:
    """Holds one model at a time. ``device`` is where the last track was made."""

    device = "cpu"

    def __init__(self) -> None:
        self._loaded: Loaded | None = None

    def render(self, params: StageParams, context: RenderContext) -> list[Rendering]:
        """One item for each of ``params.batch_size``, with the seeds seed, seed + 1, …

        Streams the first as it comes. Raises MODEL_* errors and what ``context`` raises; the engine can go on after
        all of them.
        """
        return care.render("MusicGen", context, partial(self._render, params, context), self.unload, _RELIEF)

    def unload(self) -> bool:
        """Free the model's memory; whether there was one."""
        had, self._loaded = self._loaded is not None, None
        care.give_back()
        return had

    @torch.no_grad()
    def _render(self, params: StageParams, context: RenderContext, device: str) -> list[Rendering]:
        reference, origin = params.reference_audio_id, context.origin()  # may fail: before the load
        tune = read_tune(context.source(reference), params.duration_sec) if reference else None
        loaded = self._load(context.equipment, context, device)
        self.device = loaded.device.type
        batch = params.batch_size
        sampling = _sampling(params, loaded.checkpoint.sampling)
        frame_rate, longest = loaded.checkpoint.frame_rate, loaded.config.delays.longest
        wanted = round(params.duration_sec * loaded.checkpoint.sample_rate)
        frames = max(1, math.ceil(params.duration_sec * frame_rate - 1e-6))
        stride = context.equipment.options.get("stride_sec", STRIDE_SEC)
        end, there, overlap = None, 0, (params.overlap_sec or 0) * frame_rate
        if origin and origin.audio:
            wished = max(overlap, prompt_frames(frame_rate, stride))
            end = read_end(origin.audio, loaded.codec, wished, overlap)
            there = len(end) // loaded.codec.hop
        plan = list(windows(frames - overlap, frame_rate, stride, there))
        total = sum(window.new + longest for window in plan) + (overlap > 0)
        states = loaded.text.states(params.prompt)
        generators = tuple(Generator().manual_seed((int(params.seed) + item) % 2**64) for item in range(batch))
        parts: list[NDArray[np.float32]] = []
        done = made = 0

        def pause() -> None:
            context.step(done, total)

        known = None if end is None else encode(loaded.codec, end, pause).repeat(batch, 1, 1)
        steps = self._codes(loaded, plan, sampling, generators, states, tune, batch, pause, known, overlap)
        sound = Decoding(loaded.codec.stream(batch), frame_rate, frames, loaded.cores)
        with closing(steps), sound:
            for done, codes in enumerate(steps, 1):
                sound.give(codes)
                for samples in sound.ready(pause):
                    samples = samples[:, :, : wanted - made]
                    parts.append(samples)
                    made += samples.shape[2]
                    context.audio(np.ascontiguousarray(samples[0].T), loaded.checkpoint.sample_rate)
                context.step(done, total)
        whole = np.concatenate(parts, axis=2)
        return [
            Rendering(
                np.ascontiguousarray(item.T), loaded.checkpoint.sample_rate, metadata={"precision": loaded.precision}
            )
            for item in whole
        ]

    def _codes(
        self,
        loaded: Loaded,
        plan: list[Window],
        sampling: Sampling,
        generators: tuple[Generator, ...],
        states: Tensor,
        tune: Tune | None,
        batch: int,
        pause: Callable[[], None],
        known: Tensor | None = None,
        overlap: int = 0,
    ) -> Steps[Tensor, None, None]:
        """Codes of all windows, one stream; an item for each step.

        ``known`` [batch, codebooks, frames] is what they go on from, and its last ``overlap`` frames come first.
        """
        config, longest = loaded.config, max(window.prompt + window.new for window in plan)
        positions = config.before(states.shape[1]) + config.delays.positions(longest)
        layers = loaded.layers(batch * (2 if sampling.guided else 1), positions)
        prefix: Tensor | None = None
        try:
            if not config.melody:
                layers.text(*loaded.conditions(states, batch, sampling.guided))
            if known is not None:
                yield known[:, :, -overlap:]
            for window in plan:
                prompt = known[:, :, -window.prompt :] if known is not None else None
                made = [] if known is None else [known]
                if config.melody:
                    begins = 0 if known is None else known.shape[2] - window.prompt
                    chroma = tune.chroma(begins / loaded.checkpoint.frame_rate) if tune else None
                    prefix = loaded.prefix(states, batch, sampling.guided, chroma)
                for codes in generate_codes(
                    layers,
                    loaded.embeddings,
                    config,
                    window.prompt + window.new,
                    sampling,
                    generators,
                    batch,
                    prompt,
                    prefix,
                    pause,
                ):
                    made.append(codes)
                    yield codes
                known = torch.cat(made, 2)
        finally:
            layers.close()

    def _load(self, equipment: Equipment, context: RenderContext, device: str) -> Loaded:
        if self._loaded is None or not self._loaded.fits(equipment, device):
            self.unload()
            self._loaded = Loaded(equipment, device, context.notice, native_folder(), care.threads())
        return self._loaded


def _sampling(params: StageParams, usual: Sampling) -> Sampling:
    """The checkpoint's own, where the request says nothing."""
    return Sampling(
        do_sample=usual.do_sample,
        guidance_scale=usual.guidance_scale if params.guidance_scale is None else params.guidance_scale,
        temperature=usual.temperature if params.temperature is None else params.temperature,
        top_k=usual.top_k if params.top_k is None else params.top_k,
        top_p=usual.top_p if params.top_p is None else params.top_p,
    )
