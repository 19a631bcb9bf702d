"""Where weights lie on this machine. Every function here asks the disk: call them from a thread."""

from __future__ import annotations

import contextlib
import hashlib
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
_STAMP = 12
_POINTER = b"version https://git-lfs"
_POINTER_BYTES = 1024


class Found(Struct, frozen=True):
    """What of one model is here.

    ``size`` is exact where a plan or a lock tells it, else None. ``folders`` has one path for each part, in the
    catalogue's order, once all are "ready". ``stamp`` then tells these weights from others of the same name: the
    commit's first digits, or a digest of names, sizes and times where no commit is known.
    """

    status: Literal["absent", "partial", "ready"]
    here: int = 0
    size: int | None = None
    commit: str | None = None
    folders: tuple[Path, ...] = ()
    stamp: str = ""


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
    own = _all_of(weights.parts, root, cache)
    if own.status != "ready":
        others = (_all_of(parts, root, cache) for parts in weights.also)
        return next((other for other in others if other.status == "ready"), own)
    return own


def _all_of(parts: tuple[Part, ...], root: Path, cache: Path) -> Found:
    found = [look_part(part, root, cache) for part in parts]
    here = sum(one.here for one in found)
    sizes = [one.size for one in found if one.size is not None]
    size = sum(sizes) if len(sizes) == len(found) else None
    if all(one.status == "ready" for one in found):
        folders = tuple(one.folders[0] for one in found)
        return Found("ready", here, size, found[0].commit, folders, found[0].stamp)
    # What several models share says nothing of this one.
    return Found("partial" if found[0].here else "absent", here, size, found[0].commit)


def look_part(part: Part, root: Path, cache: Path) -> Found:
    """As ``look``, of one part."""
    folder = root / part.folder
    lock = read_lock(folder)
    if lock and lock.covers(part) and is_whole(lock, folder):
        size = sum(file.size for file in lock.files)
        return Found("ready", size, size, lock.commit, (folder,), lock.commit[:_STAMP])
    if elsewhere := _in_hub_cache(part, cache) or _checked_out(part, root):
        return elsewhere
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
            return Found("ready", size, size, commit, (snapshot,), commit[:_STAMP])
    return None


def _checked_out(part: Part, root: Path) -> Found | None:
    """What somebody put there himself: nobody has checked it, but no file of it is missing or stands for another."""
    for place in part.checkouts:
        folder = root / place
        here = {path.relative_to(folder).as_posix(): path for one in part.patterns for path in folder.glob(one)}
        chosen = wanted(tuple(here), part)
        if missing(chosen, part) or missing_shards(chosen):
            continue
        files = {name: facts for name in chosen if (facts := _facts(here[name]))}
        if len(files) == len(chosen):
            size = sum(of for of, _ in files.values())
            commit = next(filter(None, (_fetched_commit(folder, name) for name in chosen)), None)
            stamp = commit[:_STAMP] if commit else hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
            return Found("ready", size, size, commit, (folder,), stamp[:_STAMP])
    return None


def _facts(path: Path) -> tuple[int, int] | None:
    """Size and time; None for what is no file, or only git's word for one that git-lfs has not fetched."""
    try:
        of = path.stat()
        if not path.is_file() or (of.st_size < _POINTER_BYTES and path.read_bytes().startswith(_POINTER)):
            return None
    except OSError:
        return None
    return of.st_size, of.st_mtime_ns


def _fetched_commit(folder: Path, name: str) -> str | None:
    """What Hugging Face's tool notes of each file that it puts into a folder: the commit, in the first line."""
    try:
        with (folder / ".cache" / "huggingface" / "download" / f"{name}.metadata").open("rb") as file:
            line = file.readline(100).strip().decode("ascii", "replace")
    except OSError:
        return None
    return line if _COMMIT.fullmatch(line) else None


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
