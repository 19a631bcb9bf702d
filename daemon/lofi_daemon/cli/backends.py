"""`lofi backends`: what can make music here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .context import Context
from .exits import Exit

if TYPE_CHECKING:
    from .parser import Adder


def add(adder: Adder) -> None:
    parser = adder.command("backends", "show what can make music here", "backends\nbackends --json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        answer = client.request("get_backends")
    if context.json:
        context.terminal.document(answer)
        return Exit.OK
    default = answer["default_backend"]
    rows = [_row(backend, default) for backend in answer["backends"]]
    context.terminal.table(("BACKEND", "STATUS", "SECONDS", "NAME"), rows)
    return Exit.OK


def _row(backend: dict[str, Any], default: str) -> list[str]:
    about = backend["name"] + (" (default)" if backend["type"] == default else "")
    if backend.get("message"):
        about += f": {backend['message']}"
    seconds = f"{backend['min_duration_sec']:g}-{backend['max_duration_sec']:g}"
    return [backend["type"], backend["status"], seconds, about]
