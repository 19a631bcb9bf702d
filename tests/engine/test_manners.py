"""The real worker stands back, and nobody else is made to."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from lofi_daemon.config import Settings
from lofi_daemon.engine import manners
from lofi_daemon.engine.host import EngineHost, worker_environment
from lofi_daemon.engine.link import Notice, Ready, Unload


def niceness(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def session_niceness(pid):
    """None where the kernel does not schedule by session."""
    file = Path(f"/proc/{pid}/autogroup")
    return int(file.read_text().split()[-1]) if file.exists() and file.read_text().strip() else None


def with_worker(settings, look):
    async def run():
        heard, ready = [], asyncio.Event()

        def hear(message):
            heard.append(message)
            ready.set()

        host = EngineHost(hear, print, worker_environment(settings))
        try:
            await host.send(Unload())
            async with asyncio.timeout(60):
                await ready.wait()
                await host.unload(None)
            assert isinstance(heard[0], Ready)
            look(host.pid, [message for message in heard if isinstance(message, Notice)])
        finally:
            await host.close()

    asyncio.run(run())


def test_the_worker_runs_at_the_priority_of_the_settings_and_its_front_as_before():
    before = niceness(0), session_niceness(os.getpid())

    def look(worker, notices):
        assert niceness(worker) == max(10, before[0])
        assert session_niceness(worker) in (None, 10)
        assert notices == []

    with_worker(Settings(worker_nice=10), look)
    assert (niceness(0), session_niceness(os.getpid())) == before


def test_nice_0_leaves_the_worker_as_it_was_started():
    def look(worker, notices):
        assert niceness(worker) == niceness(0)
        assert os.getsid(worker) == os.getsid(0)
        assert notices == []

    with_worker(Settings(worker_nice=0), look)


REFUSED = """
from pathlib import Path
from lofi_daemon.engine import manners
manners._AUTOGROUP = Path({file!r})
print(manners.give_way(5))
"""


def test_what_the_kernel_does_not_take_is_said(tmp_path):
    folder = tmp_path / "autogroup"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", REFUSED.format(file=str(folder))], capture_output=True, text=True, check=True
    )
    assert ("/proc/self/autogroup was not taken" if sys.platform == "linux" else "None") in done.stdout


def test_a_kernel_that_wants_a_pause_between_changes_gets_it(monkeypatch):
    answers = [BlockingIOError(11, "again"), None]

    class File:
        def write_text(self, text, encoding):
            answer = answers.pop(0)
            if answer:
                raise answer

    monkeypatch.setattr(manners, "_AUTOGROUP", File())
    assert manners._lower_session(10) is None
    assert answers == []
