"""What the exit code of `lofi` says. doc/PROTOCOL.md has the errors' names."""

from __future__ import annotations

from enum import IntEnum

from ..client import DaemonGoneError
from ..errors import LofiError


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CANCELLED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


MEANING: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.FAILED: "it failed; the sentence on stderr says why",
    Exit.USAGE: "the command or a value in it is wrong",
    Exit.NOT_FOUND: "there is no such track",
    Exit.CANCELLED: "someone else cancelled the generation",
    Exit.UNREACHABLE: "the daemon cannot be started, ended, or does not answer",
    Exit.INTERRUPTED: "you pressed Ctrl-C",
}

_NOT_FOUND = {"INVALID_TRACK_ID", "JOB_NOT_FOUND", "LATENT_NOT_FOUND"}


def of_error(error: LofiError) -> Exit:
    if isinstance(error, DaemonGoneError):
        return Exit.UNREACHABLE
    if error.name in _NOT_FOUND:
        return Exit.NOT_FOUND
    if error.name.startswith("INVALID_"):
        return Exit.USAGE
    if error.name == "GENERATION_CANCELLED":
        return Exit.CANCELLED
    return Exit.FAILED


def table() -> str:
    """For --help."""
    return "exit codes:\n" + "\n".join(f"  {code.value:<4d} {text}" for code, text in MEANING.items())
