"""ACE-Step's engine for the tiny autoencoder with a wide encoder. What the autoencoder is asked for goes, a word for
each, into the file ``LOFI_CODEC``."""

import os
from pathlib import Path

import tiny_acestep
from diffusers.models.autoencoders import autoencoder_oobleck

from acestep_core.v15 import encoding, vae

autoencoder_oobleck.OobleckEncoder = tiny_acestep.wide_encoder()

from lofi_daemon.backends.acestep.engine import make_engine  # noqa: E402, F401  what the worker calls


def _counted(word, function):
    def counted(*arguments, **named):
        with Path(os.environ["LOFI_CODEC"]).open("a") as log:
            log.write(f"{word}\n")
        return function(*arguments, **named)

    return counted


vae.decode = _counted("decode", vae.decode)
encoding.spread = _counted("encode", encoding.spread)
