"""`lofi-daemon`: what the editor starts. Speaks JSON-RPC on stdin and stdout."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from typing import NoReturn

from . import __version__


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="lofi-daemon",
        description="The daemon behind lofi.nvim: composes, keeps and plays background music.",
        epilog="It speaks JSON-RPC 2.0, one object a line; see doc/PROTOCOL.md. People use the `lofi` command.",
    )
    parser.add_argument("--stdio", "--daemon", action="store_true", help="serve one client on stdin and stdout")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as cache.max_mb=2000"
    )
    parser.add_argument("--version", action="version", version=f"lofi-daemon {__version__}")
    arguments = parser.parse_args()
    if not arguments.stdio:
        parser.error("say --stdio to serve a client on stdin and stdout")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(tuple(arguments.set))


def serve(setup: tuple[str, ...], **more: tuple[str, ...]) -> NoReturn:
    """Serve stdin and stdout until the client leaves, then end the process. ``more`` goes to ``serve_stdio``."""
    gc.disable()  # nothing that imports make is garbage, and looking for it costs a tenth of the start
    from .app import load_settings, serve_stdio
    from .protocol.stdio import claim_stdout

    gc.freeze()
    gc.enable()
    sink = claim_stdout()
    source = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # children inherit nothing of the client's
    os.umask(0o077)
    loaded = load_settings(setup)

    async def run() -> None:
        code = 0
        try:
            await serve_stdio(loaded, source, sink, **more)
        except Exception:
            logging.getLogger(__name__).exception("the daemon broke")
            code = 1
        # Everything of ours is closed. The reader thread sits in a read that nothing can interrupt, and
        # the loop's own tidying up may wait for threads and children that are not ours to wait for.
        sys.stderr.flush()
        os._exit(code)

    asyncio.run(run())
    raise AssertionError("unreachable")


if __name__ == "__main__":
    main()
