"""On battery the music pauses, on the mains it comes back, if the user wants that."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from ..errors import LofiError
from ..model import NoticeLevel
from .music import Music

POLL_SEC = 30.0
FADE_SEC = 3.0
POWER_SUPPLIES = Path("/sys/class/power_supply")
PMSET_TIMEOUT_SEC = 5.0

Reader = Callable[[], Awaitable[bool | None]]
"""Whether the machine runs on its battery now; None = it has none, or does not say."""


async def on_battery() -> bool | None:
    """This machine's reader."""
    if sys.platform == "darwin":
        return await _ask_pmset()
    return read_supplies(POWER_SUPPLIES)


def read_supplies(folder: Path) -> bool | None:
    """From Linux's power_supply class (kernel, Documentation/ABI/testing/sysfs-class-power).

    A mains or USB supply that is online settles it; else a battery of the system that discharges. What feeds mice
    and headsets (scope Device) does not count.
    """
    discharging: bool | None = None
    try:
        supplies = sorted(folder.iterdir())
    except OSError:
        return None
    for supply in supplies:
        if _read(supply / "scope") == "Device":
            continue
        kind = _read(supply / "type")
        if kind in ("Mains", "USB", "Wireless") and _read(supply / "online") == "1":
            return False
        if kind == "Battery":
            discharging = bool(discharging) or _read(supply / "status") == "Discharging"
    return discharging


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


async def _ask_pmset() -> bool | None:
    try:
        process = await asyncio.create_subprocess_exec(
            "pmset", "-g", "ps", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None
    try:
        async with asyncio.timeout(PMSET_TIMEOUT_SEC):
            said, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return None
    return parse_pmset(said.decode(errors="replace"))


def parse_pmset(text: str) -> bool | None:
    """The first line of `pmset -g ps` is "Now drawing from 'Battery Power'" or "… 'AC Power'"."""
    if "'Battery Power'" in text:
        return True
    return False if "'AC Power'" in text else None


class BatteryWatch:
    """Asks ``read`` every ``POLL_SEC`` once ``start`` was called. ``hushed``: in quiet hours nothing comes back."""

    def __init__(
        self,
        music: Music,
        notice: Callable[[NoticeLevel, str], None],
        read: Reader = on_battery,
        hushed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._music = music
        self._notice = notice
        self._read = read
        self._hushed = hushed
        self._was: bool | None = None
        self._paused_by_us = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        if self._task:
            self._task.cancel()

    def on_user(self) -> None:
        """The user paused, stopped or played something: what comes next is no longer ours to decide."""
        self._paused_by_us = False

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(POLL_SEC)

    async def look(self) -> None:
        """One poll. Only a change counts: who presses play while on battery means it."""
        now = await self._read()
        was, self._was = self._was, now
        if now and not was:
            if self._music.is_playing() and await self._music.fade_to_pause(FADE_SEC):
                self._paused_by_us = True
                self._notice("info", "On battery: the music pauses until the machine is plugged in.")
        elif was and now is False and self._paused_by_us:
            self._paused_by_us = False
            if self._hushed():
                self._notice("info", "Plugged in again; the music stays paused in your quiet hours.")
                return
            with contextlib.suppress(LofiError):  # it stays paused, and says why when asked
                await self._music.resume()
