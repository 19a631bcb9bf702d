"""`lofi reindex`: rebuild the library's index from the files. Needs no daemon."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .context import Context
from .exits import Exit

if TYPE_CHECKING:
    from .parser import Adder


def add(adder: Adder) -> None:
    parser = adder.command(
        "reindex",
        "rebuild the library's index from the audio files",
        "reindex\nreindex --json",
        description="Rebuild the library's index from the audio files, each of which holds its own metadata.\n"
        "For when the index was lost or damaged, or files were brought in from another machine.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    from .. import config
    from ..library.tracks import Tracks

    settings = config.load(context.settings).settings
    tracks = Tracks(settings.cache_root, max_bytes=settings.max_cache_bytes)
    try:
        count = tracks.reindex()
    finally:
        tracks.close()
    if context.json:
        context.terminal.document({"tracks": count, "path": str(settings.cache_root)})
    else:
        context.terminal.line(f"{count} tracks in {settings.cache_root}.")
    return Exit.OK
