"""stage_fields: what an editor completes in a pipeline."""

from __future__ import annotations

from ...stages import fields
from .table import NoParams, Table


def add(table: Table) -> None:
    @table.method("stage_fields", NoParams)
    async def stage_fields(_: NoParams) -> object:
        return {"fields": fields.describe()}
