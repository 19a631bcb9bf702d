"""The index: one SQLite table of the tracks (others of the latents and the pipelines), and the questions asked of it.

WAL with synchronous=FULL: readers never wait for the writer, several daemons may share it, and a row that was
acknowledged survives a power cut (3 ms a write).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import LofiError
from ..model import Track
from .durable import write_error
from .latents.table import LatentTable
from .pipelines import PipelineTable

SCHEMA_VERSION = 3
APPLICATION_ID = 0x6C6F6669  # "lofi"
BUSY_TIMEOUT_SEC = 10.0

_MIGRATIONS = (
    # to version 1. ``words`` is the casefolded "prompt backend id": searched, and sorted by for titles.
    """
    CREATE TABLE tracks (
        id TEXT PRIMARY KEY,
        file TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        words TEXT NOT NULL,
        duration_sec REAL NOT NULL,
        created_at TEXT NOT NULL,
        last_used REAL NOT NULL,
        favorite INTEGER NOT NULL,
        track TEXT NOT NULL
    );
    CREATE INDEX tracks_by_created ON tracks (created_at);
    CREATE INDEX tracks_by_words ON tracks (words);
    CREATE INDEX tracks_by_duration ON tracks (duration_sec);
    CREATE INDEX tracks_by_use ON tracks (last_used);
    CREATE INDEX tracks_by_favorite ON tracks (favorite, created_at);
    CREATE INDEX tracks_to_evict ON tracks (favorite, last_used, bytes);
    """,
    # to version 2: latents. ``latent`` and ``checkpoint`` are the ids a track points to.
    """
    CREATE TABLE latents (
        id TEXT PRIMARY KEY,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        created REAL NOT NULL,
        pinned INTEGER NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX latents_by_created ON latents (created);
    ALTER TABLE tracks ADD COLUMN latent TEXT;
    ALTER TABLE tracks ADD COLUMN checkpoint TEXT;
    CREATE INDEX tracks_by_latent ON tracks (latent) WHERE latent IS NOT NULL;
    CREATE INDEX tracks_by_checkpoint ON tracks (checkpoint) WHERE checkpoint IS NOT NULL;
    """,
    # to version 3: pipelines
    """
    CREATE TABLE pipelines (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT UNIQUE NOT NULL,
        record TEXT NOT NULL
    );
    """,
)

SORTS: Mapping[str, str] = {
    "newest": "created_at DESC, rowid DESC",
    "oldest": "created_at, rowid",
    "title": "words, rowid",
    "duration": "duration_sec, rowid",
    "played": "last_used DESC, rowid DESC",
    "favorites": "favorite DESC, created_at DESC, rowid DESC",
}
"""``played`` is by last use, the making counted as one."""


class Row(Struct, frozen=True):
    """``file`` is relative to the library's folder; ``track`` has no path and no favourite of its own."""

    id: str
    file: str
    bytes: int
    last_used: float
    favorite: bool
    track: Track | None
    """None where a newer version wrote something that this one cannot read."""


class Entry(Struct, frozen=True):
    """What it takes to remove a track."""

    id: str
    file: str
    bytes: int


class Totals(Struct, frozen=True):
    count: int
    bytes: int
    oldest: str | None
    newest: str | None


class BrokenIndexError(Exception):
    """The file is no index of ours, or no longer whole; it can be moved aside and made again from the tracks."""


class Index:
    """An open index. Use it on the thread that made it.

    Every method raises CACHE_WRITE_ERROR where the system refuses, and ``BrokenIndexError``.
    """

    def __init__(self, path: Path) -> None:
        """Open or create. A newer schema than ours raises CACHE_WRITE_ERROR and is left untouched."""
        self._path = path
        try:
            # Private from its first byte. An existing file must not be opened and closed here: that would drop the
            # locks of every other connection this process has on it (POSIX).
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._identity = _identity(path.stat())
        except OSError as error:
            raise write_error(error, path) from error
        with self._named():
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SEC, isolation_level=None)
        self._version = 0
        self.latents = LatentTable(self._db, self._named, self._transaction)
        self.pipelines = PipelineTable(self._db, self._named, self._transaction)
        try:
            with self._named():
                self._prepare()
            self.written_elsewhere()
        except BaseException:
            self._db.close()
            raise

    def is_current(self) -> bool:
        """False once the file was removed or replaced: what is written would go where nobody looks."""
        try:
            return _identity(self._path.stat()) == self._identity
        except OSError:
            return False

    def written_elsewhere(self) -> bool:
        """Whether another connection, thus another process, has written since this was last asked."""
        with self._named():
            version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        written = version != self._version
        self._version = version
        return written

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def put(self, rows: Iterable[Row]) -> None:
        """Add or replace, all or none."""
        values = [
            (row.id, row.file, row.bytes, _words(row.track), row.track.duration_sec, row.track.created_at,
             row.last_used, row.favorite, msgspec.json.encode(row.track).decode(), row.track.latent_id or None,
             row.track.latent_checkpoint_id or None)
            for row in rows if row.track is not None
        ]  # fmt: skip
        with self._transaction():
            self._db.executemany(
                "INSERT INTO tracks (id, file, bytes, words, duration_sec, created_at, last_used, favorite, track,"
                " latent, checkpoint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " file = excluded.file, bytes = excluded.bytes, words = excluded.words,"
                " duration_sec = excluded.duration_sec, created_at = excluded.created_at,"
                " last_used = excluded.last_used, favorite = excluded.favorite, track = excluded.track,"
                " latent = excluded.latent, checkpoint = excluded.checkpoint",
                values,
            )

    def drop(self, ids: Iterable[str]) -> None:
        """Forget, all or none."""
        with self._transaction():
            self._db.executemany("DELETE FROM tracks WHERE id = ?", [(track_id,) for track_id in ids])

    def touch(self, track_id: str, now: float, resolution_sec: float) -> None:
        """Set the last use, unless it was set in the last ``resolution_sec``: then nothing is written."""
        with self._named():
            self._db.execute(
                "UPDATE tracks SET last_used = ? WHERE id = ? AND last_used <= ?",
                (now, track_id, now - resolution_sec),
            )

    def set_favorite(self, track_id: str, favorite: bool) -> None:
        with self._named():
            self._db.execute("UPDATE tracks SET favorite = ? WHERE id = ?", (favorite, track_id))

    def get(self, track_id: str) -> Row | None:
        rows = self._rows("WHERE id = ?", (track_id,))
        return rows[0] if rows else None

    def starting_with(self, prefix: str, limit: int) -> list[Row]:
        """The first ``limit`` rows whose id starts with the lower-case hex digits ``prefix``."""
        return self._rows("WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (prefix, prefix + "g", limit))

    def pointing_to(self, latent_ids: Collection[str]) -> list[Row]:
        """The tracks that point to any of these latents."""
        rows: dict[str, Row] = {}
        for latent_id in latent_ids:
            for row in self._rows("WHERE latent = ? OR checkpoint = ?", (latent_id, latent_id)):
                rows[row.id] = row
        return list(rows.values())

    def parents(self) -> dict[str, tuple[str, ...]]:
        """Of every track that has any."""
        with self._named():
            rows = self._db.execute(  # most have none, and looking for a text is quicker than reading JSON
                "SELECT id, json_extract(track, '$.parent_ids') FROM tracks"
                ' WHERE instr(track, \'"parent_ids":["\') > 0'
            ).fetchall()
        return {track_id: msgspec.json.decode(text, type=tuple[str, ...]) for track_id, text in rows}

    def page(self, words: tuple[str, ...], sort: str, limit: int, offset: int) -> tuple[list[Row], int]:
        """Rows that hold every one of the casefolded ``words``, in the order ``sort``; how many there are in all."""
        condition = " AND ".join(["instr(words, ?) > 0"] * len(words))
        where = f"WHERE {condition} " if words else ""
        rows = self._rows(f"{where}ORDER BY {SORTS[sort]} LIMIT ? OFFSET ?", (*words, limit, offset))
        with self._named():
            total = self._db.execute(f"SELECT count(*) FROM tracks {where}", words).fetchone()[0]  # noqa: S608
        return rows, total

    def entries(self, *, favorites: bool) -> list[Entry]:
        """The longest unused first; favourites only where ``favorites``."""
        where = "" if favorites else "WHERE favorite = 0 "
        with self._named():
            found = self._db.execute(f"SELECT id, file, bytes FROM tracks {where}ORDER BY last_used, rowid").fetchall()  # noqa: S608
        return [Entry(*values) for values in found]

    def all(self) -> list[Row]:
        return self._rows("", ())

    def files(self) -> dict[str, str]:
        """Id → file of every row."""
        with self._named():
            return dict(self._db.execute("SELECT id, file FROM tracks"))

    def totals(self) -> Totals:
        with self._named():
            count, size = self._db.execute("SELECT count(*), total(bytes) FROM tracks").fetchone()
            oldest = self._db.execute("SELECT min(created_at) FROM tracks").fetchone()[0]
            newest = self._db.execute("SELECT max(created_at) FROM tracks").fetchone()[0]
        return Totals(count, int(size), oldest, newest)

    def explain(self, sort: str, words: tuple[str, ...] = ()) -> list[str]:
        """SQLite's plan of ``page``, for tests and for whoever adds a sort."""
        where = "WHERE " + " AND ".join(["instr(words, ?) > 0"] * len(words)) if words else ""
        plan = f"EXPLAIN QUERY PLAN SELECT * FROM tracks {where} ORDER BY {SORTS[sort]} LIMIT 50"  # noqa: S608
        return [row[3] for row in self._db.execute(plan, words)]

    def _rows(self, clause: str, values: tuple[object, ...]) -> list[Row]:
        with self._named():
            found = self._db.execute(
                f"SELECT id, file, bytes, last_used, favorite, track FROM tracks {clause}",  # noqa: S608
                values,
            ).fetchall()
        return [Row(i, file, size, used, bool(favorite), _track(text)) for i, file, size, used, favorite, text in found]

    def _prepare(self) -> None:
        db = self._db
        version = db.execute("PRAGMA user_version").fetchone()[0]
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if owner != APPLICATION_ID and not (empty and version == 0):
            raise BrokenIndexError("it is a database of another program")
        if version > SCHEMA_VERSION:
            raise LofiError(
                "CACHE_WRITE_ERROR",
                f"{self._path} was written by a newer lofi (schema {version}, this one knows {SCHEMA_VERSION}); "
                "upgrade lofi-daemon, or set cache.dir to another folder.",
                path=str(self._path), expected=SCHEMA_VERSION, got=version,
            )  # fmt: skip
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = 1")  # macOS: through the drive's own cache
        for number in range(version, SCHEMA_VERSION):
            # executescript would commit on its own: the version is part of the same script instead
            db.executescript(
                f"BEGIN IMMEDIATE; {_MIGRATIONS[number]}"
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
            )
        try:
            db.execute(
                "SELECT id, file, bytes, words, last_used, favorite, track, latent, checkpoint FROM tracks LIMIT 0"
            )
            db.execute("SELECT id, bytes, sha256, created, pinned, record FROM latents LIMIT 0")
            db.execute("SELECT number, id, record FROM pipelines LIMIT 0")
        except sqlite3.OperationalError as error:
            raise BrokenIndexError(str(error)) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._named():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back itself where the disk was full
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
            if code == "SQLITE_ERROR":  # our mistake, not the disk's
                raise
            if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                raise BrokenIndexError(str(error)) from error
            if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                advice = f"another program has kept it locked for {BUSY_TIMEOUT_SEC:.0f} s; end it and try again"
            elif code.startswith("SQLITE_FULL"):
                advice = "the disk is full; free some space, or set cache.dir to another disk"
            else:
                advice = f"{error}; see that {self._path.parent} can be written, or set cache.dir to another folder"
            raise LofiError(
                "CACHE_WRITE_ERROR", f"Could not write {self._path}: {advice}.",
                path=str(self._path), reason=code or str(error),
            ) from error  # fmt: skip


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _words(track: Track) -> str:
    return f"{track.prompt} {track.backend} {track.id}".casefold()


def _track(text: str) -> Track | None:
    try:
        return msgspec.json.decode(text, type=Track)
    except msgspec.MsgspecError:
        return None
