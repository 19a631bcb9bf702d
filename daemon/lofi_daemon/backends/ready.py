"""Whether a neural backend can make music now: its engine, its Python packages, its weights, in this order; and which
weights.

A backend becomes part of the program with its line in ``registry.ENGINE_MODULES``; nothing else changes here.
"""

from __future__ import annotations

import importlib.util

from ..config import Settings
from ..errors import LofiError
from ..models import catalogue, store
from .base import Availability, BackendInfo


def look(backend: str, settings: Settings) -> Availability:
    """Reads one small file and asks for the sizes of the default model's files."""
    from .registry import BACKENDS, ENGINE_MODULES  # they name the infos that name us

    info = BACKENDS[backend]
    return judge(info, backend in ENGINE_MODULES, has_packages(info), settings)


def judge(info: BackendInfo, has_engine: bool, packages: bool, settings: Settings) -> Availability:
    if not has_engine:
        instead = "ace_step_15" if info.type == "ace_step" else "synth"
        return Availability(
            "not_installed", f"{info.name} is not part of this version of lofi.nvim yet; use backend={instead}."
        )
    if not packages:
        return Availability(
            "not_installed",
            f"{info.name} needs Python packages that are not installed; :LofiInstall {info.extra} "
            f"(or make install EXTRAS={info.extra}) fetches them.",
        )
    root = store.root_of(info.type, settings)
    if any(store.look(weights, root).status == "ready" for weights in catalogue.CATALOGUE[info.type]):
        return Availability("ready")
    return Availability(
        "not_installed",
        f"The weights of {info.name} are not here; :LofiBackends (or lofi download {info.type}) fetches them.",
    )


def first_model(backend: str, settings: Settings) -> str:
    """The first whose weights are here, else the first there is."""
    root, known = store.root_of(backend, settings), catalogue.CATALOGUE[backend]
    here = (weights.model for weights in known if store.look(weights, root).status == "ready")
    return next(here, known[0].model)


def installed(backend: str, weights: catalogue.Weights, settings: Settings) -> store.Found:
    """Where those weights are. Raises MODEL_NOT_FOUND."""
    found = store.look(weights, store.root_of(backend, settings))
    if found.status != "ready":
        raise LofiError(
            "MODEL_NOT_FOUND",
            f"The weights of {weights.title} are not here; get them: lofi download {backend} {weights.model}, or "
            ":LofiBackends in the editor.",
            field="model", got=weights.model,
        )  # fmt: skip
    return found


def has_packages(info: BackendInfo) -> bool:
    """Whether they could be imported; none is."""
    return all(_is_there(name) for name in info.packages)


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
