"""All rooms, asked at the same time and told in order, within a time that the asker sets."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from .. import config
from ..errors import LofiError
from . import backends, cards, daemons, gpu, libraries, library, settings, sound, torch_build
from .circumstances import Circumstances
from .commands import Installation
from .finding import WAITS_LONGER, Finding

Section = Callable[[Circumstances], Iterator[Finding]]


def examine(circumstances: Circumstances, sections: Mapping[str, Section] | None = None) -> Iterator[Finding]:
    """Every finding, in the order of the sections, as soon as it is known. Raises nothing.

    A section that takes longer than ``within_sec`` is given up, which is a finding of its own.
    """
    deadline = time.monotonic() + circumstances.within_sec
    sections = SECTIONS if sections is None else sections
    looks = {name: _begin(section, circumstances) for name, section in sections.items()}
    for name, found in looks.items():
        yield from _take(name, found, deadline, circumstances.within_sec)


def _begin(section: Section, circumstances: Circumstances) -> queue.SimpleQueue[Finding | Exception | None]:
    found: queue.SimpleQueue[Finding | Exception | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            for finding in section(circumstances):
                found.put(finding)
        except Exception as error:
            found.put(error)
        found.put(None)

    # Not a pool's: the interpreter would wait at its end for a thread that a dead network drive holds.
    threading.Thread(target=work, name="lofi-health", daemon=True).start()
    return found


def _take(
    section: str, found: queue.SimpleQueue[Finding | Exception | None], deadline: float, within_sec: float
) -> Iterator[Finding]:
    while True:
        try:
            one = found.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            text = f"This was not found out within {within_sec:.0f} s: a disk, a driver or the sound server may hang"
            yield Finding(section, "warn", text, (WAITS_LONGER,))
            return
        if one is None:
            return
        if isinstance(one, Finding):
            yield one
            continue
        yield Finding(section, "warn", f"This could not be found out ({type(one).__name__}: {one}); please report it")


def _library(c: Circumstances) -> Iterator[Finding]:
    return library.look(c.loaded.settings.cache_root, c.loaded.settings.max_cache_bytes)


def _shared(c: Circumstances) -> Iterator[Finding]:
    from ..shared import early, place

    if not c.loaded.settings.daemon.shared:
        yield Finding(
            "Shared daemon", "info", "None: each editor and each `lofi` has a daemon of its own (daemon.shared = false)"
        )
        return
    try:
        where: place.Place | LofiError = place.find(early.read(c.setup).library)
    except LofiError as error:
        where = error
    yield from daemons.look(where, config.log_file(), c.own_pid)


def _sound(c: Circumstances) -> Iterator[Finding]:
    return sound.look(c.loaded.settings.player, sound.Libraries.here(), Installation.here(), c.playing_through)


def _gpu(c: Circumstances) -> Iterator[Finding]:
    found, build = cards.find(cards.Machine()), torch_build.installed()
    return gpu.look(c.loaded, found, build, Installation.here(), c.child_sec)


SECTIONS: Mapping[str, Section] = {
    "Python": lambda c: libraries.look(Installation.here(), c.child_sec),
    "Settings": lambda c: settings.look(c.loaded),
    "Library": _library,
    "Shared daemon": _shared,
    "Sound": _sound,
    "Backends": lambda c: backends.look(c.loaded.settings, Installation.here()),
    "GPU": _gpu,
}
