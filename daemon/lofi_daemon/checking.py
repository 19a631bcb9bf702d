"""What is wrong with a pipeline, all of it, for who is writing it: nothing is queued, loaded or counted as used."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from .errors import LofiError
from .generation import Generation
from .library.room import Library
from .model import LatentFile, StageParams, Track
from .preparing import Prepared
from .stages.request import MAX_STAGES, STAGE_FIELDS, Pipeline, StageRequest, convert_error
from .stages.toml import Lines

_AT_MOST = 20
"""Problems in a stage."""


class Problem(Struct, frozen=True):
    """``field`` as "stages[1].scheduler"; line and column from 1, of a text."""

    code: str
    message: str
    field: str | None = None
    stage_index: int | None = None
    line: int | None = None
    column: int | None = None


class Looks:
    """The library, looked into without a trace."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def to_play(self, prefix: str | None) -> Track:
        return await self._library.get(prefix or "")

    async def latent(self, prefix: str) -> LatentFile:
        return await self._library.latent(prefix)


async def problems(
    document: dict[str, Any], generation: Generation, library: Library, lines: Lines | None = None
) -> tuple[list[Problem], list[StageParams | None]]:
    """Those of ``document``, of a text from its top to its end; and its stages as they would be run, None where they
    would not."""
    errors: list[LofiError] = []
    shared, stages = _typed(document, errors)
    prepared: list[Prepared | None] = []
    for index in range(len(stages)):
        prepared.append(await _check(shared, stages, index, prepared, generation, Looks(library), errors))
    first = {error.field: error for error in reversed(errors)}.values()  # what is left out for its type is not missing
    found = sorted(
        (_problem(error, lines) for error in errors if error in first), key=lambda problem: problem.line or 0
    )
    return found, [stage.params if stage else None for stage in prepared]


def _typed(document: dict[str, Any], errors: list[LofiError]) -> tuple[StageRequest, list[StageRequest]]:
    """What fits the types; the rest is told and left out."""
    for name in document:
        if name not in ("shared", "stages"):
            errors.append(_error(f"There is no table “{name}”: a pipeline has [shared] and [[stages]].", name))
    tables = document.get("stages")
    if not isinstance(tables, list) or not 1 <= len(tables) <= MAX_STAGES:
        errors.append(_error(f"A pipeline has 1 to {MAX_STAGES} stages, each under its own [[stages]].", "stages"))
        tables = []
    shared = _request(document.get("shared") or {}, "shared", errors)
    return shared, [_request(table, f"stages[{index}]", errors) for index, table in enumerate(tables)]


def _request(table: object, where: str, errors: list[LofiError]) -> StageRequest:
    if not isinstance(table, dict):
        errors.append(_error(f"“{where}” is a table of fields.", where))
        return StageRequest()
    fitting = {}
    for name, value in table.items():
        try:
            fitting[name] = getattr(msgspec.convert({name: value}, StageRequest), name)
        except msgspec.ValidationError as error:
            named = convert_error(error, STAGE_FIELDS)
            named.field = f"{where}.{name}"
            errors.append(named)
    return StageRequest(**fitting)


async def _check(
    shared: StageRequest,
    stages: list[StageRequest],
    index: int,
    before: list[Prepared | None],
    generation: Generation,
    looks: Looks,
    errors: list[LofiError],
) -> Prepared | None:
    """One stage; a field that is wrong is left out to find what else is."""
    request, told = stages[index], set[str]()
    for _ in range(_AT_MOST):
        pipeline = Pipeline(shared=shared, stages=(*stages[:index], request))
        try:
            found = await generation.check(pipeline, index, before, looks)
            return None if told else found
        except LofiError as error:
            name = (error.field or "").rpartition(".")[2]
            if name in told:
                return None
            errors.append(error)
            if name not in STAGE_FIELDS or name in ("backend", "stage_type"):
                return None  # on the latter depends what else is wrong
            told.add(name)
            request = msgspec.structs.replace(request, **{name: None})
            shared = msgspec.structs.replace(shared, **{name: None})
    return None


def _error(message: str, field: str) -> LofiError:
    return LofiError("INVALID_PARAMS", message, field=field)


def _problem(error: LofiError, lines: Lines | None) -> Problem:
    at = lines.find(error.field) if lines else None
    message = error.message.removeprefix(f"{error.field}: ")
    where = (error.field or "").partition(".")[0]
    stage_index = int(where[len("stages[") : -1]) if where.startswith("stages[") else None
    line, column = at or (error.details.get("line"), error.details.get("column"))
    return Problem(error.name, message, error.field, stage_index, line, column)  # type: ignore[arg-type]
