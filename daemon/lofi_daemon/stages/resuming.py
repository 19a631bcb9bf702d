"""A stage that starts from a latent: checked against that latent's record before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping

from ..backends.registry import BACKENDS
from ..errors import LofiError
from ..model import LatentFile, StageParams
from .resolve import Resolved


def resume(params: StageParams, latents: Mapping[str, LatentFile], duration_asked: bool) -> Resolved:
    """``params`` as they will be run from the latent that ``init_latent_id`` names (whole, a key of ``latents``).

    Raises LATENT_MISMATCH; INVALID_PARAMS for what only a latent gives a meaning to.
    """
    if params.init_latent_id is None:
        if params.resume_sample_index and params.src_latent_id is None and params.src_stage is None:
            raise LofiError(
                "INVALID_PARAMS",
                "resume_sample_index chooses an item of a latent: name one with init_latent_id or src_latent_id, or "
                "leave it out.",
                field="resume_sample_index", expected=None, got=params.resume_sample_index,
            )  # fmt: skip
        return Resolved(params, ())
    resume_from = BACKENDS[params.backend].resume
    assert resume_from, "only a backend that takes init_latent_id has one"
    settled = resume_from(params, latents[params.init_latent_id].record, duration_asked)
    return Resolved(settled.params, settled.notices)
