"""Names of files as a hub tells them: which are safe, and which of them a part wants."""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from .catalogue import PICKLES, SAFE_ENDINGS, Part

MAX_PATH = 400
_SHARD = re.compile(r"(.*)-\d{5}-of-\d{5}\.safetensors")


def is_safe(path: str) -> bool:
    """Whether ``path`` can only lie inside the folder it is put into, on every system, and is plain text."""
    if not path or len(path) > MAX_PATH or not path.isprintable() or any(c in path for c in '\\:*?"<>|'):
        return False
    parts = path.split("/")
    return all(part and part not in (".", "..") and not part.startswith(".") for part in parts)


def wanted(paths: Collection[str], part: Part) -> tuple[str, ...]:
    """Those of ``paths`` that ``part`` asks for, sorted: the large ones' formats are safe, and none comes twice."""
    chosen = {path for path in paths if is_safe(path) and _is_harmless(path) and _matches(path, part.patterns)}
    for path in tuple(chosen):
        shard = _SHARD.fullmatch(path)
        if shard and f"{shard[1]}.safetensors" in chosen:
            chosen -= {path, f"{shard[1]}.safetensors.index.json"}
    return tuple(sorted(chosen))


def missing(paths: Collection[str], part: Part) -> tuple[str, ...]:
    """What ``part`` needs and none of ``paths`` is."""
    return tuple(need for need in part.needs if not any(fnmatchcase(path, need) for path in paths))


def missing_shards(paths: Collection[str]) -> tuple[str, ...]:
    """Shards that the names of the others call for: of "…-00001-of-00003" there are three."""
    gone = set()
    for path in paths:
        shard = _SHARD.fullmatch(path)
        if shard:
            total = int(path[-len("00003.safetensors") :][:5])
            expected = (f"{shard[1]}-{index:05d}-of-{total:05d}.safetensors" for index in range(1, total + 1))
            gone |= {name for name in expected if name not in paths}
    return tuple(sorted(gone))


def component(path: str) -> str:
    """What a person would call the file's place: its first folder, "model" for those at the top."""
    first, slash, _ = path.partition("/")
    return first if slash else "model"


def _is_harmless(path: str) -> bool:
    return path.endswith(SAFE_ENDINGS) or PurePosixPath(path).name in PICKLES


def _matches(path: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
