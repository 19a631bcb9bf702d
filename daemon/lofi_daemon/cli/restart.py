"""`lofi restart`: end the shared daemon and start it with the settings of now."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from ..client import DaemonGoneError
from .context import Context
from .exits import Exit

if TYPE_CHECKING:
    from .parser import Adder

LEAVE_WITHIN_SEC = 10.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "restart",
        "end the shared daemon and start it anew",
        "restart\nrestart --set player.device=headphones",
        description="End the daemon that all editors share, with its music and its jobs, and start it again with the\n"
        "settings of now. Editors that use it go on with the new one at their next command.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as old:
        if not old.request("ping")["shared"]:
            text = "There is no shared daemon (daemon.shared is false); :Lofi restart ends that of an editor."
            _tell(context, {"restarted": False, "message": text}, text)
            return Exit.OK
        old.request("shutdown")
        with contextlib.suppress(DaemonGoneError):  # that it ends is what we wait for
            while old.next_notification(LEAVE_WITHIN_SEC):
                pass
    with context.connect() as new:
        answer = new.request("ping")
    text = f"Restarted: version {answer['version']}, pid {answer['pid']}."
    _tell(context, {"restarted": True, "version": answer["version"], "pid": answer["pid"]}, text)
    return Exit.OK


def _tell(context: Context, document: dict[str, object], text: str) -> None:
    if context.json:
        context.terminal.document(document)
    else:
        context.terminal.say(text)
