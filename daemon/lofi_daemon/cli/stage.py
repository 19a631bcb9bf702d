"""`lofi stage`: a stage with its latents, in one file for another machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import LofiError
from .context import Context
from .exits import Exit
from .paths import absolute
from .text import SHORT_ID

if TYPE_CHECKING:
    from .parser import Adder

WITHIN_SEC = 300.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "stage",
        "pack a track's stage with its latents, or take one in",
        "stage export 3fa85c night.lofi.zip\nstage import night.lofi.zip > night.lofi.toml",
        description="`export` packs how a track was made, and the latents it can be taken up from, into one file:\n"
        "a zip of TOML and safetensors. `import` takes the latents in, pinned, and prints the stage as the text of\n"
        "a *.lofi.toml. Tracks that a stage works from are not packed.",
    )
    parser.add_argument("action", choices=("export", "import"), help="what to do")
    parser.add_argument("what", metavar="TRACK|FILE", help="export: the track's id, or a latent's; import: the file")
    parser.add_argument("file", nargs="?", metavar="FILE", help="export: where to; “.lofi.zip” is added where missing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    if (arguments.action == "export") != (arguments.file is not None):
        raise LofiError("INVALID_PARAMS", "`lofi stage export` takes a track and a file, `lofi stage import` a file.")
    with context.connect() as client:
        if arguments.action == "import":
            found = client.request("stage_import", {"path": absolute(arguments.what)}, timeout=WITHIN_SEC)
            if context.json:
                context.terminal.document(found)
            else:
                ids = ", ".join(latent[:SHORT_ID] for latent in found["latent_ids"]) or "none"
                context.terminal.say(f"Latents taken in and pinned: {ids}.")
                context.terminal.line(found["toml"].rstrip("\n"))
            return Exit.OK
        kind = "latent_id" if "-" in arguments.what else "track_id"
        params = {kind: arguments.what, "path": absolute(arguments.file)}
        made = client.request("stage_export", params, timeout=WITHIN_SEC)
    if context.json:
        context.terminal.document(made)
    else:
        context.terminal.line(made["path"])
    return Exit.OK
