"""A batch is one stage; its items are what become tracks."""

from __future__ import annotations

import msgspec

from ..library.identity import track_id
from ..model import StageParams, canonical_seed


def item_params(params: StageParams, item: int) -> StageParams:
    """Batch item ``item`` as a request of its own: seed + item (modulo 2^64), batch size 1. Where each goes on from its
    own item of a checkpoint (``resume_sample_index`` left open), that item."""
    seed = canonical_seed((int(params.seed) + item) % 2**64)
    index = params.resume_sample_index
    if params.init_latent_id is not None and index is None:
        index = item
    return msgspec.structs.replace(params, seed=seed, batch_size=1, resume_sample_index=index)


def track_ids(params: StageParams, model_version: str, stage: str | None = None) -> tuple[str, ...]:
    """The ids of all items, in order; see ``library.identity.track_id``."""
    return tuple(track_id(item_params(params, item), model_version, stage) for item in range(params.batch_size))
