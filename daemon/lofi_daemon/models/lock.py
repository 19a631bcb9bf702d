"""What is complete and checked in the models folder: `lofi.lock.json`, written last, read first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from ..library.durable import new_file
from .catalogue import Part

LOCK_NAME = "lofi.lock.json"
PARTIAL_NAME = ".partial"
PLAN_NAME = "plan.json"
HASH_BLOCK = 1 << 20

T = TypeVar("T")


class LockedFile(Struct, frozen=True):
    """``verified_by``: whose digest the file was checked against when it came; ``sha256`` is its own in any case."""

    path: str
    size: int
    sha256: str
    verified_by: Literal["hub-sha256", "hub-git-sha1"]


class Lock(Struct, frozen=True):
    """``patterns``: all that was asked for when it was written, so that a further part is known to be missing."""

    repo: str
    commit: str
    patterns: tuple[str, ...]
    files: tuple[LockedFile, ...]
    completed_at: str

    def covers(self, part: Part) -> bool:
        return self.repo == part.repo and set(part.patterns) <= set(self.patterns)


class PlannedFile(Struct, frozen=True):
    """``sha256`` where the hub keeps the file in LFS; else ``blob`` is git's SHA-1 of it."""

    path: str
    size: int
    sha256: str | None
    blob: str


class Plan(Struct, frozen=True):
    """A download that was begun: it stays on ``commit``, whatever is published meanwhile."""

    repo: str
    commit: str
    patterns: tuple[str, ...]
    files: tuple[PlannedFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def read_lock(folder: Path) -> Lock | None:
    """None where there is none, or none that can be read: the model then counts as not there."""
    return _read(folder / LOCK_NAME, Lock)


def read_plan(folder: Path) -> Plan | None:
    return _read(folder / PARTIAL_NAME / PLAN_NAME, Plan)


def write_json(path: Path, value: Lock | Plan) -> None:
    """Whole or not at all. Raises OSError."""
    with new_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def is_whole(lock: Lock, folder: Path) -> bool:
    """Whether every file is there in its size. Quick: nothing is read."""
    return not missing_files(lock, folder)


def missing_files(lock: Lock, folder: Path) -> tuple[str, ...]:
    return tuple(file.path for file in lock.files if not has_size(folder / file.path, file.size))


def damaged_files(lock: Lock, folder: Path, looked: Callable[[int], None] = lambda count: None) -> tuple[str, ...]:
    """Reads and hashes everything; ``looked`` hears how many bytes were read."""
    return tuple(file.path for file in lock.files if sha256_of(folder / file.path, looked) != file.sha256)


def has_size(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


def sha256_of(path: Path, looked: Callable[[int], None] = lambda count: None) -> str | None:
    """In hex; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(HASH_BLOCK):
                digest.update(block)
                looked(len(block))
    except OSError:
        return None
    return digest.hexdigest()


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
