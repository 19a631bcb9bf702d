"""Whether the daemon starts and answers, as a shell sees it. In the editor the plugin looks at that itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from .. import PROTOCOL_VERSION
from ..client import DaemonClient
from ..errors import LofiError
from .commands import Installation, shown
from .finding import Finding

MAX_WORDS = 300

_find = partial(Finding, "Daemon")


def look(
    client: DaemonClient, log: Path, installation: Installation, known: Collection[str], within_sec: float
) -> Iterator[Finding]:
    """Starts and closes ``client``, whose daemon writes to ``log``. ``known`` are problems that are told elsewhere."""
    words = _last_line(log)
    try:
        client.start()
        answer = client.request("ping", timeout=within_sec)
        client.request("volume_get", timeout=within_sec)  # what it has to say on joining comes before this answer
    except LofiError as error:
        said = _last_line(log)
        why = f": {said}" if said and said != words else ""
        yield _find(
            "error", f"{error.message}{why}",
            (f"Read its log: {shown(log)}", f"Install it again: {installation.again()}"),
        )  # fmt: skip
        return
    finally:
        client.close()
    who = f"version {answer['version']}, protocol {answer['protocol']}, pid {answer['pid']}"
    if answer["protocol"] != PROTOCOL_VERSION:
        again = (f"Install it again: {installation.again()}", "Then: lofi restart")
        yield _find("error", f"Answers: {who}; this `lofi` speaks protocol {PROTOCOL_VERSION}", again)
        return
    yield _find("ok", f"Answers: {who}{', shared by all editors' if answer.get('shared') else ''}")
    yield from _told(client, known)


def _told(client: DaemonClient, known: Collection[str]) -> Iterator[Finding]:
    """What the daemon says to whoever joins it: that it is of another version, or has other settings."""
    try:
        while notice := client.next_notification(0):
            if notice.method == "engine_notice" and notice.params.get("level") in ("warn", "error"):
                message = str(notice.params.get("message"))
                if message not in known:
                    yield _find("warn", message)
    except LofiError:
        return  # it has left, and all it said was taken


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip().removeprefix("lofi-daemon: ")[:MAX_WORDS] if lines else ""
