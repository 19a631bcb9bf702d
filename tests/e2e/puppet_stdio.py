"""`lofi-daemon --stdio [--set KEY=VALUE]…` with the puppet worker: the plugin starts it like the real one."""

import sys
from pathlib import Path

from lofi_daemon.__main__ import serve

WORKER = Path(__file__).parents[1] / "support" / "puppet_worker.py"

settings = [word for flag, word in zip(sys.argv[1:], sys.argv[2:], strict=False) if flag == "--set"]
serve(tuple(settings), worker=(sys.executable, str(WORKER)))
