"""The puppet daemon with ACE-Step 1.5 as ready, so that the fields for latents are taken.

Arguments are settings, KEY=VALUE, with or without "--set" before them: raw clients and editors start it.
"""

import sys
from pathlib import Path

import msgspec

from lofi_daemon.__main__ import serve
from lofi_daemon.backends import registry
from lofi_daemon.backends.acestep.info import V15
from lofi_daemon.backends.base import Availability

registry.BACKENDS["ace_step_15"] = msgspec.structs.replace(
    V15, availability=lambda settings: Availability("ready"), equip=None
)
settings = tuple(word for word in sys.argv[1:] if "=" in word)
serve(settings, worker=(sys.executable, str(Path(__file__).with_name("puppet_worker.py"))))
