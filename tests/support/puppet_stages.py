"""The real daemon and the real worker, with a puppet for ACE-Step's engine: stages without their models. Arguments are
settings, KEY=VALUE.

The puppet keeps a latent of its seed's noise, or of what it starts from plus one; heard, its audio is their mean.
"fail": the stage fails · "die TIMES": leaves an automatic checkpoint and dies, so many times (``LOFI_PUPPET_DEATHS``
counts in a file) · "steps": a hundred of them · "hold": stands still until it is cancelled. What each stage did goes
into the file ``LOFI_PUPPET_LOG``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy

from lofi_daemon.audio.files import decode
from lofi_daemon.backends.base import LatentMade, Rendering
from lofi_daemon.errors import LofiError

RATE = 8000


def make_engine():
    return Engine()


class Engine:
    device = "puppet"

    def render(self, params, context):
        origin = context.origin()
        shape = (params.batch_size, round(params.duration_sec * 25), 64)
        if origin is None:
            values = np.random.default_rng(int(params.seed)).standard_normal(shape)
        elif origin.latent:
            stored = safetensors.numpy.load(origin.latent.blob)["latent"]
            values = np.repeat(stored[[origin.latent_index]] + 1, params.batch_size, 0)
        else:
            values = np.full(shape, np.concatenate(list(decode(origin.audio))).mean())
        values = values.astype(np.float32)
        made = LatentMade(safetensors.numpy.save({"latent": values}), params.model or "turbo", (1.0, 0.0), 1)
        word, _, rest = params.prompt.partition(" ")
        did = {"stage": params.prompt, "from": origin and ("latent" if origin.latent else "audio"),
               "decoded": context.wants_audio, "again": context.left_off is not None}  # fmt: skip
        with Path(os.environ["LOFI_PUPPET_LOG"]).open("a") as log:
            log.write(json.dumps(did) + "\n")
        steps = 100 if word == "steps" else 2
        for step in range(steps):
            context.step(step, steps)
        while word == "hold":
            context.step(1, 2)
            time.sleep(0.01)
        if word == "fail":
            raise LofiError("MODEL_INFERENCE_FAILED", "The puppet was told to fail.")
        if word == "die":
            deaths = Path(os.environ["LOFI_PUPPET_DEATHS"])
            with deaths.open("a") as file:
                file.write("x")
            if deaths.stat().st_size <= int(rest):
                context._own._next_save = 0.0
                context.checkpoint(lambda: msgspec.structs.replace(made, checkpoint_step=0))
                os.kill(os.getpid(), signal.SIGKILL)
        if params.checkpoint_step is not None:
            context.keep(msgspec.structs.replace(made, checkpoint_step=params.checkpoint_step))
        context.keep(made)
        if not context.wants_audio:
            return []
        level = np.clip(values.mean((1, 2)) / 100, -1, 1)
        return [Rendering(np.full((800, 1), item, np.float32), RATE, -16.0) for item in level]

    def unload(self):
        return False


def _daemon(settings):
    from lofi_daemon.__main__ import serve
    from lofi_daemon.backends import registry
    from lofi_daemon.backends.acestep.info import V15
    from lofi_daemon.backends.base import Availability

    info = msgspec.structs.replace(V15, availability=lambda settings: Availability("ready"), equip=None)
    registry.BACKENDS["ace_step_15"] = info
    serve(settings, worker=(sys.executable, __file__, "--worker"))


def _worker():
    from lofi_daemon.backends import registry
    from lofi_daemon.engine import worker

    registry.ENGINE_MODULES["ace_step_15"] = "puppet_stages"
    sys.modules["puppet_stages"] = sys.modules[__name__]
    worker.main()


if __name__ == "__main__":
    _worker() if sys.argv[1:] == ["--worker"] else _daemon(tuple(sys.argv[1:]))
