"""latent_*."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ...library.latents.store import MAX_PAGE
from ...library.room import Library
from .table import Table


class ListParams(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    pinned: bool | None = None


class LatentParams(Struct, frozen=True, forbid_unknown_fields=True):
    latent_id: str


class PinParams(Struct, frozen=True, forbid_unknown_fields=True):
    latent_id: str
    pinned: bool = True


def add(table: Table, library: Library) -> None:
    @table.method("latent_list", ListParams)
    async def latent_list(params: ListParams) -> object:
        latents, total = await library.latents(params.pinned, params.limit, params.offset)
        return {"latents": latents, "total": total}

    @table.method("latent_get", LatentParams)
    async def latent_get(params: LatentParams) -> object:
        return (await library.latent(params.latent_id)).record

    @table.method("latent_pin", PinParams)
    async def latent_pin(params: PinParams) -> object:
        return await library.pin_latent(params.latent_id, params.pinned)

    @table.method("latent_delete", LatentParams)
    async def latent_delete(params: LatentParams) -> object:
        return {"deleted": await library.delete_latent(params.latent_id)}
