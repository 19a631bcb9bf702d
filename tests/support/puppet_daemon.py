"""The real daemon with the puppet worker in place of the real one. Arguments are settings, KEY=VALUE."""

import sys
from pathlib import Path

from lofi_daemon.__main__ import serve

serve(tuple(sys.argv[1:]), worker=(sys.executable, str(Path(__file__).with_name("puppet_worker.py"))))
