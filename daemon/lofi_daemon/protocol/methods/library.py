"""cache_* and track_*."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ...errors import LofiError
from ...library.room import Library
from ...model import AudioFormat
from ...stages.resolve import MAX_PROMPT
from ..wire import Later
from .table import NoParams, Table

MAX_PAGE = 200
MAX_COLUMNS = 500
MAX_DELETED = 10_000


class TrackParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str


class DeleteParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None
    track_ids: Annotated[tuple[str, ...], Meta(max_length=MAX_DELETED)] | None = None


class LineageParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str | None = None
    latent_id: str | None = None


class ListParams(Struct, frozen=True, forbid_unknown_fields=True):
    query: str | None = None
    sort: str = "newest"
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50
    offset: Annotated[int, Meta(ge=0)] = 0


class ClearParams(Struct, frozen=True, forbid_unknown_fields=True):
    keep_favorites: bool = True


class FavoriteParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str
    favorite: bool = True


class ExportParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str
    path: str
    format: AudioFormat | None = None


class ImportParams(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    prompt: Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT)] | None = None


class WaveformParams(Struct, frozen=True, forbid_unknown_fields=True):
    track_id: str
    columns: Annotated[int, Meta(ge=1, le=MAX_COLUMNS)]


def add(table: Table, library: Library, audio_format: AudioFormat) -> None:
    @table.method("cache_list", ListParams)
    async def cache_list(params: ListParams) -> object:
        tracks, total = await library.page(params.query, params.sort, params.limit, params.offset)
        return {"tracks": tracks, "total": total}

    @table.method("cache_get", TrackParams)
    async def cache_get(params: TrackParams) -> object:
        return await library.get(params.track_id)

    @table.method("lineage", LineageParams)
    async def lineage(params: LineageParams) -> object:
        if (params.track_id is None) == (params.latent_id is None):
            raise LofiError("INVALID_PARAMS", "Give either track_id or latent_id.", field="track_id")
        name, nodes = await library.lineage(params.track_id, params.latent_id or "")
        return {"id": name, "nodes": nodes}

    @table.method("cache_delete", DeleteParams)
    async def cache_delete(params: DeleteParams) -> object:
        if (params.track_id is None) == (params.track_ids is None):
            raise LofiError("INVALID_PARAMS", "Give either track_id or track_ids.", field="track_id")
        if params.track_ids is not None:
            return {"deleted": await library.delete_all(params.track_ids)}
        assert params.track_id is not None
        return {"deleted": await library.delete(params.track_id)}

    @table.method("cache_clear", ClearParams)
    async def cache_clear(params: ClearParams) -> object:
        deleted, size = await library.clear(params.keep_favorites)
        return {"deleted": deleted, "bytes": size}

    @table.method("cache_stats", NoParams)
    async def cache_stats(_: NoParams) -> object:
        return await library.stats()

    @table.method("track_favorite", FavoriteParams)
    async def track_favorite(params: FavoriteParams) -> object:
        return await library.set_favorite(params.track_id, params.favorite)

    @table.method("track_export", ExportParams)
    async def track_export(params: ExportParams) -> object:
        async def export() -> object:
            return {"path": str(await library.export(params.track_id, params.path, params.format))}

        return Later(export())

    @table.method("track_import", ImportParams)
    async def track_import(params: ImportParams) -> object:
        return Later(library.take_in(params.path, params.prompt, audio_format))

    @table.method("track_waveform", WaveformParams)
    async def track_waveform(params: WaveformParams) -> object:
        async def outline() -> object:
            track, found = await library.waveform(params.track_id, params.columns)
            return {"track_id": track.id} | msgspec.structs.asdict(found)

        return Later(outline())
