"""What every command is given beside its own arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..client import DaemonClient
from .terminal import Terminal


@dataclass(frozen=True, slots=True)
class Context:
    """``connect`` makes a daemon client, not yet started; ``settings`` are the --set texts."""

    terminal: Terminal
    connect: Callable[[], DaemonClient]
    settings: tuple[str, ...] = ()
    json: bool = False
