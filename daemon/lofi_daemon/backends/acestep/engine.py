"""The worker's door to ACE-Step 1.5: words, steps, sound; load what is missing, tell, stop, go on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import diffusers
import numpy as np
import transformers
from torch import Tensor

from acestep_core.conditioning.masks import SAMPLE_RATE
from acestep_core.errors import AceStepError, ConditionError
from acestep_core.guidance import Guidance
from acestep_core.noise import SeededNoise
from acestep_core.sampler import Sampled, Settings, Step, sample
from acestep_core.schedules import Grid
from acestep_core.stored import pack, pack_latent

from ...errors import LofiError
from ...model import NoticeLevel, StageParams
from .. import care
from ..base import Equipment, LatentMade, Origin, RenderContext, Rendering
from . import plan, sound, sources, start, telling, trouble, words
from .parts import Parts
from .progress import DECODING_COST, Progress, Velocities
from .sound import Splice
from .sources import Source
from .telling import Encoded
from .words import Words

Notice = Callable[[NoticeLevel, str], None]

REMEMBERED = 8
"""Prompts whose encoding is kept: variations of one need no text encoder."""

_RELIEF = "close other programs, or ask for a shorter track or fewer at once (duration_sec, batch_size)"


def make_engine() -> AceStepEngine:
    """What the worker calls once."""
    for library in (diffusers.utils.logging, transformers.utils.logging):  # they warn of how models were published
        library.set_verbosity_error()
        library.disable_progress_bar()
    return AceStepEngine()


class AceStepEngine:
    """Holds one model at a time. ``device`` is where the last track was made."""

    device = "cpu"

    def __init__(self) -> None:
        self._parts: Parts | None = None
        self._encoded: OrderedDict[Words, Encoded] = OrderedDict()
        self._decoding_costs: dict[str, float] = {}

    def render(self, params: StageParams, context: RenderContext) -> list[Rendering]:
        """One item for each of ``params.batch_size``, with the seeds seed, seed + 1, …

        The first is heard as it is decoded. Raises MODEL_* errors, INVALID_PARAMS for words beyond what the model
        reads, LATENT_MISMATCH, and what ``context`` raises; the engine can go on after all of them.
        """
        try:
            return care.render("ACE-Step", context, partial(self._render, params, context), self.unload, _RELIEF)
        except AceStepError as error:
            raise trouble.named(error) from error

    def unload(self) -> bool:
        """Free the model's memory; whether there was one."""
        had, self._parts = self._parts is not None, None
        self._encoded.clear()
        care.give_back()
        return had

    def _render(self, params: StageParams, context: RenderContext, device: str) -> list[Rendering]:
        named = context.latent(params.init_latent_id) if params.init_latent_id else None  # may fail: before the load
        origin = context.origin() if params.stage_type != "generate" else None
        parts = self._open(params, context.equipment, device, context.notice)
        self.device = parts.device.type
        frames, batch = plan.frames_of(params.duration_sec), params.batch_size
        noise = SeededNoise(int(params.seed), batch, frames)
        first = noise.draw()

        said = self._read(parts, words.of(params, params.stage_type))
        goes_over = params.stage_type == "cover" and (params.cover_strength or 0.0) < 1
        plain = self._read(parts, words.of(params, "text2music")) if goes_over else None
        source = self._source(parts, params, origin, context)
        timbre = self._timbre(parts, params, context)
        conditioner = parts.conditioner()
        refined = params.stage_type == "refine"
        near: Tensor | None = None
        if source is not None:
            near = source.latents(params, frames, conditioner.silence)
        elif origin is not None and origin.latent is not None:
            near = sources.finished(origin.latent, origin.latent_index, frames)
        told = telling.tell(
            conditioner, params, frames, said, plain, parts.layout.timbre_frames, timbre, None if refined else near
        )
        null = conditioner.null
        del conditioner

        begun = (
            start.begin(params, noise, first, named, near) if not context.left_off else start.left_off(context.left_off)
        )
        settings = Settings(begun.grid, _solver(params), _guidance(params), parts.layout.distilled, begun.switch_step)
        cost = self._decoding_costs.get(self.device, DECODING_COST) if context.wants_audio else 0.0
        progress = Progress(context.step, settings, begun.x, batch, cost)
        denoiser = parts.denoiser(null)
        progress.begin()

        grid: Grid = begun.grid

        def on_step(step: Step) -> None:
            nonlocal grid
            grid = step.checkpoint().grid
            context.checkpoint(lambda: _checkpoint(params, step))

        sampled = sample(
            Velocities(denoiser, progress, apart=self.device == "cpu"),
            settings,
            told.condition,
            noise,
            start=begun.x,
            switched=told.switched,
            repaint=None if near is None else telling.repaint(params, told, near, first),
            on_step=on_step,
            checkpoint_step=params.checkpoint_step,
        )
        del denoiser
        made: list[Rendering] = []
        if context.wants_audio:
            made = self._sound(parts, params, sampled.latent, context, progress, _splice(params, source))
        self._keep(params, sampled, grid, context)  # last: a GPU may fail before, and then it all comes once more
        return made

    def _source(
        self, parts: Parts, params: StageParams, origin: Origin | None, context: RenderContext
    ) -> Source | None:
        """The source as waveform and latents; None where there is none, or a latent that is refined as it is."""
        if origin is None or (params.stage_type == "refine" and origin.latent is not None):
            return None
        sound = sources.waveform(parts.decode, origin, params.duration_sec)
        return sources.encoded(parts.vae(), sound, lambda: context.step(0, 1))

    def _timbre(self, parts: Parts, params: StageParams, context: RenderContext) -> Tensor | None:
        if params.reference_audio_id is None:
            return None
        path = context.source(params.reference_audio_id)
        return sources.timbre(parts.vae(), path, params, parts.layout.timbre_frames)

    def _open(self, params: StageParams, equipment: Equipment, device: str, notice: Notice) -> Parts:
        wanted = (equipment.folders, params.model, equipment.precision, device, params.lora or ())
        if self._parts is None or self._parts.key != wanted:
            self.unload()
            assert params.model is not None
            adapters = params.lora or ()
            self._parts = Parts(equipment.folders, params.model, equipment.precision, device, adapters, notice)
        return self._parts

    def _read(self, parts: Parts, said: Words) -> Encoded:
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
            self._encoded[said] = Encoded(text, lyric)
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
        self,
        parts: Parts,
        params: StageParams,
        latent: Tensor,
        context: RenderContext,
        progress: Progress,
        splice: Splice | None,
    ) -> list[Rendering]:
        frames = sound.frames_heard(params.duration_sec)
        progress.decodes(len(latent) * frames)
        metadata = {"precision": context.equipment.precision}
        made = []
        for item, one in enumerate(latent):
            pieces = []
            decoded = parts.decode(one[:frames])
            for piece in sound.decode(decoded, params.duration_sec, progress.decoded, splice):
                pieces.append(piece)
                if item == 0:
                    context.audio(piece, SAMPLE_RATE)
            made.append(Rendering(np.concatenate(pieces), SAMPLE_RATE, metadata=metadata))
        cost = progress.decoding_cost()
        if cost is not None:
            self._decoding_costs[self.device] = cost
        return made


def _solver(params: StageParams) -> str:
    assert params.scheduler is not None
    return params.scheduler


def _guidance(params: StageParams) -> Guidance:
    if params.guidance is None or params.guidance_scale is None:
        return Guidance()
    return Guidance(params.guidance, params.guidance_scale, params.cfg_interval or (0.0, 1.0))  # type: ignore[arg-type]


def _splice(params: StageParams, source: Source | None) -> Splice | None:
    window = telling.window_of(params)
    if params.stage_type != "repaint" or source is None or window is None:
        return None
    return Splice(source.sound, window, telling.crossfade_sec(params))


def _checkpoint(params: StageParams, step: Step) -> LatentMade:
    saved = step.checkpoint()
    assert params.model is not None
    return LatentMade(pack(saved), params.model, saved.grid, step.total, checkpoint_step=step.index)
