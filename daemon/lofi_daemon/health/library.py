"""The folder of tracks: can it be written, is there room, is its index whole?"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from ..library.durable import write_error
from ..library.index import APPLICATION_ID, SCHEMA_VERSION
from ..library.layout import Layout
from ..units import size
from .commands import shown
from .finding import Finding

LOW_SPACE_BYTES = 500_000_000
INDEX_WAIT_SEC = 2.0

_find = partial(Finding, "Library")
_ANOTHER = 'Another folder: cache.dir in setup(), config.toml (cache.dir = "…") or LOFI_CACHE_PATH=…'


def look(root: Path, max_bytes: int | None, free: int | None = None) -> Iterator[Finding]:
    """``max_bytes`` None: the library may grow without a limit. ``free``: bytes on its disk, None to ask."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=root):
            pass
        free = shutil.disk_usage(root).free if free is None else free
    except OSError as error:
        yield _find("error", write_error(error, root).message, (_ANOTHER,))
        return
    if free < LOW_SPACE_BYTES:
        yield _find("warn", f"{shown(root)} has only {size(free)} of space left", ("Free some space", _ANOTHER))
    else:
        yield _find("ok", f"{shown(root)} can be written, {size(free)} free")
    yield _index(Layout(root).index, max_bytes, free)


def _index(path: Path, max_bytes: int | None, free: int) -> Finding:
    if not path.exists():
        return _find("ok", "No tracks yet")
    try:
        count, used = _read(path)
    except _ForeignError as error:
        return _find("error", f"{shown(path)} {error}", (error.advice, _ANOTHER))
    except sqlite3.OperationalError as error:  # locked, or a folder that SQLite cannot make its helpers in
        return _find("warn", f"The index {shown(path)} cannot be read now ({error})", ("Try again in a moment",))
    except sqlite3.DatabaseError as error:
        return _find(
            "warn",
            f"The index {shown(path)} is damaged ({error}); the tracks are not, and the next use makes it anew from "
            "them",
            ("Make it anew now: lofi reindex",),
        )
    if count == 0:
        return _find("ok", "No tracks yet")
    tracks = f"{count} track{'' if count == 1 else 's'}, {size(used)}"
    if max_bytes is None:
        return _find("ok", f"{tracks}; no limit (cache.max_mb = 0)")
    if used > max_bytes:
        return _find(
            "warn",
            f"{tracks}, over the limit of {size(max_bytes)}: what is left are favourites, which are never evicted",
            ("Delete some (`lofi list --sort favorites`, `lofi rm TRACK`), or raise cache.max_mb",),
        )
    if max_bytes - used > free:
        return _find(
            "info",
            f"{tracks} of {size(max_bytes)}, but the disk has only {size(free)} left: it fills up before old tracks go",
            (f"Lower cache.max_mb to {max(1, int((used + free / 2) / 1e6))}",),
        )
    return _find("ok", f"{tracks} of {size(max_bytes)}")


class _ForeignError(Exception):
    """An index that is not ours to touch. What to do is in ``advice``."""

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text)
        self.advice = advice


def _read(path: Path) -> tuple[int, int]:
    """How many tracks, and their bytes; read only, so that looking changes nothing."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=INDEX_WAIT_SEC)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise _ForeignError("was written by a newer version of lofi", "Upgrade lofi, also in this shell")
        if owner != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is a database of another program")
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        count, used = db.execute("SELECT count(*), total(bytes) FROM tracks").fetchone()
        return count, int(used)
