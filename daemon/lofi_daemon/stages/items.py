"""A batch is one stage; its items are what become tracks."""

from __future__ import annotations

import msgspec

from ..model import StageParams, canonical_seed


def item_params(params: StageParams, item: int) -> StageParams:
    """Batch item ``item`` as a request of its own: seed + item (modulo 2^64), batch size 1."""
    seed = canonical_seed((int(params.seed) + item) % 2**64)
    return msgspec.structs.replace(params, seed=seed, batch_size=1)
