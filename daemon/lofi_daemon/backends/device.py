"""Where neural backends run: decided in the front, without torch, because a track's id may depend on it."""

from __future__ import annotations

from functools import cache

from ..config import Settings
from ..health import cards, torch_build


def choose(settings: Settings) -> str:
    """ "cpu", "cuda" or "mps". With "auto" a GPU is taken where both its driver and the installed torch can use it.

    Apple's GPU is taken only when it is named: small models decode no faster there. May ask nvidia-smi, once: call it
    from a thread.
    """
    if settings.execution_mode == "cpu_only" or settings.device == "cpu":
        return "cpu"
    if settings.device != "auto":
        return settings.device
    return "cuda" if _has_cuda() else "cpu"


@cache
def _has_cuda() -> bool:
    build = torch_build.installed()
    if build is None or not (build.cuda or build.hip):
        return False
    maker = "nvidia" if build.cuda else "amd"
    return any(card.maker == maker and not card.problem for card in cards.find(cards.Machine()))
