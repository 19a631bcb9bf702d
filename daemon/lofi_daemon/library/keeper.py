"""Keeps the index open and sound: opened when first asked, opened again when replaced, made again when broken."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import LofiError
from .durable import named_errors
from .index import BrokenIndexError, Index
from .latents import adopt
from .layout import Layout
from .lock import FileLock
from .reindex import ReindexReport, reconcile

T = TypeVar("T")


class IndexKeeper:
    """``before_opening`` runs under ``lock`` each time; ``clock`` gives seconds since the epoch.

    ``on_foreign`` is called when the rows may no longer be those that were asked for before: another process wrote,
    or the index was opened again. ``notices`` collects sentences the user should hear.
    """

    def __init__(
        self,
        layout: Layout,
        lock: FileLock,
        clock: Callable[[], float],
        before_opening: Callable[[], object],
        on_foreign: Callable[[], None],
    ) -> None:
        self._layout = layout
        self._lock = lock
        self._clock = clock
        self._before_opening = before_opening
        self._on_foreign = on_foreign
        self._was_open = False
        self._index: Index | None = None
        self.notices: list[str] = []

    def ask(self, query: Callable[[Index], T]) -> T:
        """``query`` on the open index; once more on a new one if it turns out broken. Raises CACHE_WRITE_ERROR."""
        try:
            index = self.opened()
            if index.written_elsewhere():
                self._on_foreign()
            return query(index)
        except BrokenIndexError as error:
            self._replace(str(error))
        try:
            return query(self.opened())
        except BrokenIndexError as error:
            raise self._broken_again(error) from error

    def opened(self) -> Index:
        """The index, agreeing with the files as of its opening. Raises CACHE_WRITE_ERROR."""
        if self._index is not None:
            if self._index.is_current():
                return self._index
            self.close()
        if self._was_open:
            self._on_foreign()
        self._was_open = True
        self._layout.make()
        with self._lock, named_errors(self._layout.root):
            self._before_opening()
            try:
                self._index, report = self._open()
            except BrokenIndexError as error:
                self._set_aside(str(error))
                try:
                    self._index, _ = self._open()
                except BrokenIndexError as again:
                    raise self._broken_again(again) from again
                return self._index
        if report.added:
            tracks = "a track that its index" if report.added == 1 else f"{report.added} tracks that its index"
            self.notices.append(f"The library took in {tracks} did not know.")
        return self._index

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _open(self) -> tuple[Index, ReindexReport]:
        index = Index(self._layout.index)
        try:
            adopt.reconcile(self._layout, index, self._clock())
            return index, reconcile(self._layout, index, self._clock())
        except BaseException:
            index.close()
            raise

    def _replace(self, why: str) -> None:
        """Set aside the index that broke at work, unless another daemon was quicker."""
        broken, self._index = self._index, None
        if broken is None:
            return
        with self._lock:
            still_it = broken.is_current()
            broken.close()
            if still_it:
                self._set_aside(why)

    def _set_aside(self, why: str) -> None:
        """Keep the broken file under another name. The caller holds the lock."""
        path = self._layout.index
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        kept = path.with_name(f"{path.name}.broken-{stamp}")
        number = 1
        while kept.exists():
            number += 1
            kept = path.with_name(f"{path.name}.broken-{stamp}-{number}")
        with named_errors(path):
            for suffix in ("-wal", "-shm", ""):  # the log belongs to it: another database must not find it
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
        self.notices.append(
            f"The library's index could not be read ({why}); it was made again from the tracks, and the old one is "
            f"kept as {kept}."
        )

    def _broken_again(self, error: BrokenIndexError) -> LofiError:
        path = self._layout.index
        return LofiError(
            "CACHE_WRITE_ERROR", f"{path} broke again as soon as it was made ({error}); check the disk.", path=str(path)
        )
