"""The tracks of the library that a stage works from."""

from __future__ import annotations

from ..model import StageParams

SOURCE_FIELDS = ("reference_audio_id", "src_audio_id")


def source_ids(params: StageParams) -> tuple[str, ...]:
    """Their ids, each once."""
    named = (getattr(params, field) for field in SOURCE_FIELDS)
    return tuple(dict.fromkeys(track_id for track_id in named if track_id is not None))
