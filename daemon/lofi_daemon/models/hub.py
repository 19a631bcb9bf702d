"""The hub that has the weights: what it says of a repository, and where a file of it is.

The API is that of huggingface.co: ``/api/models/REPO/revision/REVISION?blobs=true`` names the commit and each file
with its size, git's hash and, for large ones, the SHA-256; ``/REPO/resolve/COMMIT/PATH`` is the file.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct, field

from ..errors import LofiError
from . import store, web
from .catalogue import Part
from .files import missing, missing_shards, wanted
from .lock import Plan, PlannedFile

DEFAULT_ENDPOINT = "https://huggingface.co"
MAX_LISTING = 16 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Opens(Protocol):
    def open(self, url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse: ...


class _Lfs(Struct):
    sha256: str
    size: int


class _Sibling(Struct):
    rfilename: str
    size: int | None = None
    blob_id: str = field(name="blobId", default="")
    lfs: _Lfs | None = None


class _Listing(Struct):
    sha: str
    siblings: list[_Sibling] = []


class Hub:
    """``endpoint`` without a slash at the end."""

    def __init__(self, endpoint: str, opener: Opens) -> None:
        self.endpoint = endpoint
        self.name = urlsplit(endpoint).netloc
        self._opener = opener

    def plan(self, part: Part, commit: str | None = None) -> Plan:
        """What to fetch for ``part``: at ``commit``, else at the first of its revisions that has what it needs.

        Raises MODEL_DOWNLOAD_FAILED; OSError and http.client's errors where asking failed.
        """
        lacking: tuple[str, ...] = ()
        for revision in (commit,) if commit else part.revisions:
            listing = self._listing(part.repo, revision)
            files = {one.rfilename: one for one in listing.siblings}
            chosen = wanted(tuple(files), part)
            lacking = missing(chosen, part) or missing_shards(chosen)
            if not lacking:
                planned = tuple(_planned(files[path], part.repo) for path in chosen)
                return Plan(part.repo, listing.sha, part.patterns, planned)
        raise failed(
            f"{self.name}/{part.repo} has no {', '.join(lacking)}; another model may do, or a newer lofi.nvim."
        )

    def url(self, plan: Plan, path: str) -> str:
        return f"{self.endpoint}/{plan.repo}/resolve/{plan.commit}/{quote(path)}"

    def refusal(self, error: urllib.error.HTTPError, repo: str) -> LofiError | None:
        """The sentence for a status that no second try changes; None for the others.

        Where the bytes lie, a 403 only says that the address has expired; a second try gets a new one.
        """
        if not web.same_origin(error.url or "", self.endpoint):
            return None
        if error.code in (401, 403):
            return failed(
                f"{self.name} does not hand out {repo} ({error.code}): accept its terms at {self.endpoint}/{repo} and "
                "set HF_TOKEN to a token of that account, or check the one that is set."
            )
        if error.code in (404, 410):
            return failed(f"{self.name} has no {repo} ({error.code}); another model may do, or a newer lofi.nvim.")
        if 400 <= error.code < 500 and error.code not in (408, 416, 425, 429):
            return failed(f"{self.name} refuses {repo} ({error.code} {error.reason}).")
        return None

    def _listing(self, repo: str, revision: str) -> _Listing:
        url = f"{self.endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"
        with self._opener.open(url) as response:
            body = response.read(MAX_LISTING)
        try:
            listing = msgspec.json.decode(body, type=_Listing)
        except msgspec.DecodeError:
            listing = _Listing("")
        if not _COMMIT.fullmatch(listing.sha):
            raise failed(f"{self.name} says nothing that can be understood of {repo}; is it a Hugging Face hub?")
        return listing


def failed(message: str) -> LofiError:
    return LofiError("MODEL_DOWNLOAD_FAILED", message)


def endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """``HF_ENDPOINT`` or huggingface.co. Raises MODEL_DOWNLOAD_FAILED where it is not safe or not to be asked."""
    if environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise failed("HF_HUB_OFFLINE is set, so nothing is fetched; unset it where the daemon is started.")
    address = environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT_ENDPOINT
    if not web.is_safe(address):
        raise failed(f"HF_ENDPOINT is {address}; it begins with https:// (http:// only on this machine).")
    return address


def token(environ: Mapping[str, str] = os.environ) -> str | None:
    """The user's own token, if there is one: HF_TOKEN, else the file where `hf auth login` keeps it."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if text := environ.get(name, "").strip():
            return _clean(text)
    path = Path(environ.get("HF_TOKEN_PATH") or store.hub_home(environ) / "token").expanduser()
    try:
        return _clean(path.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None


def _clean(text: str) -> str | None:
    """A header takes no line breaks and nothing beyond ASCII."""
    return text if text and text.isascii() and text.isprintable() else None


def _planned(file: _Sibling, repo: str) -> PlannedFile:
    size = file.lfs.size if file.lfs else file.size
    if size is None or size < 0:
        raise failed(f"The hub does not tell the size of {file.rfilename} in {repo}, so it cannot be checked.")
    sha256 = file.lfs.sha256.lower() if file.lfs else None
    known = _SHA256.fullmatch(sha256) if sha256 is not None else _COMMIT.fullmatch(file.blob_id)
    if not known:
        raise failed(f"The hub does not tell the digest of {file.rfilename} in {repo}, so it cannot be checked.")
    return PlannedFile(file.rfilename, size, sha256, file.blob_id)
