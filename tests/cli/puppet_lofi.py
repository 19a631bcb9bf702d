"""`lofi` with a daemon whose worker is the puppet. The arguments are those of `lofi`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lofi_daemon.cli.entry import run
from lofi_daemon.cli.terminal import Terminal
from lofi_daemon.client import DaemonClient, default_log

PUPPET = Path(__file__).parents[1] / "support" / "puppet_daemon.py"


def connect(settings: Sequence[str]) -> DaemonClient:
    output = os.environ.get("PUPPET_OUTPUT", "none")
    return DaemonClient(command=(sys.executable, str(PUPPET), f"player.output={output}", *settings), log=default_log())


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Terminal.standard(), connect))
