"""`lofi import`: audio files of one's own as tracks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .context import Context
from .exits import Exit
from .paths import absolute

if TYPE_CHECKING:
    from .parser import Adder

WITHIN_SEC = 600.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "import",
        "take audio files of yours into the library",
        'import demo.wav\nimport *.flac\nimport demo.wav --prompt "my own tune"',
        description="Copy audio files into the library as tracks that stages can work from (src_audio_id,\n"
        "reference_audio_id). Their ids are printed on stdout.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="flac, wav, ogg or mp3, mono or stereo, up to an hour")
    parser.add_argument("--prompt", metavar="TEXT", help="what it is called (default: the file's name)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        for name in arguments.files:
            params = {"path": absolute(name)} | ({"prompt": arguments.prompt} if arguments.prompt else {})
            track = client.request("track_import", params, timeout=WITHIN_SEC)
            if context.json:
                context.terminal.document(track)
            else:
                context.terminal.line(track["id"])
    return Exit.OK
