"""`lofi selftest`: does a backend do here what it should? For real weights, which no test of the project has seen."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import LofiError
from .context import Context
from .findings import document, exit_code, tell

if TYPE_CHECKING:
    from ..health.finding import Finding
    from .parser import Adder


def add(adder: Adder) -> None:
    parser = adder.command(
        "selftest",
        "try a backend on this machine",
        "selftest musicgen\nselftest musicgen stereo-small\nselftest synth --json",
        description="Load a backend's weights, compare its fast ways with its exact ones, make a few seconds of music\n"
        "and measure them. Needs no daemon. Exits with 1 if something is wrong.",
    )
    parser.add_argument("backend", metavar="BACKEND", help="see `lofi backends`")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="of its models; default: the one that is here")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    from .. import config
    from ..backends.registry import BACKENDS, SELFTEST_MODULES
    from ..stages.request import StageRequest
    from ..stages.resolve import resolve

    loaded = config.load(context.settings, backends=tuple(BACKENDS))
    request = StageRequest(prompt="selftest", backend=arguments.backend, model=arguments.model)
    params = resolve(request, loaded.settings, lambda: 1).params
    info = BACKENDS[params.backend]
    available = info.availability(loaded.settings)
    if available.status != "ready":
        raise LofiError("BACKEND_NOT_INSTALLED", available.message)
    look = importlib.import_module(SELFTEST_MODULES[params.backend]).look
    findings: Iterator[Finding] = look(info.equipment(loaded.settings, params))
    told = tell(findings, context)
    if context.json:
        context.terminal.document(document(told))
    return exit_code(told)
