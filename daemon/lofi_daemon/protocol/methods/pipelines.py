"""pipeline_*: stages that are run one after the other."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from ...checking import Problem, problems
from ...errors import LofiError
from ...generation import Generation
from ...library.room import Library
from ...pipelines import Pipelines
from ...stages import restoring, toml
from ...stages.request import Pipeline, convert_error
from ...stages.resolve import asked as fields
from ..wire import Later
from .generation import as_job_id, as_priority
from .table import Table


class Content(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pipeline as tables or as text."""

    shared: dict[str, Any] | None = None
    stages: list[Any] | None = None
    toml: str | None = None


class RunParams(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pipeline_id: str | None = None
    from_stage: int | None = None
    priority: str | None = None
    job_id: str | None = None
    auto_play: bool = False


class TextParams(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pipeline_id: str | None = None
    track_id: str | None = None
    latent_id: str | None = None


class PackParams(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    track_id: str | None = None
    latent_id: str | None = None


class UnpackParams(Struct, frozen=True, forbid_unknown_fields=True):
    path: str


class GetParams(Struct, frozen=True, forbid_unknown_fields=True):
    pipeline_id: str


def add(table: Table, generation: Generation, pipelines: Pipelines, library: Library) -> None:
    @table.method("pipeline_run", RunParams)
    async def pipeline_run(params: RunParams) -> object:
        _require_one(params, ("stages", "toml", "pipeline_id"))
        priority, job_id = as_priority(params.priority), as_job_id(params.job_id)
        if params.pipeline_id is not None:
            pipeline, earlier = await pipelines.again(params.pipeline_id, params.from_stage)
            lines = None
        else:
            pipeline, lines = await _read(params)
            earlier = await pipelines.earlier(pipeline, params.from_stage or 0)
        try:
            accepted = await generation.run(pipeline, priority, job_id, params.auto_play, earlier)
        except LofiError as error:
            raise lines.located(error) if lines else error from None
        job = accepted.job
        return {
            "job_id": job.id,
            "pipeline_id": job.id,
            "status": accepted.status,
            "position": accepted.position,
            "from_stage": job.first,
            "track_id": job.track_id,
            "track_ids": job.track_ids[-1],
            "stages": [
                {"stage_index": index, "track_ids": ids, "params": stage}
                for index, (ids, stage) in enumerate(zip(job.track_ids, job.stages, strict=True))
            ],
        }

    @table.method("pipeline_check", Content)
    async def pipeline_check(params: Content) -> object:
        _require_one(params, ("stages", "toml"))
        if params.toml is None:
            found, stages = await problems(_document(params), generation, library)
            return {"problems": found, "stages": stages}
        try:
            document, lines = await asyncio.to_thread(toml.read, params.toml)
        except LofiError as error:
            at = Problem(error.name, error.message, error.field, **error.details)  # type: ignore[arg-type]
            return {"problems": [at], "stages": []}
        found, stages = await problems(document, generation, library, lines)
        return {"problems": found, "stages": stages}

    @table.method("pipeline_text", TextParams)
    async def pipeline_text(params: TextParams) -> object:
        name = _require_one(params, ("stages", "toml", "pipeline_id", "track_id", "latent_id"))
        if params.track_id is not None:
            pipeline = Pipeline(stages=(restoring.of_track(await library.get(params.track_id)),))
        elif params.latent_id is not None:
            pipeline = Pipeline(stages=(restoring.of_latent((await library.latent(params.latent_id)).record),))
        elif params.pipeline_id is not None:
            record = await pipelines.get(params.pipeline_id)
            pipeline = Pipeline(stages=tuple(restoring.of_params(stage) for stage in record.stages))
        else:
            assert name in ("stages", "toml")
            pipeline, _ = await _read(params)
        return {"toml": toml.write(pipeline), **_tables(pipeline)}

    @table.method("stage_export", PackParams)
    async def stage_export(params: PackParams) -> object:
        _require_one(params, ("track_id", "latent_id"))
        return Later(_pack(params, library))

    @table.method("stage_import", UnpackParams)
    async def stage_import(params: UnpackParams) -> object:
        return Later(_unpack(params.path, library))

    @table.method("pipeline_get", GetParams)
    async def pipeline_get(params: GetParams) -> object:
        record = await pipelines.get(params.pipeline_id)
        return {
            "pipeline_id": record.id,
            "created_at": record.created_at,
            "state": record.state,
            "message": record.message,
            "asked": record.asked,
            "stages": record.stages,
            "results": record.results,
        }


async def _pack(params: PackParams, library: Library) -> object:
    """The stage with its latents: the one it starts from, its source and its own checkpoint."""
    named: list[str] = []
    if params.track_id is not None:
        track = await library.get(params.track_id)
        stage = restoring.of_track(track)
        named += [track.latent_checkpoint_id] if track.latent_checkpoint_id is not UNSET else []
    else:
        assert params.latent_id is not None
        stage = restoring.of_latent((await library.latent(params.latent_id)).record)
    named += [name for name in (stage.init_latent_id, stage.src_latent_id) if name is not None]
    latents = [await library.latent(name) for name in dict.fromkeys(named)]
    path = await library.pack(params.path, toml.write(Pipeline(stages=(stage,))), latents)
    return {"path": str(path), "latent_ids": [latent.record.id for latent in latents]}


async def _unpack(path: str, library: Library) -> object:
    text, records = await library.unpack(path, toml.pipeline)
    return {"toml": text, **_tables(toml.pipeline(text)), "latent_ids": [record.id for record in records]}


def _tables(pipeline: Pipeline) -> dict[str, Any]:
    """Its tables, with what they do not leave open."""
    return {"shared": fields(pipeline.shared), "stages": [fields(stage) for stage in pipeline.stages]}


async def _read(content: Content) -> tuple[Pipeline, toml.Lines | None]:
    """Raises INVALID_PARAMS naming field and, of a text, line."""
    if content.toml is None:
        return _pipeline(_document(content)), None
    document, lines = await asyncio.to_thread(toml.read, content.toml)
    try:
        return _pipeline(document), lines
    except LofiError as error:
        raise lines.located(error) from None


def _pipeline(document: dict[str, Any]) -> Pipeline:
    try:
        return msgspec.convert(document, Pipeline)
    except msgspec.ValidationError as error:
        raise convert_error(error, ("shared", "stages")) from None


def _document(content: Content) -> dict[str, Any]:
    document: dict[str, Any] = {"stages": content.stages}
    return document if content.shared is None else document | {"shared": content.shared}


def _require_one(params: Struct, names: tuple[str, ...]) -> str:
    given = [name for name in names if getattr(params, name) is not None]
    if len(given) != 1:
        raise LofiError(
            "INVALID_PARAMS",
            f"Give one of {', '.join(names[:-1])} and {names[-1]}, not {' and '.join(given) or 'none'}.",
            field=given[1] if given else names[0], expected=list(names), got=given,
        )  # fmt: skip
    return given[0]
