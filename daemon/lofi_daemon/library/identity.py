"""The name of a track: what was asked for, hashed."""

from __future__ import annotations

import hashlib
import json

import msgspec

from ..model import StageParams, canonical_seed

NOT_IN_THE_SAMPLES = frozenset({"batch_size", "preview"})
"""Item i of a batch is the track of seed + i alone, so how many were asked for together is not part of it.

Everything else counts, ``checkpoint_step`` too: it leaves the samples alone, but a library hit would leave the
asked-for checkpoint unmade.
"""


def track_id(params: StageParams, model_version: str, stage: str | None = None) -> str:
    """SHA-256, 64 hex digits, of the canonical JSON of ``params`` (defaults filled in) and ``model_version``.

    ``stage`` is the id of the track that the source's latent belongs to, or would if it were heard: it stands for the
    index or the latent's own id, which say nothing outside of a pipeline or library.

    Canonical: keys sorted, no spaces, ASCII; a field that is None is left out, so that a field added in a later
    version changes no old id; 30.0 is written 30; the seed in its one form. Raises ValueError for NaN and infinity.
    """
    fields = {
        name: _canonical(value)
        for name in params.__struct_fields__
        if name not in NOT_IN_THE_SAMPLES and (value := getattr(params, name)) is not None
    }
    fields["seed"] = canonical_seed(int(params.seed))
    if stage is not None:
        fields["src_stage"] = stage
    document = {"model_version": model_version, "params": fields}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, msgspec.Struct):
        return {name: _canonical(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [_canonical(item) for item in value]
    return value
