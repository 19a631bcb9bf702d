"""The settings in force, and what is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from .. import limits
from ..config import Loaded, flat
from ..errors import LofiError
from ..timers import battery, quiet
from .child import Run, run
from .commands import shown
from .finding import Finding

_find = partial(Finding, "Settings")


def look(
    loaded: Loaded,
    now: Callable[[], datetime] = datetime.now,
    supplies: Path = battery.POWER_SUPPLIES,
    platform: str = sys.platform,
    ask: Run = run,
) -> Iterator[Finding]:
    there = "read" if loaded.file.exists() else "not there; it is optional"
    yield _find("ok", f"{shown(loaded.file)} ({there})")
    for problem in loaded.problems:
        yield _find("warn", problem, ("Correct or remove that setting",))
    values = flat(loaded.settings)
    for key, source in loaded.sources.items():
        if source != "default":
            yield _find("info", f"{key} = {values[key]!r}, from {source}")
    yield from _quiet_hours(loaded.settings.player.quiet_hours, now)
    if loaded.settings.player.pause_on_battery:
        yield _battery(_on_battery(supplies, platform, ask))
    hook = loaded.settings.limit_hook
    if hook and (reason := limits.problem(hook)):
        text = f"{reason}: every request is refused"
        yield _find("error", text, (f"Mend or remove limit_hook in {shown(loaded.file)}",))


def _quiet_hours(setting: str, now: Callable[[], datetime]) -> Iterator[Finding]:
    try:
        hours = quiet.parse(setting)
    except LofiError as error:
        yield _find("warn", f"{error.message} There are no quiet hours until then.", ("Mend player.quiet_hours",))
        return
    if hours and hours.include(now().time()):
        yield _find("info", f"It is quiet now ({hours}): no music starts by itself; what you start plays")


def _on_battery(supplies: Path, platform: str, ask: Run) -> bool | None:
    """As ``timers.battery.on_battery``, without an event loop."""
    if platform == "darwin":
        return battery.parse_pmset(ask(("pmset", "-g", "ps"), battery.PMSET_TIMEOUT_SEC, None).out)
    return battery.read_supplies(supplies)


def _battery(running: bool | None) -> Finding:
    if running:
        return _find("info", "On battery: music pauses until the machine is plugged in (player.pause_on_battery)")
    if running is None:
        return _find("info", "No battery is seen here, so player.pause_on_battery does nothing")
    return _find("info", "Plugged in: player.pause_on_battery waits")
