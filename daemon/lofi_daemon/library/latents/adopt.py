"""The rows of latents made to agree with their files, which are the truth: each carries its own record."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import msgspec

from ...model import LatentFile
from ..index import Index
from ..layout import Layout
from .file import DamagedLatent, examine
from .table import LatentRow


def reconcile(layout: Layout, index: Index, now: float) -> None:
    """What every start does, by names alone: adopt files without a row, drop rows without a file.

    A folder that cannot be read changes nothing. The caller holds the library's lock.
    """
    _agree(layout, index, now, index.latents.ids())


def rebuild(layout: Layout, index: Index, now: float) -> None:
    """Read every file again; damaged ones lose their row. The caller holds the library's lock."""
    _agree(layout, index, now, ())


def row_for(layout: Layout, made: LatentFile, now: float) -> LatentRow:
    """The row of a latent whose file is in its place. Raises OSError."""
    record = msgspec.structs.replace(made.record, path="", pinned=False)
    return LatentRow(
        id=record.id,
        bytes=layout.latent_file(record.id).stat().st_size,
        sha256=made.sha256,
        created=_seconds(record.created_at, now),
        pinned=layout.marked_pinned(record.id),
        record=record,
    )


def why_damaged(path: Path) -> str:
    """Why the file has no row. Raises OSError."""
    try:
        found = examine(path)
    except DamagedLatent as error:
        return str(error)
    if found.record.id != path.stem:
        return f"it is the latent {found.record.id} under another name"
    return "it came after the daemon had started; restart it, or run `lofi reindex`"


def _agree(layout: Layout, index: Index, now: float, trusted: Collection[str]) -> None:
    try:
        files = layout.latent_files()
    except OSError:
        return
    rows = []
    for latent_id in sorted(files.difference(trusted)):
        try:
            found = examine(layout.latent_file(latent_id))
            if found.record.id == latent_id:
                rows.append(row_for(layout, found, now))
        except (DamagedLatent, OSError):  # whoever asks for it is told why
            continue
    kept = {row.id for row in rows} | files.intersection(trusted)
    index.latents.put(rows)
    index.latents.drop(index.latents.ids() - kept)


def _seconds(created_at: str, now: float) -> float:
    """Never later than ``now``: a clock that was wrong must not keep a latent for years."""
    try:
        return min(datetime.fromisoformat(created_at).timestamp(), now)
    except ValueError:
        return now
