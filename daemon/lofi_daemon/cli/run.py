"""`lofi run`: the stages of a *.lofi.toml, one after the other."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client import DaemonClient
from ..errors import LofiError
from . import play
from .context import Context
from .exits import Exit
from .generate import Generating, made

if TYPE_CHECKING:
    from .parser import Adder


def add(adder: Adder) -> None:
    parser = adder.command(
        "run",
        "run a pipeline, stages in a *.lofi.toml",
        "run night.lofi.toml\nrun night.lofi.toml --play\nrun night.lofi.toml --from-stage 1\n"
        "run night.lofi.toml --check",
        description="Run the stages of a pipeline one after the other. The paths of what is to be heard are printed\n"
        "on stdout, progress on stderr; :help lofi-studio says how to write such a file. What a stage has made is\n"
        "kept even if a later one fails, and --from-stage goes on from it.",
    )
    parser.add_argument("file", metavar="FILE", help="a *.lofi.toml; - for stdin")
    parser.add_argument(
        "--from-stage", type=int, metavar="N",
        help="begin with stage N, counted from 0, with what the stages before it left when they ran last",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="only say what is wrong with it")
    parser.add_argument("--priority", choices=("high", "normal", "low"), help="place in the queue (default normal)")
    parser.add_argument("--play", action="store_true", help="play the last stage's track when it is ready")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    text = _read(arguments.file)
    with context.connect() as client:
        if arguments.check:
            return _check(client, context, arguments.file, text)
        params = {"toml": text, "from_stage": arguments.from_stage, "priority": arguments.priority}
        generating = Generating(client, context, "pipeline_run")
        try:
            tracks, cached = generating.run({name: value for name, value in params.items() if value is not None})
        except LofiError as error:
            if "line" in error.details:
                raise LofiError(error.name, f"{arguments.file}: {error.message}", field=error.field) from None
            raise
        if not context.json:
            for track in tracks:
                context.terminal.say(made(track, cached))
            for track in [track for stage in generating.stages[:-1] for track in stage["tracks"]] + tracks:
                context.terminal.line(track["path"])
        if arguments.play:
            return play.play(client, context, tracks[0]["id"])
    return Exit.OK


def _check(client: DaemonClient, context: Context, name: str, text: str) -> int:
    found: list[dict[str, Any]] = client.request("pipeline_check", {"toml": text})["problems"]
    for problem in found:
        place = f"{name}:{problem['line']}:{problem['column']}" if problem["line"] else name
        field = f"{problem['field']}: " if problem["field"] else ""
        if context.json:
            context.terminal.document(problem)
        else:
            context.terminal.line(f"{place}: {field}{problem['message']}")
    return Exit.USAGE if found else Exit.OK


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise LofiError("INVALID_PARAMS", f"{name} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise LofiError("INVALID_PARAMS", f"{name} cannot be read: it is not UTF-8.") from None
