"""The latents on the disk, their rows, and the promise that what is handed out is what was kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from ...errors import LofiError
from ...model import LatentFile, LatentRecord
from ..durable import TEMPORARY_PREFIX, flush_folder, make_folder, move_into, named_errors, remove
from ..keeper import IndexKeeper
from ..layout import Layout
from ..lock import FileLock
from .adopt import row_for, why_damaged
from .file import DamagedLatent, examine
from .table import LatentRow

MAX_PAGE = 200
MIN_PREFIX = 6
KEEP_FOREVER = -1.0

_MAX_CANDIDATES = 5
_DASHES = (8, 12, 16, 20)
_PREFIX = re.compile(rf"[0-9a-f]{{{MIN_PREFIX},32}}")
_STALE_TEMPORARY_SEC = 3600.0


class Swept(Struct, frozen=True):
    """What went, and what is left of how many bytes."""

    ids: tuple[str, ...]
    freed: int
    count: int
    bytes: int


class Latents:
    """The store in ``layout.latents``. Synchronous, on the same thread as the ``Tracks`` that owns it.

    A latent is kept by hand (``pinned``) or because a favourite track points to it; on the wire both are ``pinned``.
    ``on_gone`` hears the ids that are no longer there. Every call raises CACHE_WRITE_ERROR where the disk refuses.
    """

    def __init__(
        self,
        layout: Layout,
        lock: FileLock,
        index: IndexKeeper,
        clock: Callable[[], float],
        on_gone: Callable[[Collection[str]], None],
    ) -> None:
        self._layout = layout
        self._lock = lock
        self._index = index
        self._clock = clock
        self._on_gone = on_gone

    def commit(self, made: LatentFile, staged: Path) -> LatentRecord:
        """Move the finished file ``staged`` in and add its row. Whole or not at all, wherever it is interrupted: a file
        without a row is adopted at the next start."""
        record = made.record
        latent_id = _exact(record.id)
        self._index.opened()
        with self._lock, self._named():
            make_folder(self._layout.latents)
            target = self._layout.latent_file(latent_id)
            with named_errors(staged):
                staged.chmod(0o600)
            try:
                move_into(staged, target)
                with named_errors(target):
                    row = row_for(self._layout, made, self._clock())
                self._index.ask(lambda index: index.latents.put([row]))
            except LofiError:
                with contextlib.suppress(OSError):  # nothing of it must stay after we said that it failed
                    target.unlink()
                raise
        return self._public(row)

    def take_in(self, brought: LatentFile, staging: Path) -> LatentRecord:
        """Keep one from elsewhere that lies in the folder ``staging``, pinned: its age says nothing here. Raises
        INVALID_PARAMS where another has its id."""
        if brought.record.id in self._index.ask(lambda index: index.latents.known([brought.record.id])):
            if self.get(brought.record.id).sha256 != brought.sha256:
                raise LofiError(
                    "INVALID_PARAMS",
                    f"Another latent {brought.record.id[:8]} is here already; delete that one first.",
                    field="path", got=brought.record.id,
                )  # fmt: skip
        else:
            self.commit(brought, staging / f"{_exact(brought.record.id)}.safetensors")
        return self.pin(brought.record.id, True)

    def page(self, pinned: bool | None, limit: int, offset: int) -> tuple[list[LatentRecord], int]:
        """``limit`` records from ``offset`` on, the newest first, and how many there are; all by default."""
        rows, total = self._index.ask(lambda index: index.latents.page(pinned, limit, offset))
        return [self._public(row) for row in rows], total

    def get(self, prefix: str) -> LatentFile:
        """The only latent whose id starts with ``prefix`` (a UUID or its first 6 digits or more), read and found whole.

        Raises LATENT_NOT_FOUND: malformed, unknown, ambiguous (``candidates`` in the details), gone or damaged.
        """
        row = self._row(prefix)
        path = self._layout.latent_file(row.id)
        try:
            found = examine(path)
        except FileNotFoundError:
            self._forget([row.id])
            raise _missing(row.id, "has lost its file; generate the track again") from None
        except DamagedLatent as error:
            raise _damaged(row.id, path, str(error)) from error
        except OSError as error:
            raise _damaged(row.id, path, error.strerror or str(error)) from error
        if found.sha256 != row.sha256:
            raise _damaged(row.id, path, "it is not the file that was kept")
        return LatentFile(self._public(row), row.sha256)

    def resolve(self, prefix: str) -> str:
        """The id ``prefix`` stands for; its file is not looked at. Raises LATENT_NOT_FOUND."""
        return self._row(prefix).id

    def pin(self, prefix: str, pinned: bool) -> LatentRecord:
        """Pinned ones are never swept. Raises LATENT_NOT_FOUND; INVALID_PARAMS for taking the pin off a favourite's."""
        row = self._row(prefix)
        if row.held and not pinned:
            raise LofiError(
                "INVALID_PARAMS",
                f"A favourite track keeps the latent {row.id[:8]}; it can be unpinned once no favourite points to it.",
                field="pinned", latent_id=row.id,
            )  # fmt: skip
        with self._named():
            self._layout.mark_pinned(row.id, pinned)
        self._index.ask(lambda index: index.latents.set_pinned(row.id, pinned))
        return self._public(msgspec.structs.replace(row, pinned=pinned))

    def delete(self, prefix: str, in_use: Collection[str] = ()) -> str:
        """Remove it, pinned, damaged or neither; its id. Raises LATENT_NOT_FOUND; INVALID_PARAMS for one ``in_use``."""
        latent_id = self._without_row(prefix) or self._row(prefix).id
        if latent_id in in_use:
            raise LofiError(
                "INVALID_PARAMS",
                f"A job that waits or runs starts from the latent {latent_id[:8]}; wait for it, or cancel it first.",
                field="latent_id", got=prefix,
            )  # fmt: skip
        self._remove([latent_id])
        return latent_id

    def sweep(self, ttl_hours: float, protect: Collection[str] = ()) -> Swept | None:
        """Remove those made ``ttl_hours`` ago or earlier (−1 = none) that nothing pins and ``protect`` does not name.

        Files that cannot be read, and so have no row, go by their own age. None where there is no store yet: the index
        is not opened then.
        """
        if not self._layout.latents.is_dir():
            return None
        gone: list[str] = []
        freed = 0
        self._index.opened()
        if ttl_hours != KEEP_FOREVER:
            before = self._clock() - ttl_hours * 3600.0
            rows = self._index.ask(lambda index: index.latents.expired(before))
            sizes = {row.id: row.bytes for row in rows if row.id not in protect}
            sizes |= {name: size for name, size in self._unknown(before).items() if name not in protect}
            self._remove(list(sizes))
            gone, freed = list(sizes), sum(sizes.values())
        with self._named():
            self._sweep_temporaries()
        count, size = self._index.ask(lambda index: index.latents.totals())
        return Swept(tuple(gone), freed, count, size)

    def _row(self, prefix: str) -> LatentRow:
        wanted = _canonical_prefix(prefix)
        rows = self._index.ask(lambda index: index.latents.starting_with(wanted, _MAX_CANDIDATES + 1))
        if not rows:
            if damaged := self._without_row(wanted):
                path = self._layout.latent_file(damaged)
                with contextlib.suppress(OSError):
                    raise _damaged(damaged, path, why_damaged(path))
            raise _missing(wanted, "is not in the store; latents go after latent_ttl_hours unless they are pinned")
        if len(rows) > 1:
            ids = [row.id for row in rows[:_MAX_CANDIDATES]]
            more = " and more" if len(rows) > _MAX_CANDIDATES else ""
            raise LofiError(
                "LATENT_NOT_FOUND", f"Several latents start with {wanted}: {', '.join(ids)}{more}; give more digits.",
                field="latent_id", got=prefix, candidates=ids,
            )  # fmt: skip
        return rows[0]

    def _without_row(self, prefix: str) -> str | None:
        """The only id with this beginning whose file is there and has no row, because it is damaged."""
        wanted = _canonical_prefix(prefix)
        if self._index.ask(lambda index: index.latents.starting_with(wanted, 1)):
            return None
        with contextlib.suppress(OSError):
            found = [name for name in self._layout.latent_files() if name.startswith(wanted)]
            return found[0] if len(found) == 1 else None
        return None

    def _unknown(self, before: float) -> dict[str, int]:
        """Unpinned files without a row, last written at ``before`` or earlier, and their sizes."""
        known = self._index.ask(lambda index: index.latents.ids())
        found = {}
        with contextlib.suppress(OSError):
            for name in self._layout.latent_files() - known:
                stat = self._layout.latent_file(name).stat()
                if stat.st_mtime <= before and not self._layout.marked_pinned(name):
                    found[name] = stat.st_size
        return found

    def _remove(self, ids: list[str]) -> None:
        """Files first: a file without its row would come back at the next start."""
        if not ids:
            return
        with self._lock:
            gone = []
            try:
                with self._named():
                    for latent_id in ids:
                        remove(self._layout.latent_file(latent_id))
                        self._layout.mark_pinned(latent_id, False)
                        gone.append(latent_id)
                    if self._layout.latents.is_dir():
                        flush_folder(self._layout.latents)
            finally:
                self._forget(gone)

    def _forget(self, ids: list[str]) -> None:
        self._index.ask(lambda index: index.latents.drop(ids))
        self._on_gone(ids)

    def _sweep_temporaries(self) -> None:
        """What a crash left of a copy from another disk."""
        folder = self._layout.latents
        if not folder.is_dir():
            return
        with named_errors(folder):
            for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
                if self._clock() - path.stat().st_mtime > _STALE_TEMPORARY_SEC:
                    path.unlink(missing_ok=True)

    def _public(self, row: LatentRow) -> LatentRecord:
        path = str(self._layout.latent_file(row.id))
        return msgspec.structs.replace(row.record, path=path, pinned=row.pinned or row.held)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Where the latents have a folder of their own, its setting is the one to change."""
        try:
            yield
        except LofiError as error:
            if not self._layout.latents.is_relative_to(self._layout.root):
                error.message = error.message.replace("cache.dir", "latent_dir")
                error.args = (error.message,)
            raise


def _exact(latent_id: str) -> str:
    if len(latent_id) != 36 or _canonical_prefix(latent_id) != latent_id:
        raise _missing(latent_id[:80], "is no id of a latent (a UUID)")
    return latent_id


def _canonical_prefix(text: str) -> str:
    """The beginning of a UUID as the ids are written, whether it came with dashes or without."""
    given = text.strip().lower()
    digits = given.replace("-", "")
    written = "".join("-" * (at in _DASHES) + digit for at, digit in enumerate(digits))
    if not _PREFIX.fullmatch(digits) or given.removesuffix("-") not in (digits, written):
        raise _missing(text[:80], f"is no id of a latent; give a UUID or its first {MIN_PREFIX} digits or more")
    return written


def _missing(what: str, why: str) -> LofiError:
    return LofiError("LATENT_NOT_FOUND", f"“{what}” {why}.", field="latent_id", got=what)


def _damaged(latent_id: str, path: Path, why: str) -> LofiError:
    return LofiError(
        "LATENT_NOT_FOUND", f"The latent {latent_id} is damaged ({why}); delete it and generate the track again.",
        field="latent_id", got=latent_id, path=str(path), reason=why,
    )  # fmt: skip
