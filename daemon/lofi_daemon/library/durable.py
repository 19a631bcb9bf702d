"""Files that are there whole or not at all, whatever dies in between.

A new file is written under a temporary name in the folder it is meant for, flushed to the disk, renamed, and the
folder flushed too: a rename alone survives kill -9 but not a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import LofiError

TEMPORARY_PREFIX = ".lofi-"
TEMPORARY_SUFFIX = ".tmp"
COPY_BLOCK = 1 << 20

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space, or set cache.dir to another disk",
    errno.EDQUOT: "your disk quota is used up; free some space, or set cache.dir to another disk",
    errno.EFBIG: "the file would exceed the size limit (`ulimit -f`) or what the disk's format allows",
    errno.EROFS: "the disk is read-only; set cache.dir to a folder that can be written",
    errno.EACCES: "this user may not write there; mend its permissions, or set cache.dir to another folder",
    errno.EPERM: "this user may not write there; mend its permissions, or set cache.dir to another folder",
    errno.EIO: "the disk reported an error; check it, or set cache.dir to another disk",
    errno.ENOTDIR: "a file is where a folder is needed; move it away, or set cache.dir to another folder",
    errno.EEXIST: "a file is where a folder is needed; move it away, or set cache.dir to another folder",
    errno.EISDIR: "a folder is where a file is needed; move it away, or set cache.dir to another folder",
}


def write_error(error: OSError, path: Path) -> LofiError:
    """CACHE_WRITE_ERROR that names ``path``, what the system said and what to do."""
    reason = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, f"{reason}; mend that, or set cache.dir to another folder")
    return LofiError(
        "CACHE_WRITE_ERROR",
        f"Could not write {path}: {advice}.",
        path=str(path),
        reason=errno.errorcode.get(error.errno or 0, reason),
    )


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """OSError within becomes CACHE_WRITE_ERROR about ``path``, or about the file the system named."""
    try:
        yield
    except OSError as error:
        named = error.filename2 or error.filename
        raise write_error(error, Path(os.fsdecode(named)) if isinstance(named, str | bytes) else path) from error


def make_folder(path: Path) -> None:
    """``path`` and its parents, each 0700 where it has to be made. Raises CACHE_WRITE_ERROR."""
    if path.is_dir():
        return
    with named_errors(path):
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        missing = []
        folder = path
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            _flush_folder(folder.parent)


def move_into(source: Path, target: Path) -> None:
    """``source`` becomes ``target`` (replaced if it was there), durably; across disks by way of a copy.

    The folder of ``target`` must exist. On failure ``target`` is whole, the old one or the new. Raises
    CACHE_WRITE_ERROR.
    """
    with named_errors(target):
        with source.open("rb") as file:
            _flush(file.fileno())
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with new_file(target) as copy, source.open("rb") as file:
                while block := file.read(COPY_BLOCK):
                    copy.write(block)
            source.unlink(missing_ok=True)
        _flush_folder(target.parent)


@contextlib.contextmanager
def new_file(target: Path, *, mode: int = 0o600, overwrite: bool = True) -> Iterator[BinaryIO]:
    """A file to write (and seek in), which becomes ``target`` when the block ends and vanishes when it raises.

    ``mode`` is cut by the umask. With ``overwrite=False`` FileExistsError is raised if ``target`` is there by
    then, even as a dangling link, and it is left alone. Raises OSError.
    """
    temporary = target.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            _flush(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _claim(temporary, target)
        _flush_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Unlink ``path`` if it is there. Raises CACHE_WRITE_ERROR."""
    with named_errors(path):
        path.unlink(missing_ok=True)


def flush_folder(path: Path) -> None:
    """Make renames and unlinks in ``path`` last. Raises CACHE_WRITE_ERROR."""
    with named_errors(path):
        _flush_folder(path)


def _claim(temporary: Path, target: Path) -> None:
    """Rename that fails where ``target`` exists; ``rename`` itself would replace it."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # A disk without hard links (FAT, some network drives): claim the name, then replace our own empty file.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        temporary.replace(target)


def _flush(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync leaves the data in the drive's own cache
    if full is not None:
        with contextlib.suppress(OSError):  # not every file system there has it
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot, and need not
            raise
    finally:
        os.close(descriptor)
