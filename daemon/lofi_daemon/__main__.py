"""`lofi-daemon`: what the editor starts. Speaks JSON-RPC on stdin and stdout.

Where the daemon is shared this process is only a bridge to it. Every editor waits for that, so nothing is imported
before it is known to be needed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Coroutine, Iterator

from .errors import LofiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import NoReturn


def main() -> None:
    gc.disable()  # modules are not garbage; collecting while they load costs a tenth of the start
    setup = stdio_settings(sys.argv[1:])
    with named_errors():
        if setup is None:
            what, setup = parse(sys.argv[1:])
            if what == "serve":
                share(setup)
        connect(setup)


@contextlib.contextmanager
def named_errors() -> Iterator[None]:
    """A LofiError is one line on stderr and exit status 1."""
    os.umask(0o077)
    try:
        yield
    except LofiError as error:
        sys.stderr.write(f"lofi-daemon: {error.message}\n")
        sys.exit(1)


def stdio_settings(words: list[str]) -> tuple[str, ...] | None:
    """The --set texts of the one command line that has to be quick, as the plugin and the CLI write it; else None."""
    if words[:1] == ["--stdio"] and len(words) % 2 and all(word == "--set" for word in words[1::2]):
        return tuple(words[2::2])
    return None


def parse(words: list[str]) -> tuple[str, tuple[str, ...]]:
    """What is asked for, "stdio" or "serve", and the --set texts. Leaves after --help and on unknown words."""
    import argparse

    from . import __version__

    parser = argparse.ArgumentParser(
        prog="lofi-daemon",
        description="The daemon behind lofi.nvim: composes, keeps and plays background music.",
        epilog="It speaks JSON-RPC 2.0, one object a line; see doc/PROTOCOL.md. People use the `lofi` command.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--stdio", "--daemon", action="store_const", dest="what", const="stdio",
        help="serve one client on stdin and stdout, through the shared daemon unless daemon.shared is false",
    )  # fmt: skip
    what.add_argument(
        "--serve", action="store_const", dest="what", const="serve", help="be the daemon that clients share"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as cache.max_mb=2000"
    )
    parser.add_argument("--version", action="version", version=f"lofi-daemon {__version__}")
    arguments = parser.parse_args(words)
    return arguments.what, tuple(arguments.set)


def connect(setup: tuple[str, ...]) -> NoReturn:
    """Serve the client on stdin and stdout, as a bridge or as its own daemon."""
    from .shared import early

    wanted = early.read(setup)
    if not wanted.shared or sys.platform not in ("linux", "darwin"):
        serve(setup)
    from .shared import bridge

    bridge_to(wanted.library, setup, bridge.command(setup))


def bridge_to(library: str, setup: tuple[str, ...], server: tuple[str, ...]) -> NoReturn:
    """Connect stdin and stdout with the one server for ``library``, which the command ``server`` starts."""
    from .shared import bridge, hello, place

    code = bridge.run(place.find(library), hello.own(setup, os.environ), server)
    os._exit(code)  # the thread that reads stdin cannot be interrupted


def share(setup: tuple[str, ...], **more: tuple[str, ...]) -> NoReturn:
    """Be the server, unless there is one. ``more`` goes to ``Server``."""
    from .shared import early, place, seat

    with contextlib.suppress(PermissionError):  # started by hand it leads its group already, and obeys Ctrl-C
        os.setsid()  # not of the editor's session: it outlives it
    taken = seat.take(place.find(early.read(setup).library))
    if taken is None:
        sys.exit(0)
    os.chdir("/")  # whatever folder the first editor was in may be removed or unmounted
    from . import config
    from .app import load_settings
    from .shared.server import Server
    from .shared.server_log import Trimming, claim_output

    loaded, log_file = load_settings(setup), config.log_file()

    async def serve() -> None:
        server = Server(taken, loaded, log_file, **more)
        claim_output(log_file)
        await server.run()

    _run(serve(), Trimming(log_file))


def serve(setup: tuple[str, ...], **more: tuple[str, ...]) -> NoReturn:
    """Be a daemon for this client alone. ``more`` goes to ``serve_stdio``."""
    from .app import load_settings, serve_stdio
    from .protocol.stdio import claim_stdout

    sink = claim_stdout()
    source = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # children inherit nothing of the client's
    _run(serve_stdio(load_settings(setup), source, sink, **more))


def _run(work: Coroutine[None, None, None], *handlers: logging.Handler) -> NoReturn:
    """Run ``work`` to its end, then end the process. The log goes to ``handlers``, or else to stderr."""
    import asyncio
    import logging

    logging.basicConfig(
        handlers=handlers or None, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

    async def run() -> None:
        code = 0
        gc.freeze()
        gc.enable()
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
