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
    terminal, root = context.terminal, settings.cache_root
    tracks = Tracks(root, max_bytes=settings.max_cache_bytes, latent_dir=settings.latent_root)
    try:
        report = tracks.rebuild()
        notices = tracks.take_notices()
    finally:
        tracks.close()
    kept = report.found - len(report.damaged)
    if context.json:
        counts = {"added": report.added, "updated": report.updated, "dropped": report.dropped}
        damaged = [{"path": path, "reason": reason} for path, reason in report.damaged]
        terminal.document({"path": str(root), "tracks": kept, **counts, "damaged": damaged, "notices": notices})
        return Exit.OK
    for notice in notices:
        terminal.say(notice)
    for path, reason in report.damaged:
        terminal.say(f"Left out: {path}: {reason}.")
    changes = f"{report.added} added, {report.updated} changed, {report.dropped} gone"
    terminal.line(f"{kept} tracks in {root} ({changes}).")
    return Exit.OK
