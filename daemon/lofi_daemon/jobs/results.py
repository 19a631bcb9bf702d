"""What a stage has left, by ids."""

from __future__ import annotations

from msgspec import UNSET

from ..library.pipelines import StageRecord
from .job import StageResult


def record_of(result: StageResult) -> StageRecord:
    """Of a stage that was found in the library the tracks tell of the latents."""
    records = [made.record for made in result.latents]
    pointed = [track.latent_id for track in result.tracks if track.latent_id is not UNSET]
    saved = [track.latent_checkpoint_id for track in result.tracks if track.latent_checkpoint_id is not UNSET]
    return StageRecord(
        params=result.params,
        seconds=result.seconds,
        tracks=tuple(track.id for track in result.tracks),
        latents=tuple(dict.fromkeys([*(r.id for r in records if not r.is_checkpoint), *pointed])),
        checkpoints=tuple(dict.fromkeys([*(r.id for r in records if r.is_checkpoint), *saved])),
    )
