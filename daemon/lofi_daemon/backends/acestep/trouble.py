"""What goes wrong in here, by its name on the wire and with what to do about it."""

from __future__ import annotations

from acestep_core.errors import AceStepError, LoadError, NotFiniteError, ResumeError

from ...errors import LofiError


def named(error: AceStepError) -> LofiError:
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
