"""The index's table of latents, and the questions asked of it. Made and kept by ``index.Index``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager

import msgspec
from msgspec import Struct

from ...model import LatentRecord

_HELD = (
    "(EXISTS (SELECT 1 FROM tracks WHERE favorite = 1 AND tracks.latent = latents.id)"
    " OR EXISTS (SELECT 1 FROM tracks WHERE favorite = 1 AND tracks.checkpoint = latents.id))"
)
"""Two questions, each with an index of its own: with OR inside one of them SQLite reads all tracks."""


class LatentRow(Struct, frozen=True):
    """``created`` in seconds since the epoch; ``held`` by a favourite track. The record has neither path nor pin."""

    id: str
    bytes: int
    sha256: str
    created: float
    pinned: bool
    record: LatentRecord
    held: bool = False


class LatentTable:
    """``named`` and ``transaction`` are the index's own: errors get their names there."""

    def __init__(
        self,
        db: sqlite3.Connection,
        named: Callable[[], AbstractContextManager[None]],
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._db = db
        self._named = named
        self._transaction = transaction

    def put(self, rows: Iterable[LatentRow]) -> None:
        """Add or replace, all or none."""
        values = [
            (row.id, row.bytes, row.sha256, row.created, row.pinned, msgspec.json.encode(row.record).decode())
            for row in rows
        ]
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO latents (id, bytes, sha256, created, pinned, record) VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )

    def drop(self, ids: Iterable[str]) -> None:
        """Forget, all or none."""
        with self._transaction():
            self._db.executemany("DELETE FROM latents WHERE id = ?", [(latent_id,) for latent_id in ids])

    def set_pinned(self, latent_id: str, pinned: bool) -> None:
        with self._named():
            self._db.execute("UPDATE latents SET pinned = ? WHERE id = ?", (pinned, latent_id))

    def starting_with(self, prefix: str, limit: int) -> list[LatentRow]:
        """The first ``limit`` rows whose id starts with the lower-case ``prefix``."""
        return self._rows("WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (prefix, prefix + "g", limit))

    def page(self, pinned: bool | None, limit: int, offset: int) -> tuple[list[LatentRow], int]:
        """The newest first, of those only that are or are not ``pinned`` or held; how many there are in all."""
        where = "" if pinned is None else f"WHERE (pinned OR {_HELD}) = {int(pinned)}"
        rows = self._rows(f"{where} ORDER BY created DESC, id LIMIT ? OFFSET ?", (limit, offset))
        with self._named():
            total: int = self._db.execute(f"SELECT count(*) FROM latents {where}").fetchone()[0]  # noqa: S608
        return rows, total

    def expired(self, before: float) -> list[LatentRow]:
        """Neither pinned nor held, and made at ``before`` or earlier."""
        return self._rows(f"WHERE created <= ? AND NOT pinned AND NOT {_HELD} ORDER BY created", (before,))

    def kinship(self) -> tuple[dict[str, tuple[str, ...]], set[str]]:
        """The parents of every latent, and the latents that became tracks."""
        with self._named():
            rows = self._db.execute(
                "SELECT id, json_extract(record, '$.parent_ids'),"
                " coalesce(json_extract(record, '$.heard'), 1) FROM latents"
            ).fetchall()
        parents = {i: msgspec.json.decode(text or "[]", type=tuple[str, ...]) for i, text, _ in rows}
        return parents, {latent_id for latent_id, _, heard in rows if heard}

    def some(self, ids: Collection[str]) -> list[LatentRow]:
        """Those of ``ids`` that have a row."""
        marks = ", ".join("?" * len(ids))
        return self._rows(f"WHERE id IN ({marks})", tuple(ids))

    def ids(self) -> set[str]:
        with self._named():
            return {row[0] for row in self._db.execute("SELECT id FROM latents")}

    def known(self, ids: Collection[str]) -> set[str]:
        """Those of ``ids`` that have a row."""
        if not ids:
            return set()
        marks = ", ".join("?" * len(ids))
        with self._named():
            found = self._db.execute(f"SELECT id FROM latents WHERE id IN ({marks})", tuple(ids))  # noqa: S608
            return {row[0] for row in found}

    def totals(self) -> tuple[int, int]:
        """How many, and their bytes."""
        with self._named():
            count, size = self._db.execute("SELECT count(*), total(bytes) FROM latents").fetchone()
        return count, int(size)

    def _rows(self, clause: str, values: Sequence[object]) -> list[LatentRow]:
        with self._named():
            found = self._db.execute(
                f"SELECT id, bytes, sha256, created, pinned, {_HELD}, record FROM latents {clause}",  # noqa: S608
                values,
            ).fetchall()
        return [
            LatentRow(i, size, sha256, created, bool(pinned), record, bool(held))
            for i, size, sha256, created, pinned, held, text in found
            if (record := _record(text)) is not None
        ]


def _record(text: str) -> LatentRecord | None:
    """None where a newer version wrote something that this one cannot read."""
    try:
        return msgspec.json.decode(text, type=LatentRecord)
    except msgspec.MsgspecError:
        return None
