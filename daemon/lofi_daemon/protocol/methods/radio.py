"""radio_*, presets_list, prefetch_config."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ...radio.radio import Radio
from .table import NoParams, Table


class StartParams(Struct, frozen=True, forbid_unknown_fields=True):
    prompt: str | None = None
    strategy: str | None = None
    presets: tuple[str, ...] | None = None
    backend: str | None = None
    duration_sec: float | None = None


class PrefetchParams(Struct, frozen=True, forbid_unknown_fields=True):
    duration_sec: Annotated[float, Meta(ge=5, le=600)] | None = None
    lead_factor: Annotated[float, Meta(ge=1, le=10)] | None = None


def add(table: Table, radio: Radio) -> None:
    @table.method("radio_start", StartParams)
    async def radio_start(params: StartParams) -> object:
        return await radio.begin(params.prompt, params.strategy, params.presets, params.backend, params.duration_sec)

    @table.method("radio_stop", NoParams)
    async def radio_stop(_: NoParams) -> object:
        return await radio.end()

    @table.method("presets_list", NoParams)
    async def presets_list(_: NoParams) -> object:
        return {"presets": radio.presets}

    @table.method("prefetch_config", PrefetchParams)
    async def prefetch_config(params: PrefetchParams) -> object:
        return radio.configure(params.duration_sec, params.lead_factor)
