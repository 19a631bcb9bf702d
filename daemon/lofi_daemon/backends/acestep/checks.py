"""What of a request ACE-Step 1.5 cannot do, told before anything is queued."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import LofiError
from ...model import LatentRecord, Lora, StageParams
from . import plan

_TOKENIZERS = ("audio_tokenizer", "audio_token_detokenizer")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,4})?|unknown")


def check(params: StageParams) -> None:
    """Raises INVALID_PARAMS and INVALID_STAGE."""
    _check_stage(params)
    if params.shift is not None and not 0.1 <= params.shift <= 10:
        raise LofiError(
            "INVALID_PARAMS", f"shift must lie between 0.1 and 10, not {params.shift:g}.",
            field="shift", expected=[0.1, 10], got=params.shift,
        )  # fmt: skip
    if params.cfg_interval is not None and not 0 <= params.cfg_interval[0] <= params.cfg_interval[1] <= 1:
        raise LofiError(
            "INVALID_PARAMS", "cfg_interval is two numbers from 0 to 1, the first not above the second.",
            field="cfg_interval", expected=[0, 1], got=list(params.cfg_interval),
        )  # fmt: skip
    if params.vocal_language is not None and not _LANGUAGE.fullmatch(params.vocal_language):
        raise LofiError(
            "INVALID_PARAMS", "vocal_language is a code such as “en”, “ja” or “zh”, or “unknown”.",
            field="vocal_language", got=params.vocal_language[:50],
        )  # fmt: skip
    for adapter in params.lora or ():
        if not adapter_file(adapter).is_file():
            raise LofiError(
                "INVALID_PARAMS",
                f"There is no LoRA in {adapter.path}; give a .safetensors file, or a folder with "
                "adapter_model.safetensors.",
                field="lora", got=adapter.path,
            )  # fmt: skip


def fits(params: StageParams) -> None:
    """Once the duration is known, which may be that of a source."""
    for field in ("repaint_start", "repaint_end"):
        at = getattr(params, field)
        if at is not None and at > params.duration_sec + 1 / plan.FRAMES_PER_SEC:
            raise LofiError(
                "INVALID_PARAMS",
                f"{field} = {at:g} lies beyond the end of the music ({params.duration_sec:g} seconds); a longer "
                "duration_sec makes room after the source.",
                field=field, expected=[0, params.duration_sec], got=at,
            )  # fmt: skip


def require_step(params: StageParams, start: LatentRecord | None) -> None:
    """Raises INVALID_PARAMS for a checkpoint after a step that the run from ``start`` does not take."""
    steps = plan.steps_taken(params, start)
    if params.checkpoint_step is None or params.checkpoint_step in steps:
        return
    taken = f"takes steps {steps[0]} to {steps[-1]}" if steps else "has no step left"
    raise LofiError(
        "INVALID_PARAMS",
        f"The run {taken}: checkpoint_step {params.checkpoint_step} is none of them.",
        field="checkpoint_step", expected=[steps[0], steps[-1]] if steps else [], got=params.checkpoint_step,
    )  # fmt: skip


def require_tokenizer(params: StageParams, model: Path) -> None:
    """Raises INVALID_STAGE for a cover by a model in diffusers' layout that came without its tokenizer pair, as the
    published xl-turbo does (``acestep_core.v15.layout``)."""
    if params.stage_type != "cover" or not (model / "transformer").is_dir():
        return
    if not all((model / part / "config.json").is_file() for part in _TOKENIZERS):
        raise LofiError(
            "INVALID_STAGE",
            f"This copy of ACE-Step {params.model} came without its audio tokenizer, through which a cover hears its "
            "source: take another model, such as model=turbo.",
            field="stage_type", expected=["generate", "refine", "repaint"], got="cover",
        )  # fmt: skip


def adapter_file(adapter: Lora) -> Path:
    """Its weights, in the folder that PEFT writes or as they are."""
    path = Path(adapter.path).expanduser()
    return path / "adapter_model.safetensors" if path.is_dir() else path


def _check_stage(params: StageParams) -> None:
    stage, model = params.stage_type, str(params.model)
    if stage in plan.BASE_ONLY and not model.endswith("base"):
        raise LofiError(
            "INVALID_STAGE",
            f"ACE-Step {model} cannot run the stage “{stage}”, only base and xl-base can: set model=base.",
            field="stage_type", expected=["generate", "refine", "cover", "repaint"], got=stage,
        )  # fmt: skip
    if stage in ("extract", "lego") and not params.track_name:
        raise LofiError(
            "INVALID_PARAMS", f"A stage “{stage}” needs track_name, the part that is meant, such as “drums”.",
            field="track_name", expected="a part", got=None,
        )  # fmt: skip
    if stage == "repaint" and params.repaint_start is None and params.repaint_end is None:
        raise LofiError(
            "INVALID_PARAMS", "Say which seconds to paint anew: repaint_start, repaint_end or both.",
            field="repaint_start", expected="seconds", got=None,
        )  # fmt: skip
    start, end = params.repaint_start or 0.0, params.repaint_end
    if start < 0 or (end is not None and end <= start):
        raise LofiError(
            "INVALID_PARAMS", "repaint_start is 0 or later, and repaint_end after it, in seconds of the source.",
            field="repaint_end" if start >= 0 else "repaint_start", got=[params.repaint_start, end],
        )  # fmt: skip
