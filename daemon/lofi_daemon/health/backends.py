"""What can make music here, and the commands that bring what cannot yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ..backends import device
from ..backends.acestep import precision
from ..backends.base import BackendInfo
from ..backends.musicgen.native.build import find_compiler
from ..backends.ready import has_packages
from ..backends.registry import BACKENDS, default_backend
from ..config import Settings
from ..models import store
from ..models.catalogue import CATALOGUE, Weights
from ..units import size
from .commands import C_COMPILER, Installation, of_system, shown
from .finding import Finding

_find = partial(Finding, "Backends")

Look = Callable[[Weights, Path], store.Found]


def look(
    settings: Settings,
    installation: Installation,
    *,
    infos: Sequence[BackendInfo] = tuple(BACKENDS.values()),
    packages: Callable[[BackendInfo], bool] = has_packages,
    weights: Look = store.look,
    free: int | None = None,
    compiler: Callable[[], str | None] = find_compiler,
) -> Iterator[Finding]:
    """``free``: bytes on the disk of the models, None to ask."""
    default = default_backend(settings)
    for info in infos:
        yield _availability(info, settings, info.type == default, packages(info), installation, weights)
        for one in CATALOGUE[info.type]:
            yield from _here(one, weights(one, store.root_of(one.backend, settings)))
        if _is_compiled(info.type, settings) and info.availability(settings).status == "ready":
            yield from _step(info.type, compiler())
    yield _room(settings.models_root, free)


def _availability(
    info: BackendInfo, settings: Settings, is_default: bool, packages: bool, installation: Installation, look: Look
) -> Finding:
    name = f"{info.type} ({info.name})"
    available = info.availability(settings)
    if available.status == "ready":
        return _find("ok", f"{name} is ready{', and answers what names no backend' if is_default else ''}")
    steps = []
    if not packages and info.extra:
        steps.append(
            f"Its Python packages: :LofiInstall {info.extra} in Neovim, or {installation.with_extra(info.extra)}"
        )
    choice = CATALOGUE[info.type]
    root = store.root_of(info.type, settings)
    if choice and not any(look(one, root).status == "ready" for one in choice):
        steps.append(f"{_described(choice[0])}: :LofiBackends in Neovim, or lofi download {info.type}")
    text = f"{name} is {available.status.replace('_', ' ')}"
    if available.message:
        text = f"{info.type}: {available.message}"
    if is_default:
        return _find("error", f"{text} It is what answers requests that name no backend.",
                     (*steps, 'Or let another one answer: default_backend = "auto"'))  # fmt: skip
    return _find("warn" if available.status == "error" else "info", text, tuple(steps))


def _described(weights: Weights) -> str:
    about = f"{size(weights.about_bytes)}, " if weights.about_bytes else ""
    return f"Its weights ({weights.model}, {about}{weights.license.name})"


def _here(weights: Weights, found: store.Found) -> Iterator[Finding]:
    name = f"{weights.backend}'s weights “{weights.model}”"
    if found.status == "ready":
        yield _find("ok", f"{name}: {size(found.here)} in {shown(found.folders[0])}")
    elif found.status == "partial":
        whole = f" of {size(found.size)}" if found.size else ""
        go_on = f"lofi download {weights.backend} {weights.model}"
        yield _find("info", f"{name}: {size(found.here)}{whole} are here", (f"Fetch the rest: {go_on}",))


def _is_compiled(backend: str, settings: Settings) -> bool:
    """Whether most of its work is done in C that is compiled when it is first used."""
    if backend not in ("musicgen", "ace_step_15") or device.choose(settings) != "cpu":
        return False
    return backend == "musicgen" or precision.choose(settings.ace_step_precision, "cpu") == "bfloat16"


def _step(backend: str, compiler: str | None) -> Iterator[Finding]:
    if compiler is None:
        steps = (of_system(C_COMPILER, "Install gcc or clang"), "lofi restart, or :Lofi restart in Neovim")
        yield _find("warn", f"{backend} is several times slower than it could be: no C compiler was found", steps)


def _room(models: Path, free: int | None) -> Finding:
    folder = next(path for path in (models, *models.parents) if path.exists())
    try:
        free = shutil.disk_usage(folder).free if free is None else free
    except OSError as error:
        return _find("warn", f"Weights go to {shown(models)}, which cannot be read ({error.strerror})",
                     ("Another folder: model_path in setup() or config.toml, or LOFI_MODEL_PATH=…",))  # fmt: skip
    return _find("info", f"Weights go to {shown(models)}, {size(free)} free")
