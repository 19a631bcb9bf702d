"""The worker's door to ACE-Step 1.5: words, steps, sound; load what is missing, tell, stop, go on."""

from __future__ import annotations

import os
from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from acestep_core.conditioning.masks import SAMPLE_RATE
from acestep_core.errors import AceStepError, ConditionError, LoadError, NotFiniteError, ResumeError
from acestep_core.guidance import Guidance
from acestep_core.noise import SeededNoise
from acestep_core.sampler import Condition, Sampled, Settings, Step, sample
from acestep_core.schedules import Grid
from acestep_core.stored import pack, pack_latent
from acestep_core.v15 import tasks
from acestep_core.v15.modules import Denoiser

from ...errors import LofiError
from ...model import StageParams
from ..base import Equipment, LatentMade, RenderContext, Rendering
from . import memory, plan, sound, start, words
from .parts import Parts
from .progress import Progress, Velocities
from .words import Words

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

REMEMBERED = 8
"""Prompts whose encoding is kept: variations of one need no text encoder."""


def make_engine() -> AceStepEngine:
    """What the worker calls once."""
    return AceStepEngine()


class AceStepEngine:
    """Holds one model at a time. ``device`` is where the last track was made."""

    device = "cpu"

    def __init__(self) -> None:
        self._parts: Parts | None = None
        self._encoded: OrderedDict[Words, tuple[Tensor, Tensor]] = OrderedDict()
        self._decoding_costs: dict[str, float | None] = {}

    def render(self, params: StageParams, context: RenderContext) -> list[Rendering]:
        """One item for each of ``params.batch_size``, with the seeds seed, seed + 1, …

        The first is heard as it is decoded. Raises MODEL_* errors, INVALID_PARAMS for words beyond what the model
        reads, LATENT_MISMATCH, and what ``context`` raises; the engine can go on after all of them.
        """
        torch.set_num_threads(threads())
        device = context.equipment.device
        try:
            if device != "cpu":
                try:
                    return self._render(params, context, device)
                except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the GPU
                    reason = _first_line(error)
                self._leave_gpu(context, reason)
            return self._render(params, context, "cpu")
        except AceStepError as error:
            raise _named(error) from error
        except MemoryError as error:
            self.unload()
            raise _no_memory() from error
        except RuntimeError as error:
            if "not enough memory" in str(error) or "can't allocate memory" in str(error):
                self.unload()
                raise _no_memory() from error
            raise

    def unload(self) -> bool:
        """Free the model's memory; whether there was one."""
        had, self._parts = self._parts is not None, None
        self._encoded.clear()
        memory.give_back()
        return had

    def _leave_gpu(self, context: RenderContext, reason: str) -> None:
        """For the CPU. What was heard already stays true only of the same samples, so a stream that has begun is not
        gone on with."""
        self.unload()
        if context.heard:
            raise LofiError(
                "MODEL_INFERENCE_FAILED",
                f"The GPU failed in the middle of the track ({reason}); try again, or set device=cpu.",
            )
        context.notice("warn", f"The GPU failed ({reason}); ACE-Step goes on with the CPU, which is slower.")

    def _render(self, params: StageParams, context: RenderContext, device: str) -> list[Rendering]:
        named = context.latent(params.init_latent_id) if params.init_latent_id else None  # may fail: before the load
        parts = self._open(params, context.equipment, device)
        self.device = parts.device.type
        frames, batch = plan.frames_of(params.duration_sec), params.batch_size
        condition, null = self._condition(parts, params, frames)

        noise = SeededNoise(int(params.seed), batch, frames)
        first = noise.draw()
        begun = start.left_off(context.left_off) if context.left_off else start.begin(params, noise, first, named)
        settings = Settings(begun.grid, _solver(params), _guidance(params), parts.layout.distilled)
        progress = Progress(context.step, settings, begun.x, batch, self._decoding_costs.get(self.device))
        denoiser = Denoiser(parts.transformer(), null)
        progress.begin()

        grid: Grid = begun.grid

        def on_step(step: Step) -> None:
            nonlocal grid
            grid = step.checkpoint().grid
            context.checkpoint(lambda: _checkpoint(params, step))

        sampled = sample(
            Velocities(denoiser, progress, apart=self.device == "cpu"),
            settings,
            Condition(condition.encoder.expand(batch, -1, -1), condition.context.expand(batch, -1, -1)),
            noise,
            start=begun.x,
            on_step=on_step,
            checkpoint_step=params.checkpoint_step,
        )
        del denoiser
        self._keep(params, sampled, grid, context)
        return self._sound(parts, params, sampled.latent, context, progress)

    def _open(self, params: StageParams, equipment: Equipment, device: str) -> Parts:
        wanted = (equipment.folders, params.model, equipment.precision, device, params.lora or ())
        if self._parts is None or self._parts.key != wanted:
            self.unload()
            assert params.model is not None
            self._parts = Parts(equipment.folders, params.model, equipment.precision, device, params.lora or ())
        return self._parts

    def _condition(self, parts: Parts, params: StageParams, frames: int) -> tuple[Condition, Tensor]:
        """Of one item, at its own length, so that batch mates do not hear of each other; and the one of nothing."""
        text, lyric = self._read(parts, words.of(params))
        conditioner = parts.conditioner()
        heard = tasks.hear(conditioner, text, lyric, 1, parts.layout.timbre_frames)
        return conditioner.condition(heard, tasks.from_nothing(conditioner, frames, 1)), conditioner.null

    def _read(self, parts: Parts, said: Words) -> tuple[Tensor, Tensor]:
        """The encoded words, from memory if they were said before."""
        if said not in self._encoded:
            encoder = parts.text()
            try:
                lyric = encoder.lyric(said.lyric)
            except ConditionError as error:
                raise LofiError("INVALID_PARAMS", str(error), field="lyrics") from error
            try:
                text = encoder.text(said.text)
            except ConditionError as error:
                raise LofiError("INVALID_PROMPT", str(error), field="prompt") from error
            self._encoded[said] = text, lyric
            while len(self._encoded) > REMEMBERED:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(said)
        return self._encoded[said]

    def _keep(self, params: StageParams, sampled: Sampled, grid: Grid, context: RenderContext) -> None:
        assert params.model is not None
        steps = len(grid) - 1
        context.keep(LatentMade(pack_latent(sampled.latent), params.model, grid, steps))
        if sampled.checkpoint is not None:
            saved = sampled.checkpoint
            context.keep(LatentMade(pack(saved), params.model, saved.grid, steps, checkpoint_step=saved.step))

    def _sound(
        self, parts: Parts, params: StageParams, latent: Tensor, context: RenderContext, progress: Progress
    ) -> list[Rendering]:
        autoencoder = parts.vae()
        tile = sound.MPS_TILE if parts.device.type == "mps" else sound.TILE
        progress.decodes(len(latent) * sound.frames_heard(params.duration_sec))
        metadata = {"precision": context.equipment.precision}
        made = []
        for item, one in enumerate(latent):
            pieces = []
            for piece in sound.decode(autoencoder, one.to(parts.device), params.duration_sec, tile, progress.decoded):
                pieces.append(piece)
                if item == 0:
                    context.audio(piece, SAMPLE_RATE)
            made.append(Rendering(np.concatenate(pieces), SAMPLE_RATE, metadata=metadata))
        self._decoding_costs[self.device] = progress.decoding_cost()
        return made


