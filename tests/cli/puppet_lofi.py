"""`lofi` with a daemon whose worker is the puppet, shared if LOFI_DAEMON_SHARED says so. The arguments are
those of `lofi`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lofi_daemon.cli import entry
from lofi_daemon.cli.terminal import Terminal
from lofi_daemon.client import DaemonClient, default_log

SUPPORT = Path(__file__).parents[1] / "support"


def connect(settings: Sequence[str]) -> DaemonClient:
    settings = (f"player.output={os.environ.get('PUPPET_OUTPUT', 'none')}", *settings)
    if os.environ.get("LOFI_DAEMON_SHARED") == "true":
        flags = [word for text in settings for word in ("--set", text)]
        command = (sys.executable, str(SUPPORT / "puppet_shared.py"), "--stdio", *flags)
    else:
        daemon = os.environ.get("PUPPET_DAEMON", "puppet_daemon.py")
        command = (sys.executable, str(SUPPORT / daemon), *settings)
    return DaemonClient(command=command, log=default_log())


if __name__ == "__main__":
    entry.catch_signals()
    sys.exit(entry.run(sys.argv[1:], Terminal.standard(), connect))
