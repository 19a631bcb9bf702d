"""The index made to agree with the files, which are the truth: each carries its own Track."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from ..audio.files import DamagedFile, read_track
from ..model import Track
from .durable import TEMPORARY_PREFIX
from .index import Index, Row
from .layout import Layout

_BATCH = 200
_STALE_TEMPORARY_SEC = 3600.0


class ReindexReport(Struct, frozen=True):
    """``found`` audio files, of which ``damaged`` (path, why) have no row; ``updated`` rows now say something else."""

    found: int
    added: int
    updated: int
    dropped: int
    damaged: tuple[tuple[str, str], ...]


class HasIndex(Protocol):
    """What ``reindex`` needs of ``Tracks``."""

    def rebuild(self) -> ReindexReport: ...


def reindex(tracks: HasIndex) -> ReindexReport:
    """Read every file of the library again and make the index agree with it.

    Moves and deletes no file. Favourites and last use are kept where the old row is there, favourites also where it
    is not (see ``Layout``); the last use is then the time of making. Raises CACHE_WRITE_ERROR.
    """
    return tracks.rebuild()


def rebuild(layout: Layout, index: Index, now: float) -> ReindexReport:
    """``reindex`` on an open index. The caller holds the library's lock, so that no file comes or goes meanwhile."""
    old = {row.id: row for row in index.all()}
    read, damaged = _read_files(layout, old, now)
    changed = [row for row in read.values() if old.get(row.id) != row]
    _put(index, changed)
    gone = [track_id for track_id in old if track_id not in read]
    index.drop(gone)
    added = sum(row.id not in old for row in changed)
    return ReindexReport(
        found=len(read) + len(damaged),
        added=added,
        updated=len(changed) - added,
        dropped=len(gone),
        damaged=tuple(damaged),
    )


def reconcile(layout: Layout, index: Index, now: float) -> ReindexReport:
    """What every start does, by names alone: adopt files without a row, drop rows without a file.

    A crash between the move of a file and its row leaves the one, a deletion by hand the other. A second file of a
    track whose row points to another one (the same track in another format, half replaced) is removed, and so are
    temporary files of an hour ago. The caller holds the library's lock.
    """
    _sweep_temporaries(layout, now)
    rows = index.files()
    files = set(layout.audio_files())
    indexed = set(rows.values())
    orphans = []
    for name in sorted(files - indexed):
        track_id = Path(name).stem
        if rows.get(track_id) in files and name == layout.file_name(track_id, Path(name).suffix[1:]):
            (layout.root / name).unlink(missing_ok=True)
        else:
            orphans.append(name)
    adopted, damaged = _read_files(layout, {}, now, orphans)
    new = [row for row in adopted.values() if row.id not in rows or rows[row.id] not in files]
    _put(index, new)
    kept = {row.id for row in new}
    gone = [track_id for track_id, name in rows.items() if name not in files and track_id not in kept]
    index.drop(gone)
    return ReindexReport(len(files), len(new), 0, len(gone), tuple(damaged))


def row_for(layout: Layout, track: Track, file: str, last_used: float, favorite: bool) -> Row:
    """The row of ``track``, whose file is there. Raises OSError."""
    return Row(
        id=track.id,
        file=file,
        bytes=(layout.root / file).stat().st_size,
        last_used=last_used,
        favorite=favorite,
        track=msgspec.structs.replace(track, path="", favorite=False),
    )


def _read_files(
    layout: Layout, old: Mapping[str, Row], now: float, names: list[str] | None = None
) -> tuple[dict[str, Row], list[tuple[str, str]]]:
    """Rows of the files ``names`` (all by default), and (path, why) of those that cannot have one."""
    rows: dict[str, Row] = {}
    damaged: list[tuple[str, str]] = []
    for name in layout.audio_files() if names is None else names:
        path = layout.root / name
        try:
            track = read_track(path)
            if track is None:
                raise DamagedFile("it carries no metadata of lofi.nvim")
            if track.id in rows:
                raise DamagedFile(f"it is the same track as {rows[track.id].file}")
            was = old.get(track.id)
            if was is not None:
                row = row_for(layout, track, name, was.last_used, was.favorite)
            else:
                row = row_for(layout, track, name, _made(track, now), layout.marked_favorite(track.id))
        except (DamagedFile, OSError, ImportError) as error:
            damaged.append((str(path), str(error)))
        else:
            rows[track.id] = row
    return rows, damaged


def _put(index: Index, rows: list[Row]) -> None:
    for start in range(0, len(rows), _BATCH):  # other daemons may note a use in between
        index.put(rows[start : start + _BATCH])


def _made(track: Track, now: float) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(track.created_at).timestamp()
    except ValueError:
        return now


def _sweep_temporaries(layout: Layout, now: float) -> None:
    for folder in os.scandir(layout.tracks):
        if not folder.is_dir(follow_symlinks=False):
            continue
        for entry in os.scandir(folder):
            if entry.name.startswith(TEMPORARY_PREFIX) and now - entry.stat().st_mtime > _STALE_TEMPORARY_SEC:
                Path(entry.path).unlink(missing_ok=True)
