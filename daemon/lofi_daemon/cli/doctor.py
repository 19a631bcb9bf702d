"""`lofi doctor`: what works here, what does not, and what mends it. Works when the daemon does not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .context import Context
from .exits import Exit
from .text import printable

if TYPE_CHECKING:
    from ..config import Loaded
    from .checks import Check
    from .parser import Adder

MARKS = {"ok": ("ok", "32"), "warn": ("warn", "33"), "fail": ("FAIL", "31")}


def add(adder: Adder) -> None:
    parser = adder.command(
        "doctor",
        "check the installation and say what mends it",
        "doctor\ndoctor --json",
        description="Check Python, the daemon, the cache, sound, Neovim and the backends, and list every setting\n"
        "with where it came from. Exits with 1 if something keeps music from being made.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    from .. import config
    from ..backends.registry import BACKENDS

    loaded = config.load(context.settings, backends=tuple(BACKENDS))
    checks: list[Check] = []
    for check in examine(context, loaded):
        checks.append(check)
        if not context.json:
            _tell(check, context)
    failed = any(check.level == "fail" for check in checks)
    values = dict(flat(loaded))
    if context.json:
        context.terminal.document(
            {
                "ok": not failed,
                "checks": [{"name": c.name, "level": c.level, "found": c.found, "fix": c.fix} for c in checks],
                "settings": {key: {"value": value, "source": loaded.sources[key]} for key, value in values.items()},
            }
        )
    else:
        context.terminal.line("\nSettings in force, and where each came from:")
        width = max(len(f"{key} = {value!r}") for key, value in values.items())
        for key, value in values.items():
            context.terminal.line(f"  {printable(f'{key} = {value!r}'):<{width}}  {loaded.sources[key]}")
    return Exit.FAILED if failed else Exit.OK


def examine(context: Context, loaded: Loaded) -> Iterator[Check]:
    """Every check, as it is done; none raises."""
    from .. import config
    from . import checks

    yield checks.python()
    yield checks.libraries()
    yield from checks.settings(loaded, config.config_file())
    client = context.connect()
    try:
        answers = checks.daemon(client)
        yield answers
        yield checks.cache(loaded.settings.cache_root)
        if answers.level == "ok":
            yield checks.stored(client)
            yield from checks.backends(client)
    finally:
        client.close()
    yield checks.portaudio()
    yield from checks.sound(loaded.settings.player.output)
    yield checks.neovim(checks.nvim_path())


def flat(loaded: Loaded) -> Iterator[tuple[str, object]]:
    """Dotted key and value of every setting, in the order of ``sources``."""
    for key in loaded.sources:
        value: object = loaded.settings
        for part in key.split("."):
            value = getattr(value, part)
        yield key, value


def _tell(check: Check, context: Context) -> None:
    terminal = context.terminal
    word, color = MARKS[check.level]
    mark = f"\x1b[{color}m{word:<4}\x1b[0m" if terminal.color(terminal.out) else f"{word:<4}"
    terminal.line(f"{mark}  {check.name}: {printable(check.found)}")
    if check.fix:
        terminal.line(f"      -> {check.fix}")
