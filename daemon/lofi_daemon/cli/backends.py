"""`lofi backends`: what can make music here, and with which weights."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import LofiError
from .context import Context
from .exits import Exit
from .text import size

if TYPE_CHECKING:
    from .parser import Adder


def add(adder: Adder) -> None:
    parser = adder.command(
        "backends",
        "show what can make music here",
        "backends\nbackends musicgen\nbackends --json",
        description="Show what can make music here; with BACKEND its models, their licence, and where they are.\n"
        "In a pipe: tab-separated columns backend, status, seconds, weights, license, name;\n"
        "with BACKEND model, status, size, license, folder (or the repository to fetch it from).",
    )
    parser.add_argument("backend", nargs="?", metavar="BACKEND", help="list its models")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        answer = client.request("get_backends")
    if arguments.backend is not None:
        return _models(arguments.backend, answer["backends"], context)
    if context.json:
        context.terminal.document(answer)
        return Exit.OK
    default = answer["default_backend"]
    rows = [_row(backend, default) for backend in answer["backends"]]
    context.terminal.table(("BACKEND", "STATUS", "SECONDS", "WEIGHTS", "LICENSE", "NAME"), rows)
    return Exit.OK


def _models(name: str, backends: list[dict[str, Any]], context: Context) -> int:
    known = {backend["type"]: backend for backend in backends}
    if name not in known:
        raise LofiError(
            "INVALID_BACKEND", f"There is no backend “{name}”; choose one of {', '.join(known)}.", field="backend"
        )
    weights = known[name]["weights"]
    if context.json:
        context.terminal.document(known[name])
        return Exit.OK
    if not weights:
        context.terminal.say(f"The backend {name} needs no weights.")
        return Exit.OK
    rows = [_model_row(one) for one in weights]
    context.terminal.table(("MODEL", "STATUS", "SIZE", "LICENSE", "WHERE"), rows)
    return Exit.OK


def _row(backend: dict[str, Any], default: str) -> list[str]:
    about = backend["name"] + (" (default)" if backend["type"] == default else "")
    if message := backend.get("message"):
        about = message if message.startswith(about) else f"{about}: {message}"
    seconds = f"{backend['min_duration_sec']:g}-{backend['max_duration_sec']:g}"
    first = next((one for one in backend["weights"] if one["status"] == "ready"), None)
    first = first or next(iter(backend["weights"]), None)
    weights = f"{first['model']} {_state(first)}, {_size(first)}" if first else "-"
    return [backend["type"], backend["status"], seconds, weights, first["license"] if first else "-", about]


def _model_row(weights: dict[str, Any]) -> list[str]:
    where = weights["path"] or weights["repo"]
    if weights.get("message"):
        where += f": {weights['message']}"
    return [weights["model"], _state(weights), _size(weights), weights["license"], where]


def _state(weights: dict[str, Any]) -> str:
    if weights["status"] in ("partial", "downloading") and weights["bytes"]:
        return f"{weights['status']} {100 * weights['bytes_here'] // weights['bytes']}%"
    return str(weights["status"])


def _size(weights: dict[str, Any]) -> str:
    return size(weights["bytes"]) if weights["bytes"] else "?"
