"""The examination in a process of its own, for the daemon: its seven threads would keep the event loop waiting for
the interpreter's lock, up to 30 ms at a time.

``python -m lofi_daemon.health.apart ASKED_AT`` reads Circumstances from stdin and writes findings, one JSON line each.
ASKED_AT is on the monotonic clock, which all processes share: to start Python counts towards the time it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import Any

import msgspec

from .circumstances import Circumstances

LATE_SEC = 2.0
"""Beyond the time of the examination the process is waited for so long."""
NICE = 5
"""The music comes first, also before the programs that are asked."""


async def examine_apart(circumstances: Circumstances) -> list[Any]:
    """The findings as JSON values. Those that were made are given also if the process dies or is late."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", __name__, str(time.monotonic()),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin and process.stdout
    lines = []
    try:
        async with asyncio.timeout(circumstances.within_sec + LATE_SEC):
            with contextlib.suppress(ConnectionError):
                process.stdin.write(msgspec.json.encode(circumstances, enc_hook=str))
                await process.stdin.drain()
            process.stdin.close()
            async for line in process.stdout:
                lines.append(msgspec.json.decode(line))
            await process.wait()
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        text = "The examination broke off; what is above was found before"
        lines.append({"section": "Python", "level": "error", "text": text, "advice": ["In a shell: lofi doctor"]})
    return lines


def main() -> None:
    os.nice(NICE)
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no finding
    from .examine import examine

    question = msgspec.json.decode(
        sys.stdin.buffer.read(), type=Circumstances, dec_hook=lambda kind, value: kind(value)
    )
    left_sec = question.within_sec - (time.monotonic() - float(sys.argv[1]))
    for finding in examine(msgspec.structs.replace(question, within_sec=max(left_sec, 0.1))):
        sink.write(msgspec.json.encode(finding) + b"\n")
        sink.flush()


if __name__ == "__main__":
    main()
