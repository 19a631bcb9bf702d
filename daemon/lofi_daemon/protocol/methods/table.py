"""A table of methods, each with the struct its parameters must fit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ...stages.request import convert_error
from ..wire import Method

P = TypeVar("P", bound=Struct)


class NoParams(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Table(dict[str, Method]):
    """Methods by name."""

    def method(self, name: str, kind: type[P]) -> Callable[[Callable[[P], Awaitable[object]]], None]:
        """Registers the decorated function under ``name``; it gets its parameters as ``kind``, checked."""
        fields = tuple(field.encode_name for field in msgspec.structs.fields(kind))

        def register(handle: Callable[[P], Awaitable[object]]) -> None:
            async def call(params: dict[str, Any]) -> object:
                try:
                    # null means "left open" everywhere
                    parsed = msgspec.convert({k: v for k, v in params.items() if v is not None}, kind)
                except msgspec.ValidationError as error:
                    raise convert_error(error, fields) from None
                return await handle(parsed)

            self[name] = call

        return register
