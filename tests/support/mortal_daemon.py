"""The real daemon and worker, but the worker leaves an automatic checkpoint at every step, and dies at some.

"die N" at the beginning of a prompt: after its third step the worker is killed, N times in all; the file that
``LOFI_DEATHS`` names holds the step that each worker began such a job with. ACE-Step's engine is that of
support/wide_acestep.py. Arguments are settings, KEY=VALUE, with or without "--set" before them.
"""

import os
import signal
import sys
from pathlib import Path

from lofi_daemon.stages import latents

DEADLY_STEP = 2


class Mortal(latents.StageLatents):
    before = None

    def checkpoint(self, make):
        self._next_save = 0.0
        super().checkpoint(make)
        word, times = [*self._params.prompt.split(), "", ""][:2]
        if word != "die":
            return
        deaths, step = Path(os.environ["LOFI_DEATHS"]), make().checkpoint_step
        if self.before is None:
            begun = deaths.read_text() if deaths.exists() else ""
            self.before = begun.count(" ")
            deaths.write_text(f"{begun}{step} ")
        if step >= DEADLY_STEP and self.before < int(times):
            os.kill(os.getpid(), signal.SIGKILL)


if sys.argv[1:] == ["worker"]:
    from lofi_daemon.backends import registry
    from lofi_daemon.engine import worker
    from lofi_daemon.stages import executor

    executor.StageLatents = latents.StageLatents = Mortal
    registry.ENGINE_MODULES["ace_step_15"] = "wide_acestep"
    worker.main()
else:
    from lofi_daemon.__main__ import serve

    settings = tuple(word for word in sys.argv[1:] if "=" in word)
    serve(settings, worker=(sys.executable, __file__, "worker"))
