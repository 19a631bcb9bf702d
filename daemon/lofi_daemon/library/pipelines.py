"""What pipelines were asked for and what their stages left, so that one can be run again from a later stage.

A table of the index: lost with it, which costs nothing that was made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal

import msgspec
from msgspec import Struct

from ..model import StageParams

KEPT = 200
"""Of them, the newest."""

State = Literal["running", "completed", "failed", "cancelled"]


class StageRecord(Struct, frozen=True):
    """A stage that has ended; its tracks and latents by id. ``params`` as it was run."""

    params: StageParams
    seconds: float
    tracks: tuple[str, ...]
    latents: tuple[str, ...]
    checkpoints: tuple[str, ...]


class PipelineRecord(Struct, frozen=True):
    """``asked`` are the stages with what they took from the shared ones, before defaults were filled in; ``stages``
    after. ``identities`` are the ids of each stage's tracks, made or not, and the model's version. ``results`` has None
    for a stage that has not ended."""

    id: str
    created_at: str
    asked: tuple[dict[str, object], ...]
    stages: tuple[StageParams, ...]
    identities: tuple[tuple[tuple[str, ...], str], ...]
    results: tuple[StageRecord | None, ...]
    state: State = "running"
    message: str = ""


class PipelineTable:
    """Made and kept by ``index.Index``; ``named`` and ``transaction`` are the index's own."""

    def __init__(
        self,
        db: sqlite3.Connection,
        named: Callable[[], AbstractContextManager[None]],
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._db = db
        self._named = named
        self._transaction = transaction

    def put(self, record: PipelineRecord) -> None:
        """Add as the newest, in the place of one with the same id."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO pipelines (id, record) VALUES (?, ?)",
                (record.id, msgspec.json.encode(record).decode()),
            )
            self._db.execute("DELETE FROM pipelines WHERE number <= (SELECT max(number) FROM pipelines) - ?", (KEPT,))

    def get(self, pipeline_id: str) -> PipelineRecord | None:
        with self._named():
            row = self._db.execute("SELECT record FROM pipelines WHERE id = ?", (pipeline_id,)).fetchone()
        return _record(row[0]) if row else None

    def newest_first(self) -> list[PipelineRecord]:
        with self._named():
            rows = self._db.execute("SELECT record FROM pipelines ORDER BY number DESC").fetchall()
        return [record for (text,) in rows if (record := _record(text)) is not None]


def _record(text: str) -> PipelineRecord | None:
    """None where a newer version wrote something that this one cannot read."""
    try:
        return msgspec.json.decode(text, type=PipelineRecord)
    except msgspec.MsgspecError:
        return None