def threads() -> int:
    """As the settings say (the front puts them into the environment), else the cores that this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _solver(params: StageParams) -> str:
    assert params.scheduler is not None
    return params.scheduler


def _guidance(params: StageParams) -> Guidance:
    if params.guidance is None or params.guidance_scale is None:
        return Guidance()
    return Guidance(params.guidance, params.guidance_scale, params.cfg_interval or (0.0, 1.0))  # type: ignore[arg-type]


def _checkpoint(params: StageParams, step: Step) -> LatentMade:
    saved = step.checkpoint()
    assert params.model is not None
    return LatentMade(pack(saved), params.model, saved.grid, step.total, checkpoint_step=step.index)


def _named(error: AceStepError) -> LofiError:
    """What the core raised, by its name on the wire."""
    if isinstance(error, NotFiniteError):
        return LofiError(
            "MODEL_INFERENCE_FAILED",
            f"The music became NaN after step {error.step + 1} of {error.total}: set ace_step_precision = float32, ask "
            "for less guidance, or download the model again.",
        )
    if isinstance(error, LoadError):
        return LofiError("MODEL_LOAD_FAILED", str(error))
    if isinstance(error, ResumeError):
        return LofiError("LATENT_MISMATCH", str(error), field="init_latent_id")
    return LofiError("INVALID_PARAMS", str(error))


def _no_memory() -> LofiError:
    return LofiError(
        "MODEL_INFERENCE_FAILED",
        "There is not enough memory for ACE-Step; close other programs, or ask for a shorter track or fewer at once "
        "(duration_sec, batch_size).",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
