"""Is the ACE-Step on this machine sound? A seed twice, a run that was interrupted, our step and our sound against
float32's, and music.

The tests of this project know random weights only; this is for the real ones.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acestep_core.stored import unpack_latent
from acestep_core.v15 import loading
from acestep_core.v15.layout import Layout

from ...errors import LofiError
from ...health.finding import Finding, Level
from ...model import LatentRecord, StageParams
from ...units import size
from ..base import Equipment, Latent, LatentMade
from ..trial import Trial, judge
from . import memory, plan, sound
from .engine import AceStepEngine
from .parts import Parts

PROMPT = "lofi hip hop, mellow rhodes, vinyl crackle, slow drums"
SECONDS = 5.0
STEPS = 8
INTERRUPTED_AFTER = STEPS - 2
EXACT_DB = 25.0
"""Signal to difference from float32's. bfloat16 has 35 to 50; a wrong kernel or layout hardly 10."""


@dataclass(frozen=True)
class _Run:
    audio: NDArray[np.float32]
    latent: Tensor
    checkpoint: LatentMade | None
    seconds: float
    notices: tuple[str, ...]


def look(equipment: Equipment) -> Iterator[Finding]:
    """Every finding as it is made. Raises MODEL_* where the model cannot even be loaded."""
    params = _params(equipment)
    layout = Parts(equipment.folders, str(params.model), equipment.precision, equipment.device).layout
    kind = "diffusers' layout" if layout.diffusers else "the published layout"
    yield _found("ok", f"{params.model} in {kind}, {equipment.precision} on {equipment.device}")
    engine = AceStepEngine()
    try:
        yield from _music(engine, params, equipment, layout)
    except LofiError as error:
        yield _found("error", error.message)
    finally:
        engine.unload()


def _params(equipment: Equipment) -> StageParams:
    """Eight steps with noise of their own, guided where the model wants it."""
    model = re.sub(r"^acestep-v15-(.*?)@.*$", r"\1", equipment.model_version)
    usual = StageParams(
        backend="ace_step_15", model=model, prompt=PROMPT, duration_sec=SECONDS, seed=1, instrumental=True,
        inference_steps=STEPS, scheduler="pingpong", shift=3.0,
    )  # fmt: skip
    return usual if plan.is_turbo(model) else msgspec.structs.replace(usual, guidance="apg", guidance_scale=7.0)


def _music(engine: AceStepEngine, params: StageParams, equipment: Equipment, layout: Layout) -> Iterator[Finding]:
    first = _run(engine, msgspec.structs.replace(params, checkpoint_step=INTERRUPTED_AFTER), equipment)
    yield _found("ok", f"{SECONDS:g} s of music in {first.seconds:.1f} s, loading included")
    for notice in first.notices:
        yield _found("warn", notice)
    yield judge("ACE-Step 1.5", first.audio, equipment.folders[0])

    again = _run(engine, params, equipment)
    yield _found("ok", f"and in {again.seconds:.1f} s, once it is loaded")
    same = torch.equal(first.latent, again.latent) and np.array_equal(first.audio, again.audio)
    yield _bits(same, "the same seed gives the same bits", "the same seed gives other music each time")
    left = _latent(first, params)
    going_on = msgspec.structs.replace(params, init_latent_id=left.record.id, resume_sample_index=0)
    rest = _run(engine, going_on, equipment, left)
    same = torch.equal(first.latent, rest.latent)
    yield _bits(same, "what was interrupted goes on to the same bits", "what was interrupted goes on to other music")

    engine.unload()
    exact = _decoded(layout, first.latent)
    yield _compared("the sound, piece by piece,", first.audio, exact)
    if equipment.precision == "float32" and equipment.device == "cpu":
        return
    need = 4 * (memory.elements(layout.model) + memory.elements(layout.model / "transformer"))
    if memory.available(torch.device("cpu")) < need * 1.25:
        yield _found("info", f"a step was not compared with float32's, which takes {size(need)} of memory")
        return
    plainly = msgspec.structs.replace(equipment, precision="float32", device="cpu")
    step = _run(engine, going_on, plainly, left)
    before = unpack_latent(left.blob).numpy()
    yield _compared("a step", first.latent.numpy() - before, step.latent.numpy() - before)


def _run(engine: AceStepEngine, params: StageParams, equipment: Equipment, *latents: Latent) -> _Run:
    context = Trial(equipment, latents)
    began = time.monotonic()
    audio = engine.render(params, context)[0].audio
    seconds = time.monotonic() - began
    final = next(made for made in context.kept if made.checkpoint_step is None)
    checkpoint = next((made for made in context.kept if made.checkpoint_step is not None), None)
    return _Run(audio, unpack_latent(final.blob), checkpoint, seconds, tuple(context.notices))


def _latent(run: _Run, params: StageParams) -> Latent:
    """The checkpoint of ``run`` as the library would give it back."""
    made = run.checkpoint
    assert made is not None
    shape = tuple(run.latent.shape)
    record = LatentRecord(
        id=str(uuid.uuid4()), shape=shape, dtype="float32", model_variant=made.model_variant, stage_type="generate",
        is_checkpoint=True, checkpoint_step=made.checkpoint_step, total_steps=made.total_steps,
        schedule=made.schedule, params=params, batch_size=shape[0], created_at="",
    )  # fmt: skip
    return Latent(record, made.blob)


def _decoded(layout: Layout, latent: Tensor) -> NDArray[np.float32]:
    """In one piece, in float32, as diffusers does it."""
    autoencoder = loading.load_vae(layout)
    with torch.no_grad():
        samples = autoencoder.decode(latent[:1].transpose(1, 2).float(), return_dict=False)[0][0]
    return sound.limit(samples.T.numpy())


def _compared(what: str, ours: NDArray[np.float32], exact: NDArray[np.float32]) -> Finding:
    exact = exact[: len(ours)].astype(np.float64)
    error = np.sum((ours - exact) ** 2)
    decibels = 10 * np.log10(np.sum(exact**2) / error) if error else np.inf
    text = f"{what} agrees with float32's to {decibels:.0f} dB"
    if decibels >= EXACT_DB:
        return _found("ok", text)
    return _found("error", text, "please report it, with this output", "until then: ace_step_precision = float32")


def _bits(same: bool, good: str, bad: str) -> Finding:
    return _found("ok", good) if same else _found("error", bad, "please report it, with this output")


def _found(level: Level, text: str, *advice: str) -> Finding:
    return Finding("ACE-Step 1.5", level, text, advice)
