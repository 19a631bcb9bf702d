"""The backends, and the weights they need."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from ...backends import device
from ...backends.registry import BACKENDS, default_backend
from ...config import Settings
from ...models.manager import Downloads
from .table import NoParams, Table


class DownloadParams(Struct, frozen=True, forbid_unknown_fields=True):
    backend: str
    model: str | None = None


def add(table: Table, settings: Settings, downloads: Downloads) -> None:
    @table.method("get_backends", NoParams)
    async def get_backends(_: NoParams) -> object:
        return {
            "backends": [await _view(name, settings, downloads) for name in BACKENDS],
            "default_backend": default_backend(settings),
        }

    @table.method("download_backend", DownloadParams)
    async def download_backend(params: DownloadParams) -> object:
        return await downloads.start(params.backend, params.model)

    @table.method("cancel_download", DownloadParams)
    async def cancel_download(params: DownloadParams) -> object:
        return {"cancelled": await downloads.cancel(params.backend, params.model)}


async def _view(name: str, settings: Settings, downloads: Downloads) -> dict[str, object]:
    info = BACKENDS[name]
    seen = await downloads.look(name)
    view: dict[str, object] = {
        "type": info.type,
        "name": info.name,
        "status": seen.available.status,
        "min_duration_sec": info.min_duration_sec,
        "max_duration_sec": info.max_duration_sec,
        "sample_rate": info.sample_rate,
        "model_version": info.model_version,
        "stage_types": list(info.stage_types),
        "models": list(info.models),
        "extra": info.extra,
        "packages": seen.packages,
        "weights": seen.weights,
    }
    if seen.available.message:
        view["message"] = seen.available.message
    if seen.available.status in ("ready", "loading"):
        view["device"] = await asyncio.to_thread(device.choose, settings) if info.equip else "cpu"
    return view
