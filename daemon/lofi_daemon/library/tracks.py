"""The library's tracks: files on the disk, rows in the index, and the promise that they agree."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ..audio.files import FORMATS
from ..errors import LofiError
from ..model import AudioFormat, LatentRecord, Track
from . import lineage, reindex
from .changes import Changes, LibraryChanged
from .durable import flush_folder, make_folder, move_into, named_errors, remove, write_error
from .eviction import to_evict
from .export import export_file
from .index import SORTS, Entry, Index, Row
from .keeper import IndexKeeper
from .latents import adopt
from .latents.store import Latents
from .layout import Layout
from .lock import FileLock
from .pipelines import PipelineRecord
from .staging import Staging

MAX_PAGE = 200
MIN_PREFIX = 6
MAX_QUERY = 512
USE_RESOLUTION_SEC = 60.0
"""A use within this time of the last one is not written: the order of eviction does not need it."""

_ID = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(rf"[0-9a-f]{{{MIN_PREFIX},64}}")
_MAX_CANDIDATES = 5


class CacheStats(Struct, frozen=True):
    """Bytes of audio and the limit (None = none); ``created_at`` of the oldest and the newest track."""

    count: int
    bytes: int
    max_bytes: int | None
    oldest: str | None
    newest: str | None


class Tracks:
    """The library in folder ``root``, which several daemons may share.

    Synchronous; every call comes from one thread, which opens the index on the first one. Nothing touches the disk
    before that. Where ``root`` cannot be written each call raises CACHE_WRITE_ERROR, until it can. ``clock`` gives
    seconds since the epoch. ``latents`` is the store of the latents that tracks point to, in ``latent_dir``.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
        latent_dir: Path | None = None,
    ) -> None:
        self._layout = Layout(root, latent_dir)
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = FileLock(self._layout.lock)
        self._staging = Staging(self._layout.staging)
        self._changes = Changes()
        self._index = IndexKeeper(self._layout, self._lock, clock, self._staging.sweep, self._changes.reset)
        self.latents = Latents(self._layout, self._lock, self._index, clock, self._lost_latents)
        self._newest = ""

    def commit(self, track: Track, staged: Path) -> Track:
        """Move the finished file ``staged`` in and add its row; the track as it is now, path absolute.

        The file carries the Track already (``audio.files.write_track``). Of a track that is there the new file takes
        the place and the favourite stays. Whole or not at all, wherever it is interrupted: a file whose row was not
        written any more is adopted at the next start. Raises CACHE_WRITE_ERROR, INVALID_TRACK_ID.
        """
        if not _ID.fullmatch(track.id):
            raise _unknown(track.id, "is no track id (64 hex digits)")
        if staged.suffix[1:] not in FORMATS:
            raise ValueError(f"{staged.name} has no ending of an audio file")
        self._index.opened()
        with self._lock:
            row = self._take_in(track, staged)
        self._newest = track.id
        kept = self._public(row)
        self._changes.came(kept)
        return kept

    def _take_in(self, track: Track, staged: Path) -> Row:
        was = self._index.ask(lambda index: index.get(track.id))
        name = self._layout.file_name(track.id, staged.suffix[1:])
        target = self._layout.root / name
        make_folder(target.parent)
        with named_errors(staged):
            staged.chmod(0o600)
        favorite = track.favorite or (was.favorite if was else self._layout.marked_favorite(track.id))
        try:
            move_into(staged, target)
            with named_errors(target):
                row = reindex.row_for(self._layout, track, name, self._clock(), favorite)
            self._index.ask(lambda index: index.put([row]))
        except LofiError:
            if was is None or was.file != name:  # nothing of it must stay after we said that it failed
                with contextlib.suppress(OSError):
                    target.unlink()
            raise
        if was is not None and was.file != name:
            remove(self._layout.root / was.file)
        if favorite:
            self._layout.mark_favorite(track.id, True)
        return row

    def find(self, track_id: str) -> Track | None:
        """The track of exactly this id. One whose file has vanished is forgotten."""
        row = self._index.ask(lambda index: index.get(track_id))
        if row is None or row.track is None:
            return None
        if not self._there(row):
            self._forget([row.id])
            return None
        return self._public(row)

    def get(self, prefix: str) -> Track:
        """The only track whose id starts with ``prefix`` (6 to 64 hex digits, any case).

        Raises INVALID_TRACK_ID: malformed, unknown, ambiguous (``candidates`` in the details), or its file is gone.
        """
        row = self._row(prefix)
        if row.track is None:
            raise _unknown(row.id[:12], "was written by another version of lofi; run `lofi reindex`")
        if not self._there(row):
            self._forget([row.id])
            raise _unknown(row.id[:12], "has lost its file and was taken from the library; generate it again")
        return self._public(row)

    def resolve(self, prefix: str) -> str:
        """The id ``prefix`` stands for. Raises INVALID_TRACK_ID."""
        return self._row(prefix).id

    def page(self, query: str | None, sort: str, limit: int, offset: int) -> tuple[list[Track], int]:
        """``limit`` (1–200) tracks from ``offset`` on, and how many there are in all.

        Each word of ``query`` must be part of the prompt, the backend or the id. ``sort``: see ``index.SORTS``.
        Raises INVALID_PARAMS.
        """
        if sort not in SORTS:
            raise LofiError(
                "INVALID_PARAMS", f"Tracks cannot be sorted by “{sort}”; choose one of {', '.join(SORTS)}.",
                field="sort", expected=list(SORTS), got=sort,
            )  # fmt: skip
        if not 1 <= limit <= MAX_PAGE:
            raise _out_of_range("limit", f"between 1 and {MAX_PAGE}", limit)
        if not 0 <= offset < 2**63:
            raise _out_of_range("offset", "0 or more", offset)
        if query is not None and len(query) > MAX_QUERY:
            raise _out_of_range("query", f"at most {MAX_QUERY} characters long", len(query))
        words = tuple((query or "").casefold().split())
        rows, total = self._index.ask(lambda index: index.page(words, sort, limit, offset))
        return self._all_public(rows), total

    def delete(self, prefix: str) -> str:
        """Remove the track; its id. Raises INVALID_TRACK_ID, CACHE_WRITE_ERROR."""
        row = self._row(prefix)
        self._remove([Entry(row.id, row.file, row.bytes)])
        return row.id

    def delete_all(self, prefixes: Sequence[str]) -> list[str]:
        """Remove those of these tracks that are there, in one go; their ids. Raises CACHE_WRITE_ERROR."""
        rows: dict[str, Row] = {}
        for prefix in prefixes:
            try:
                row = self._row(prefix)
            except LofiError as error:
                if error.name != "INVALID_TRACK_ID":
                    raise
            else:
                rows[row.id] = row
        self._remove([Entry(row.id, row.file, row.bytes) for row in rows.values()])
        return list(rows)

    def clear(self, keep_favorites: bool) -> tuple[int, int]:
        """Remove all tracks; how many and how many bytes. Raises CACHE_WRITE_ERROR."""
        entries = self._index.ask(lambda index: index.entries(favorites=not keep_favorites))
        self._remove(entries)
        return len(entries), sum(entry.bytes for entry in entries)

    def stats(self) -> CacheStats:
        totals = self._index.ask(lambda index: index.totals())
        return CacheStats(totals.count, totals.bytes, self._max_bytes, totals.oldest, totals.newest)

    def set_favorite(self, prefix: str, favorite: bool) -> Track:
        """Favourites are never evicted. Raises INVALID_TRACK_ID, CACHE_WRITE_ERROR."""
        track = self.get(prefix)
        self._layout.mark_favorite(track.id, favorite)
        self._index.ask(lambda index: index.set_favorite(track.id, favorite))
        marked = msgspec.structs.replace(track, favorite=favorite)
        if marked != track:
            self._changes.came(marked)
        return marked

    def touch(self, track_id: str) -> None:
        """The track is used now; eviction takes the longest unused. To the minute, and best effort: it never raises
        for a disk that cannot be written, since a track that can be played must not fail over this."""
        with contextlib.suppress(LofiError):
            self._index.ask(lambda index: index.touch(track_id, self._clock(), USE_RESOLUTION_SEC))

    def evict(self, protect: Collection[str] = ()) -> list[str]:
        """Remove the longest unused tracks until the library is within its size; their ids.

        Favourites, ``protect`` and the newest commit stay, even if the library then stays over its size
        (``stats`` tells). Raises CACHE_WRITE_ERROR.
        """
        limit = self._max_bytes
        if limit is None:
            return []
        total = self._index.ask(lambda index: index.totals()).bytes
        if total <= limit:
            return []
        entries = self._index.ask(lambda index: index.entries(favorites=False))
        leaving = to_evict(entries, total, limit, {*protect, self._newest})
        self._remove(leaving)
        return [entry.id for entry in leaving]

    def lineage(self, track: str | None, latent: str) -> tuple[str, list[lineage.Node]]:
        """The whole id of ``track``, else of ``latent`` (a beginning will do), and its family. Raises INVALID_TRACK_ID,
        LATENT_NOT_FOUND."""
        whole = self._row(track).id if track is not None else self.latents.resolve(latent)

        def ask(index: Index) -> tuple[dict[str, tuple[str, ...]], list[Row], list[LatentRecord]]:
            latents, heard = index.latents.kinship()
            parents = lineage.family(whole, lineage.Kinship(index.parents(), latents, heard))
            rows = [row for member in parents if (row := index.get(member)) is not None]
            return parents, rows, [row.record for row in index.latents.some([p for p in parents if "-" in p])]

        parents, rows, records = self._index.ask(ask)
        return whole, lineage.nodes(parents, self._all_public(rows), records)

    def keep_pipeline(self, record: PipelineRecord) -> None:
        """Add or replace. Raises CACHE_WRITE_ERROR."""
        self._index.ask(lambda index: index.pipelines.put(record))

    def pipeline(self, pipeline_id: str) -> PipelineRecord | None:
        return self._index.ask(lambda index: index.pipelines.get(pipeline_id))

    def pipelines(self) -> list[PipelineRecord]:
        """The newest first."""
        return self._index.ask(lambda index: index.pipelines.newest_first())

    def export(self, prefix: str, path: str, audio_format: AudioFormat | None = None) -> Path:
        """``export.export_file`` of the track. Raises INVALID_TRACK_ID and what that raises."""
        return export_file(self.get(prefix), path, audio_format, self._layout.root)

    def staging(self) -> Path:
        """A fresh private folder for unfinished files, on the library's own disk. Raises CACHE_WRITE_ERROR."""
        self._index.opened()
        with self._lock:
            return self._staging.fresh()

    def sweep_staging(self) -> int:
        """Remove what dead processes left in staging; how many folders. Every start does this by itself."""
        self._layout.make()
        with self._lock, named_errors(self._layout.staging):
            return self._staging.sweep()

    def rebuild(self) -> reindex.ReindexReport:
        """See ``reindex.reindex``."""
        self._index.opened()
        with self._lock:
            self._index.ask(lambda index: adopt.rebuild(self._layout, index, self._clock()))
            report = self._index.ask(lambda index: reindex.rebuild(self._layout, index, self._clock()))
        if report.added or report.updated or report.dropped:
            self._changes.reset()
        return report

    def take_notices(self) -> list[str]:
        """Sentences the user should hear (an index that had to be made again), each once."""
        notices, self._index.notices = self._index.notices, []
        return notices

    def take_changes(self) -> LibraryChanged | None:
        """What happened to the tracks since the last time; from any thread."""
        return self._changes.take()

    def close(self) -> None:
        """Close the index and give up this process's staging folder. The next call opens them again."""
        self._index.close()
        self._staging.close()

    def _row(self, prefix: str) -> Row:
        wanted = prefix.strip().lower()
        if not _PREFIX.fullmatch(wanted):
            raise _unknown(prefix[:80], f"is no track id; give its first {MIN_PREFIX} to 64 hex digits")
        rows = self._index.ask(lambda index: index.starting_with(wanted, _MAX_CANDIDATES + 1))
        if not rows:
            raise _unknown(wanted[:12], "is not in the library; `lofi list` and :LofiLibrary show what is")
        if len(rows) > 1:
            ids = [row.id for row in rows[:_MAX_CANDIDATES]]
            shown = _told_apart(ids)
            more = " and more" if len(rows) > _MAX_CANDIDATES else ""
            raise LofiError(
                "INVALID_TRACK_ID", f"Several tracks start with {wanted}: {', '.join(shown)}{more}; give more digits.",
                field="track_id", got=prefix, candidates=ids,
            )  # fmt: skip
        return rows[0]

    def _there(self, row: Row) -> bool:
        path = self._layout.root / row.file
        try:
            return path.is_file()
        except OSError as error:
            raise write_error(error, path) from error

    def _public(self, row: Row) -> Track:
        return self._all_public([row])[0]

    def _all_public(self, rows: list[Row]) -> list[Track]:
        """The tracks of those rows that can be read. They point to the latents that are there: the file says what was
        made with it, which may have gone since."""
        tracks = [(row, row.track) for row in rows if row.track is not None]
        named = {name for _, track in tracks for name in (track.latent_id, track.latent_checkpoint_id) if name}
        there = self._index.ask(lambda index: index.latents.known(named)) if named else set()
        return [
            msgspec.structs.replace(
                track, path=str(self._layout.root / row.file), favorite=row.favorite, **_pointers(track, there)
            )
            for row, track in tracks
        ]

    def _lost_latents(self, latent_ids: Collection[str]) -> None:
        rows = self._index.ask(lambda index: index.pointing_to(latent_ids))
        for track in self._all_public(rows):
            self._changes.came(track)

    def _forget(self, ids: list[str]) -> None:
        self._index.ask(lambda index: index.drop(ids))
        for track_id in ids:
            self._changes.went(track_id)

    def _remove(self, entries: list[Entry]) -> None:
        """Files first: interrupted in between, a row without a file is forgotten at the next start, whereas a file
        without its row would come back."""
        self._index.opened()
        with self._lock:
            gone: list[str] = []
            try:
                for entry in entries:
                    remove(self._layout.root / entry.file)
                    self._layout.mark_favorite(entry.id, False)
                    gone.append(entry.id)
                for folder in sorted({(self._layout.root / entry.file).parent for entry in entries}):
                    if folder.is_dir():
                        flush_folder(folder)
            finally:
                self._forget(gone)


def _pointers(track: Track, there: Collection[str]) -> dict[str, UnsetType]:
    """What of ``track`` has to be unset."""
    gone: dict[str, UnsetType] = {}
    if track.latent_id not in there:
        gone |= {"latent_id": UNSET, "latent_index": UNSET}
    if track.latent_checkpoint_id not in there:
        gone |= {"latent_checkpoint_id": UNSET, "checkpoint_step": UNSET}
    return gone


def _unknown(what: str, why: str) -> LofiError:
    return LofiError("INVALID_TRACK_ID", f"“{what}” {why}.", field="track_id", got=what)


def _out_of_range(field: str, expected: str, got: int) -> LofiError:
    return LofiError("INVALID_PARAMS", f"{field} must be {expected}.", field=field, expected=expected, got=got)


def _told_apart(ids: list[str]) -> list[str]:
    """12 digits each, more where that leaves two alike."""
    digits = 12
    while len({track_id[:digits] for track_id in ids}) < len(ids):
        digits += 4
    return [track_id[:digits] for track_id in ids]
