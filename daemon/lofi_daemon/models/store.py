"""Where weights lie on this machine. Every function here asks the disk: call them from a thread."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..config import Settings
from .catalogue import Part, Weights
from .files import missing, missing_shards, wanted
from .lock import PARTIAL_NAME, PLAN_NAME, is_whole, read_lock, read_plan

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Found(Struct, frozen=True):
    """What of one model is here.

    ``size`` is exact where a plan or a lock tells it, else None. ``folders`` has one path for each part, in the
    catalogue's order, once all are "ready".
    """

    status: Literal["absent", "partial", "ready"]
    here: int = 0
    size: int | None = None
    commit: str | None = None
    folders: tuple[Path, ...] = ()


def root_of(backend: str, settings: Settings) -> Path:
    """The folder that holds the weights of ``backend``."""
    return settings.models_root if backend == "musicgen" else settings.ace_step_root


def hub_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where Hugging Face's own library keeps what it fetched; we only read there."""
    if folder := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(folder).expanduser()
    return hub_home(environ) / "hub"


def hub_home(environ: Mapping[str, str] = os.environ) -> Path:
    if folder := environ.get("HF_HOME"):
        return Path(folder).expanduser()
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "huggingface"


def look(weights: Weights, root: Path, cache: Path | None = None) -> Found:
    """``root``: see ``root_of``; ``cache``: see ``hub_cache``."""
    cache = hub_cache() if cache is None else cache
    found = [look_part(part, root, cache) for part in weights.parts]
    here = sum(one.here for one in found)
    sizes = [one.size for one in found if one.size is not None]
    size = sum(sizes) if len(sizes) == len(found) else None
    if all(one.status == "ready" for one in found):
        return Found("ready", here, size, found[0].commit, tuple(one.folders[0] for one in found))
    return Found("partial" if here else "absent", here, size, found[0].commit)


def look_part(part: Part, root: Path, cache: Path) -> Found:
    """As ``look``, of one part."""
    folder = root / part.folder
    lock = read_lock(folder)
    if lock and lock.covers(part) and is_whole(lock, folder):
        size = sum(file.size for file in lock.files)
        return Found("ready", size, size, lock.commit, (folder,))
    if cached := _in_hub_cache(part, cache):
        return cached
    here = _bytes_in(folder)
    plan = read_plan(folder)
    return Found("partial" if here else "absent", here, plan.size if plan else None, plan.commit if plan else None)


def _in_hub_cache(part: Part, cache: Path) -> Found | None:
    """A snapshot holds a file only once it is whole, so what is named there can be used."""
    home = cache / f"models--{part.folder}"
    for revision in part.revisions:
        try:
            commit = (home / "refs" / revision).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if not _COMMIT.fullmatch(commit):
            continue
        snapshot = home / "snapshots" / commit
        sizes = _sizes(snapshot)
        chosen = wanted(tuple(sizes), part)
        if chosen and not missing(chosen, part) and not missing_shards(chosen):
            size = sum(sizes[path] for path in chosen)
            return Found("ready", size, size, commit, (snapshot,))
    return None


def _sizes(folder: Path) -> dict[str, int]:
    """Every file below ``folder`` by its path in it; links to nothing are left out."""
    sizes = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            with contextlib.suppress(OSError):
                sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
    return sizes


def _bytes_in(folder: Path) -> int:
    """Of what was fetched, whole or not."""
    ours = {f"{PARTIAL_NAME}/{PLAN_NAME}", "lofi.lock.json"}
    return sum(size for path, size in _sizes(folder).items() if path not in ours)
