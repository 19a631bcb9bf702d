"""One file from the hub to the disk: goes on where it stopped, believes no length, keeps nothing that is damaged."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import LofiError
from ..library.durable import move_into
from .hub import Hub, Opens, failed
from .link import Patience
from .lock import HASH_BLOCK, Plan, PlannedFile

READ_SIZE = 1 << 18
TRIES_OF_DAMAGED = 2
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Counts = Callable[[int, int], None]
"""(bytes of the file that are here now, bytes that just came over the network)."""

TROUBLE = (OSError, http.client.HTTPException)

_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file would exceed the size limit (`ulimit -f`) or what the disk's format allows",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
}


class _BadAnswerError(Exception):
    """The hub's answer does not fit the question."""


class Transfer:
    """Fetches files of one plan. ``sleep`` waits between tries."""

    def __init__(
        self, hub: Hub, opener: Opens, patience: Patience, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._hub = hub
        self._opener = opener
        self._patience = patience
        self._sleep = sleep

    def fetch(self, plan: Plan, file: PlannedFile, target: Path, counts: Counts) -> None:
        """``file`` becomes ``target``, checked; what was fetched so far lies in ``target`` + ".part".

        Raises MODEL_DOWNLOAD_FAILED.
        """
        part = target.with_name(target.name + ".part")
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES_OF_DAMAGED):
            if self._complete(plan, file, part, counts) == (file.sha256 or file.blob):
                with disk_errors(target):
                    move_into(part, target)
                return
            with disk_errors(part):
                part.unlink()
            counts(0, 0)
        raise failed(
            f"{file.path} arrived damaged twice: its digest is not the one that {self._hub.name} tells. "
            "A proxy in between may change it; try again from another network."
        )

    def _complete(self, plan: Plan, file: PlannedFile, part: Path, counts: Counts) -> str:
        """Until all bytes are in ``part``; their digest. Raises MODEL_DOWNLOAD_FAILED."""
        growing = _Growing(file, part)
        counts(growing.size, 0)
        fruitless = 0
        while growing.size < file.size:
            before, asked = growing.size, None
            try:
                self._attempt(plan, growing, counts)
                continue
            except urllib.error.HTTPError as error:
                error.close()
                if final := self._hub.refusal(error, plan.repo):
                    raise final from None
                if error.code == 416:
                    growing.restart()
                trouble, asked = f"answers {error.code} {error.reason}", _retry_after(error)
            except (*TROUBLE, _BadAnswerError) as error:
                trouble = what_happened(error, self._hub.name)
            fruitless = 0 if growing.size > before else fruitless + 1
            if fruitless >= self._patience.tries:
                raise failed(f"{self._hub.name} {trouble}, so {file.path} is not whole yet.")
            self._sleep(self.pause(fruitless, asked))
        return growing.digest.hexdigest()

    def pause(self, fruitless: int, asked: float | None) -> float:
        """Seconds to wait; ``asked`` by the hub itself."""
        own = self._patience.backoff_sec * 2.0 ** max(0, fruitless - 1)
        return min(self._patience.longest_pause_sec, own if asked is None else max(asked, own))

    def _attempt(self, plan: Plan, growing: _Growing, counts: Counts) -> None:
        file = growing.file
        headers = {"Range": f"bytes={growing.size}-"} if growing.size else {}
        with self._opener.open(self._hub.url(plan, file.path), headers) as response:
            if _where(response, growing.size, file.size, plan.commit) == 0:
                growing.restart()  # it may know no ranges
            with growing.opened() as out:
                while growing.size < file.size:
                    with _network():
                        block = response.read1(min(READ_SIZE, file.size - growing.size))
                    if not block:
                        raise _BadAnswerError(f"breaks off {file.size - growing.size} bytes before the end")
                    growing.append(out, block)
                    counts(growing.size, len(block))


class _Growing:
    """A file on its way, and the digest of what is there. Raises MODEL_DOWNLOAD_FAILED where the disk refuses."""

    def __init__(self, file: PlannedFile, path: Path) -> None:
        self.file = file
        self._path = path
        self.restart()
        with disk_errors(path):
            if not path.exists():
                path.touch()
            elif path.stat().st_size > file.size:
                os.truncate(path, 0)
            else:
                with path.open("rb") as opened:
                    while block := opened.read(HASH_BLOCK):
                        self.digest.update(block)
                        self.size += len(block)

    def restart(self) -> None:
        """From the first byte; what is on the disk is overwritten."""
        self.size = 0
        if self.file.sha256 is not None:
            self.digest = hashlib.sha256()
        else:
            self.digest = hashlib.sha1(usedforsecurity=False)
            self.digest.update(b"blob %d\0" % self.file.size)  # as git names what it stores

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        with disk_errors(self._path), self._path.open("r+b", buffering=0) as out:
            out.truncate(self.size)
            out.seek(self.size)
            yield out

    def append(self, out: BinaryIO, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[out.write(rest) :]
        self.digest.update(block)
        self.size += len(block)


@contextlib.contextmanager
def _network() -> Iterator[None]:
    """An OSError of the network must not be taken for one of the disk."""
    try:
        yield
    except OSError as error:
        raise _BadAnswerError(f"breaks off ({why(error)})") from error


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What the disk refuses becomes MODEL_DOWNLOAD_FAILED."""
    try:
        yield
    except LofiError as error:
        if isinstance(error.__cause__, OSError):
            raise disk_error(error.__cause__, path) from error
        raise
    except urllib.error.URLError:
        raise
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> LofiError:
    reason = _DISK.get(error.errno or 0) or error.strerror or str(error)
    return failed(
        f"Could not write {path}: {reason}; mend that, or set model_path (ace_step_model_dir) to another folder."
    )


def what_happened(error: Exception, hub: str) -> str:
    """The rest of a sentence about the hub. Raises MODEL_DOWNLOAD_FAILED where no second try can change it."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise failed(
                f"The certificate of {hub} cannot be checked ({error.reason.verify_message}); install this system's "
                "certificates, or have SSL_CERT_FILE name those of your proxy."
            )
        return f"cannot be reached ({why(error)})"
    return str(error) if isinstance(error, _BadAnswerError) else f"breaks off ({why(error)})"


def why(error: Exception) -> str:
    """What went wrong on the way, in a few words."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return why(error.reason)
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(getattr(error, "reason", "") or error) or type(error).__name__


def _where(response: http.client.HTTPResponse, here: int, size: int, commit: str) -> int:
    """The offset at which the body begins. Raises ``_BadAnswerError`` where it cannot be what was asked for."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding not in ("", "identity"):
        raise _BadAnswerError(f"sends the file as {encoding}")
    other = response.headers.get("X-Repo-Commit")
    if other and other != commit:
        raise _BadAnswerError("sends the file of another commit")
    begin = 0
    if response.status == 206:
        given = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not given or int(given[1]) != here or int(given[2]) != size - 1 or given[3] not in ("*", str(size)):
            raise _BadAnswerError("sends another range than was asked for")
        begin = here
    elif response.status != 200:
        raise _BadAnswerError(f"answers {response.status}")
    length = response.headers.get("Content-Length")
    if length is not None and (not length.isdigit() or int(length) != size - begin):
        raise _BadAnswerError(f"announces {length} bytes where {size - begin} are left")
    return begin


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    text = (error.headers.get("Retry-After") or "") if error.headers else ""
    return float(text) if text.isdigit() else None
