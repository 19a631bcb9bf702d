"""`lofi-daemon`: what the editor starts. Speaks JSON-RPC on stdin and stdout.

Where the daemon is shared this process is only a bridge to it, so nothing heavy is imported before that is known.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Coroutine
from typing import NoReturn

from . import __version__, config
from .errors import LofiError


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="lofi-daemon",
        description="The daemon behind lofi.nvim: composes, keeps and plays background music.",
        epilog="It speaks JSON-RPC 2.0, one object a line; see doc/PROTOCOL.md. People use the `lofi` command.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--stdio", "--daemon", action="store_true", help="serve one client on stdin and stdout")
    what.add_argument("--serve", action="store_true", help="be the server that the clients of --stdio share")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as cache.max_mb=2000"
    )
    parser.add_argument("--version", action="version", version=f"lofi-daemon {__version__}")
    arguments = parser.parse_args()
    setup = tuple(arguments.set)
    os.umask(0o077)
    try:
        if arguments.serve:
            share(setup)
        elif config.load(setup).settings.daemon.shared and sys.platform in ("linux", "darwin"):
            bridge(setup)
        else:
            serve(setup)
    except LofiError as error:
        sys.stderr.write(f"lofi-daemon: {error.message}\n")
        sys.exit(1)


def bridge(setup: tuple[str, ...]) -> NoReturn:
    """Connect stdin and stdout with the user's one server."""
    from .shared import bridge, place
    from .shared.hello import Hello

    settings = config.load(setup).settings
    hello = Hello(__version__, config.flat(settings))
    where = place.find(settings.cache_root)
    code = bridge.run(where, hello, bridge.command(setup), config.log_file())
    os._exit(code)  # the thread that reads stdin cannot be interrupted


def share(setup: tuple[str, ...]) -> NoReturn:
    """Be the server, unless there is one."""
    from .app import load_settings
    from .shared import place
    from .shared.server import Server

    loaded = load_settings(setup)
    where = place.find(loaded.settings.cache_root)
    os.chdir("/")  # whatever folder the first editor was in may be removed or unmounted
    _run(Server(where, loaded).run())


def serve(setup: tuple[str, ...], **more: tuple[str, ...]) -> NoReturn:
    """Be a daemon for this client alone. ``more`` goes to ``serve_stdio``."""
    from .app import load_settings, serve_stdio
    from .protocol.stdio import claim_stdout

    sink = claim_stdout()
    source = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # children inherit nothing of the client's
    _run(serve_stdio(load_settings(setup), source, sink, **more))


def _run(work: Coroutine[None, None, None]) -> NoReturn:
    """Run ``work`` to its end, then end the process."""
    import asyncio
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def run() -> None:
        code = 0
        try:
            await work
        except Exception:
            logging.getLogger(__name__).exception("the daemon broke")
            code = 1
        # Everything of ours is closed. A reader thread may sit in a read that nothing can interrupt, and
        # the loop's own tidying up may wait for threads and children that are not ours to wait for.
        sys.stderr.flush()
        os._exit(code)

    asyncio.run(run())
    raise AssertionError("unreachable")


if __name__ == "__main__":
    main()
