"""The first line each way on the socket, before JSON-RPC begins: who are you, and who serves?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

MAX_HELLO = 65_536


@dataclass(frozen=True, slots=True)
class Hello:
    """From the bridge. ``settings`` are the values it would have started a server with."""

    version: str
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Welcome:
    """From the server. ``serving`` False: it makes room for a newer one; connect again."""

    version: str
    pid: int
    serving: bool


def encode(message: Hello | Welcome) -> bytes:
    return json.dumps(asdict(message)).encode() + b"\n"


def decode_hello(line: bytes) -> Hello | None:
    """None for anything else: whoever sent it is no bridge of ours."""
    try:
        return Hello(**json.loads(line))
    except (ValueError, TypeError):
        return None


def decode_welcome(line: bytes) -> Welcome | None:
    try:
        return Welcome(**json.loads(line))
    except (ValueError, TypeError):
        return None


def version_key(version: str) -> tuple[int, ...]:
    """For comparing: "0.10.0" is newer than "0.9.1"; what is no number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
