"""`lofi-daemon` where it is shared, with the puppet worker: --stdio [--set KEY=VALUE]… or --serve ….

PUPPET_VERSION and PUPPET_PROTOCOL make it another version of itself; PUPPET_UNREAD is how many bytes a client may
leave unread.
"""

import os
import sys
from pathlib import Path

import lofi_daemon

lofi_daemon.__version__ = os.environ.get("PUPPET_VERSION", lofi_daemon.__version__)
lofi_daemon.PROTOCOL_VERSION = int(os.environ.get("PUPPET_PROTOCOL", lofi_daemon.PROTOCOL_VERSION))

from lofi_daemon.__main__ import bridge_to, named_errors, parse, share  # noqa: E402  after the versions
from lofi_daemon.shared import early  # noqa: E402

WORKER = (sys.executable, str(Path(__file__).with_name("puppet_worker.py")))
SERVER = (sys.executable, "-P", __file__, "--serve")

what, setup = parse(sys.argv[1:])
with named_errors():
    if what == "serve":
        if "PUPPET_UNREAD" in os.environ:
            from lofi_daemon.shared import server

            server.MAX_UNREAD_BYTES = int(os.environ["PUPPET_UNREAD"])
        share(setup, worker=WORKER)
    bridge_to(early.read(setup).library, setup, (*SERVER, *(word for text in setup for word in ("--set", text))))
