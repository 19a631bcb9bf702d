"""`lofi`: arguments in, exit code out. Whatever happens, a person sees a sentence and never a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from ..client import DaemonClient, default_log
from ..errors import LofiError
from . import exits, parser
from .context import Context
from .exits import Exit
from .terminal import Terminal


def main(argv: Sequence[str] | None = None) -> int:
    """For the `lofi` script, which hands the result to sys.exit."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a latin-1 terminal meets “”
    catch_signals()
    return run(sys.argv[1:] if argv is None else argv, Terminal.standard())


def catch_signals() -> None:
    """Being asked to end unwinds the stack, so that commands stop what they started."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores hangups, and so do we then
            signal.signal(number, lambda number, frame: sys.exit(128 + number))


def own_daemon(settings: Sequence[str]) -> DaemonClient:
    return DaemonClient(settings, log=default_log())


def run(argv: Sequence[str], terminal: Terminal, connect: Callable[[Sequence[str]], DaemonClient] = own_daemon) -> int:
    """The exit code of the command line ``argv``. ``connect`` makes a client for the --set texts."""
    try:
        arguments = parser.build().parse_args(argv)
    except SystemExit as leave:  # argparse has said what is wrong, or printed the help
        return int(leave.code or 0)
    settings = tuple(arguments.set)
    context = Context(
        terminal=terminal,
        connect=lambda: connect(settings),
        settings=settings,
        json=arguments.json,
    )
    try:
        return int(arguments.run(arguments, context))
    except LofiError as error:
        return report(error, context)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        if os.environ.get("LOFI_DEBUG"):
            raise
        text = f"{type(error).__name__}: {error}"
        return report(LofiError("INTERNAL_ERROR", f"{text} (a bug; LOFI_DEBUG=1 shows where)."), context)


def report(error: LofiError, context: Context) -> int:
    """Say ``error``: the sentence on stderr, with --json also the whole of it on stdout."""
    code = exits.of_error(error)
    if context.json:
        context.terminal.document({"error": {"message": error.message, "name": error.name} | error.data()})
    context.terminal.say(f"lofi: {error.message}")
    return code
