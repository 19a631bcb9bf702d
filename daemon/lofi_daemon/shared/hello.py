"""The first line each way on the socket, before JSON-RPC begins: who are you, and who serves?

These two lines are all that different versions must understand of each other, so unknown members are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .. import PROTOCOL_VERSION, __version__

MAX_HELLO = 65_536
_PREFIXES = ("LOFI_", "ACE_LATENT_")


class Hello:
    """From the bridge: its version, and the settings it would have started a server with."""

    __slots__ = ("environ", "protocol", "setup", "version")

    def __init__(
        self, version: str, protocol: int = PROTOCOL_VERSION, setup: Sequence[str] = (),
        environ: Mapping[str, str] = {},
    ) -> None:  # fmt: skip
        self.version = version
        self.protocol = protocol
        self.setup = list(setup)
        self.environ = dict(environ)


class Welcome:
    """From the server. ``serving`` False: it makes room for a newer one; connect again."""

    __slots__ = ("pid", "protocol", "serving", "version")

    def __init__(self, version: str, pid: int, serving: bool, protocol: int = PROTOCOL_VERSION) -> None:
        self.version = version
        self.pid = pid
        self.serving = serving
        self.protocol = protocol


def own(setup: Sequence[str], environ: Mapping[str, str]) -> Hello:
    """What this version says, ``environ`` cut down to what is a setting of ours."""
    ours = {name: value for name, value in environ.items() if name.startswith(_PREFIXES)}
    return Hello(__version__, PROTOCOL_VERSION, setup, ours)


def encode(message: Hello | Welcome) -> bytes:
    return json.dumps({name: getattr(message, name) for name in message.__slots__}).encode() + b"\n"


def decode_hello(line: bytes) -> Hello | None:
    """None for anything else: whoever sent it is no bridge of ours."""
    got = _object(line)
    version, protocol, setup, environ = (got.get(name) for name in ("version", "protocol", "setup", "environ"))
    if not isinstance(version, str) or not isinstance(protocol, int):
        return None
    texts = [text for text in setup if isinstance(text, str)] if isinstance(setup, list) else []
    pairs = environ.items() if isinstance(environ, dict) else ()
    return Hello(version, protocol, texts, {name: value for name, value in pairs if isinstance(value, str)})


def decode_welcome(line: bytes) -> Welcome | None:
    got = _object(line)
    version, pid, serving, protocol = (got.get(name) for name in ("version", "pid", "serving", "protocol"))
    if isinstance(version, str) and isinstance(pid, int) and isinstance(serving, bool) and isinstance(protocol, int):
        return Welcome(version, pid, serving, protocol)
    return None


def version_key(version: str) -> tuple[int, ...]:
    """For comparing: "0.10.0" is newer than "0.9.1"; what is no number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _object(line: bytes) -> dict[str, object]:
    try:
        got = json.loads(line)
    except ValueError:
        return {}
    return got if isinstance(got, dict) else {}
