"""The library as the front uses it: every call runs on the library's own thread, never on the event loop."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..audio.files import DamagedFile
from ..errors import LofiError
from ..model import AudioFormat, LatentFile, LatentRecord, NoticeLevel, Track
from ..units import size
from .changes import LibraryChanged
from .export import export_file
from .latents.store import KEEP_FOREVER
from .lineage import Node
from .offloop import OffLoop
from .pipelines import PipelineRecord
from .tracks import CacheStats, Tracks

if TYPE_CHECKING:
    from ..audio.waveform import Waveform

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Library:
    """``in_use`` names the tracks that must not be evicted now; ``notice`` hears what the user should know.

    ``latents_in_use`` names the latents that live jobs start from. ``changed`` hears of every track that comes, goes or
    gets another favourite, in the order it happens.
    """

    def __init__(
        self,
        root: Path,
        max_bytes: int | None,
        notice: Callable[[NoticeLevel, str], None],
        in_use: Callable[[], Collection[str]],
        changed: Callable[[LibraryChanged], None],
        *,
        latent_dir: Path | None = None,
        latent_ttl_hours: float = KEEP_FOREVER,
        latents_in_use: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._tracks = Tracks(root, max_bytes=max_bytes, latent_dir=latent_dir)
        self._latent_ttl_hours = latent_ttl_hours
        self._latents_in_use = latents_in_use
        self._root = root
        self._told_over = False
        self._thread = OffLoop("library")
        self._exports = OffLoop("exports")
        self._outlines = OffLoop("waveforms")
        self._notice = notice
        self._in_use = in_use
        self._changed = changed

    async def staging(self) -> Path:
        """A fresh private folder for one job's files. Raises CACHE_WRITE_ERROR."""
        return await self._run(self._tracks.staging)

    async def commit(self, track: Track, staged: Path) -> Track:
        """Take a finished file in, then make room if the library is over its size. Raises CACHE_WRITE_ERROR."""
        kept = await self._run(self._tracks.commit, track, staged)
        for gone in await self._run(self._tracks.evict, {kept.id, *self._in_use()}):
            log.info("evicted %s to keep the library within its size", gone)
        await self._tell_if_over()
        return kept

    async def _tell_if_over(self) -> None:
        """Favourites are never evicted, so they alone can fill the library; said once."""
        stats = await self.stats()
        if stats.max_bytes is not None and stats.bytes > stats.max_bytes and not self._told_over:
            self._told_over = True
            self._notice(
                "warn",
                f"The library holds {stats.bytes / 1e6:.0f} MB, over its {stats.max_bytes / 1e6:.0f} MB, and what is "
                "left are favourites or in use; delete some, or raise cache.max_mb.",
            )

    async def find_all(self, track_ids: tuple[str, ...]) -> tuple[Track, ...] | None:
        """These tracks if every one is there (each counts as used now), else None."""
        return await self._run(self._find_all, track_ids)

    def _find_all(self, track_ids: tuple[str, ...]) -> tuple[Track, ...] | None:
        found = []
        for track_id in track_ids:
            track = self._tracks.find(track_id)
            if track is None:
                return None
            found.append(track)
        for track in found:
            self._tracks.touch(track.id)
        return tuple(found)

    async def find_some(self, track_ids: Sequence[str]) -> list[Track]:
        """Those of these tracks that are there, in the order given; whole ids."""
        return await self._run(self._find_some, track_ids)

    def _find_some(self, track_ids: Sequence[str]) -> list[Track]:
        return [track for track_id in track_ids if (track := self._tracks.find(track_id)) is not None]

    async def to_play(self, prefix: str | None) -> Track:
        """The track meant by ``prefix``, or the newest; counts as used now. Raises INVALID_TRACK_ID."""
        return await self._run(self._to_play, prefix)

    def _to_play(self, prefix: str | None) -> Track:
        if prefix is None:
            tracks, _ = self._tracks.page(None, "newest", 1, 0)
            if not tracks:
                raise LofiError("INVALID_TRACK_ID", "The library is empty; generate a track first.", field="track_id")
            track = tracks[0]
        else:
            track = self._tracks.get(prefix)
        self._tracks.touch(track.id)
        return track

    async def get(self, prefix: str) -> Track:
        return await self._run(self._tracks.get, prefix)

    async def page(self, query: str | None, sort: str, limit: int, offset: int) -> tuple[list[Track], int]:
        return await self._run(self._tracks.page, query, sort, limit, offset)

    async def delete(self, prefix: str) -> str:
        return await self._run(self._tracks.delete, prefix)

    async def delete_all(self, prefixes: Sequence[str]) -> list[str]:
        return await self._run(self._tracks.delete_all, prefixes)

    async def clear(self, keep_favorites: bool) -> tuple[int, int]:
        return await self._run(self._tracks.clear, keep_favorites)

    async def stats(self) -> CacheStats:
        return await self._run(self._tracks.stats)

    async def set_favorite(self, prefix: str, favorite: bool) -> Track:
        return await self._run(self._tracks.set_favorite, prefix, favorite)

    async def commit_latent(self, made: LatentFile, staged: Path) -> LatentRecord:
        """Take a finished latent in. Raises CACHE_WRITE_ERROR."""
        return await self._run(self._tracks.latents.commit, made, staged)

    async def latent(self, prefix: str) -> LatentFile:
        """The latent, whose file has just been read and found whole. Raises LATENT_NOT_FOUND."""
        return await self._run(self._tracks.latents.get, prefix)

    async def latents(self, pinned: bool | None, limit: int, offset: int) -> tuple[list[LatentRecord], int]:
        return await self._run(self._tracks.latents.page, pinned, limit, offset)

    async def pin_latent(self, prefix: str, pinned: bool) -> LatentRecord:
        return await self._run(self._tracks.latents.pin, prefix, pinned)

    async def delete_latent(self, prefix: str) -> str:
        """Raises LATENT_NOT_FOUND; INVALID_PARAMS while a live job starts from it."""
        return await self._run(self._tracks.latents.delete, prefix, self._latents_in_use())

    async def pack(self, path: str, text: str, latents: Sequence[LatentFile]) -> Path:
        """See ``packs.write``."""
        from . import packs

        return await self._exports.run(packs.write, path, text, latents)

    async def unpack(self, path: str, check: Callable[[str], object]) -> tuple[str, list[LatentRecord]]:
        """The text of a pack, and its latents, which are here and pinned from now on. Raises INVALID_PARAMS,
        CACHE_WRITE_ERROR, and what ``check`` has against the text."""
        from . import packs

        staging = await self.staging()
        try:
            text, found = await self._exports.run(packs.read, path, staging)
            check(text)
            return text, [await self._run(self._tracks.latents.take_in, latent, staging) for latent in found]
        finally:
            await self._exports.run(shutil.rmtree, staging, True)

    async def lineage(self, track: str | None, latent: str) -> tuple[str, list[Node]]:
        """The whole id of a track, else of a latent, and its family. Raises INVALID_TRACK_ID, LATENT_NOT_FOUND."""
        return await self._run(self._tracks.lineage, track, latent)

    async def keep_pipeline(self, record: PipelineRecord) -> None:
        """Add or replace. Raises CACHE_WRITE_ERROR."""
        await self._run(self._tracks.keep_pipeline, record)

    async def pipeline(self, pipeline_id: str) -> PipelineRecord | None:
        return await self._run(self._tracks.pipeline, pipeline_id)

    async def pipelines(self) -> list[PipelineRecord]:
        """The newest first."""
        return await self._run(self._tracks.pipelines)

    async def sweep_latents(self) -> None:
        """Let go of the latents whose time is over. Raises CACHE_WRITE_ERROR."""
        swept = await self._run(self._tracks.latents.sweep, self._latent_ttl_hours, self._latents_in_use())
        if swept:
            gone, left = (len(swept.ids), size(swept.freed)), (swept.count, size(swept.bytes))
            log.info("latents: %d swept (%s), %d left (%s)", *gone, *left)

    async def export(self, prefix: str, path: str, audio_format: AudioFormat | None) -> Path:
        """See ``export_file``. Transcoding takes long, so it has a thread of its own."""
        track = await self.get(prefix)
        return await self._exports.run(export_file, track, path, audio_format, self._root)

    async def take_in(self, path: str, prompt: str | None, audio_format: AudioFormat) -> Track:
        """An audio file of the user's own as a track; see ``importing.take_in``. On the thread of the exports."""
        from .importing import take_in

        staging = await self.staging()
        try:
            track, staged = await self._exports.run(take_in, path, prompt, audio_format, staging, datetime.now(UTC))
            return await self.commit(track, staged)
        finally:
            await self._exports.run(shutil.rmtree, staging, True)

    async def waveform(self, prefix: str, columns: int) -> tuple[Track, Waveform]:
        """The track and its outline, decoded on a thread of its own. Raises INVALID_TRACK_ID, UNSUPPORTED."""
        track = await self.get(prefix)
        return track, await self._outlines.run(_waveform, Path(track.path), columns)

    async def close(self) -> None:
        await self._thread.run(self._tracks.close)
        self._thread.close()
        self._exports.close()
        self._outlines.close()

    async def _run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._thread.run(function, *args, **kwargs)
        finally:
            for message in self._tracks.take_notices():
                self._notice("warn", message)
            if change := self._tracks.take_changes():
                self._changed(change)


def _waveform(path: Path, columns: int) -> Waveform:
    from ..audio.waveform import waveform

    try:
        return waveform(path, columns)
    except FileNotFoundError as error:
        raise LofiError(
            "INVALID_TRACK_ID", f"The track's file {path} is gone; run `lofi reindex`, or generate the track again.",
            field="track_id", path=str(path),
        ) from error  # fmt: skip
    except (DamagedFile, OSError) as error:
        raise LofiError(
            "UNSUPPORTED", f"{path} cannot be read: {error}. Delete the track and generate it again.",
            field="track_id", path=str(path),
        ) from error  # fmt: skip
