"""HTTP as downloads need it: proxies and certificates of the system, no token and no plain http to strangers.

The child's side only: nothing of this is loaded into the front.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import ipaddress
import ssl
import urllib.request
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from .. import __version__
from ..errors import LofiError

MAX_REDIRECTS = 5


class Web:
    """``origin`` is the hub's address; ``token`` is sent there and nowhere else. ``timeout_sec`` is of silence."""

    def __init__(self, origin: str, token: str | None, timeout_sec: float) -> None:
        self._origin = origin
        self._token = token
        self._timeout_sec = timeout_sec
        proxies = {} if is_local(origin) else urllib.request.getproxies()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies),
            urllib.request.HTTPSHandler(context=_certificates()),
            _Redirects(origin, token),
        )

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
        """The response to a GET.

        Raises urllib.error.HTTPError (any status from 300), OSError, http.client's errors, MODEL_DOWNLOAD_FAILED.
        """
        if not is_safe(url):
            raise _unsafe(url)
        own = {"User-Agent": f"lofi.nvim/{__version__}"}
        request = urllib.request.Request(url, headers={**(headers or {}), **own})  # noqa: S310  checked above
        request.add_header("Accept-Encoding", "identity")
        if self._token and same_origin(url, self._origin):
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        response = self._opener.open(request, timeout=self._timeout_sec)
        assert isinstance(response, http.client.HTTPResponse)
        return response


class _Redirects(urllib.request.HTTPRedirectHandler):
    """urllib follows them anywhere; we go on only where it is as safe as here."""

    max_redirections = MAX_REDIRECTS

    def __init__(self, origin: str, token: str | None) -> None:
        self._origin = origin
        self._token = token

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _may_follow(self._origin, newurl):
            raise _unsafe(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if request and self._token and same_origin(newurl, self._origin):
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return request


def _unsafe(url: str) -> LofiError:
    place = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    return LofiError(
        "MODEL_DOWNLOAD_FAILED", f"The hub sends us to {place}, which is not safe; check what HF_ENDPOINT is set to."
    )


def is_safe(url: str) -> bool:
    """https, or http to this very machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_local(url)))


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_origin(url: str, other: str) -> bool:
    return _origin(url) == _origin(other)


def _may_follow(origin: str, url: str) -> bool:
    """A hub out there must not send us to a service of this machine."""
    return is_safe(url) and (is_local(origin) or not is_local(url))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _certificates() -> ssl.SSLContext:
    """The system's; where it has none (a Python from python.org on macOS), certifi's if that is installed."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None
    if paths.cafile or context.cert_store_stats()["x509_ca"] or (folder and any(folder.iterdir())):
        return context
    with contextlib.suppress(ImportError):
        context.load_verify_locations(importlib.import_module("certifi").where())
    return context
