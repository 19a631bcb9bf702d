"""`lofi doctor`: what works here, what does not, and what mends it. Works when the daemon does not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from ..health.finding import Finding
from .context import Context
from .findings import document, exit_code, tell
from .text import printable

if TYPE_CHECKING:
    from ..config import Loaded
    from .parser import Adder


def add(adder: Adder) -> None:
    parser = adder.command(
        "doctor",
        "check the installation and say what mends it",
        "doctor\ndoctor --json",
        description="Check Neovim, the daemon, Python, the library, sound, the backends and the GPU, and list every\n"
        "setting with where it came from; what :checkhealth lofi says in the editor. Exits with 1 if\n"
        "something keeps music from being made.",
    )
    parser.add_argument(
        "--within", type=_seconds, default=60.0, metavar="SECONDS", help="give up what takes longer (default 60)"
    )
    parser.set_defaults(run=run)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 600 seconds")
    return seconds


def run(arguments: argparse.Namespace, context: Context) -> int:
    try:
        from .. import config
        from ..backends.registry import BACKENDS
    except ImportError:  # a library that everything needs
        from ..health import libraries
        from ..health.commands import Installation

        return _tell_all(libraries.look(Installation.here(), arguments.within), None, context)
    loaded = config.load(context.settings, backends=tuple(BACKENDS))
    return _tell_all(examine(context, loaded, arguments.within), loaded, context)


def examine(context: Context, loaded: Loaded, within_sec: float) -> Iterator[Finding]:
    """Every finding, as it is made; none raises."""
    from ..client import default_log
    from ..health import answers, neovim, settings
    from ..health.circumstances import Circumstances
    from ..health.commands import Installation
    from ..health.examine import SECTIONS, Section
    from ..health.examine import examine as examine_sections

    known = {finding.text for finding in settings.look(loaded)}
    daemon = partial(answers.look, context.connect(), default_log(), Installation.here(), known, within_sec)
    sections: dict[str, Section] = {
        "Neovim": lambda c: neovim.look(neovim.find_nvim()),
        "Daemon": lambda c: daemon(),
        **SECTIONS,
    }
    yield from examine_sections(Circumstances(loaded, within_sec, setup=context.settings), sections)


def _tell_all(findings: Iterator[Finding], loaded: Loaded | None, context: Context) -> int:
    told = tell(findings, context)
    settings = _settings(loaded) if loaded else {}
    if context.json:
        context.terminal.document({**document(told), "settings": settings})
    elif settings:
        context.terminal.line("\nSettings in force, and where each came from")
        lines = {f"{key} = {entry['value']!r}": entry["source"] for key, entry in settings.items()}
        width = max(map(len, lines))
        for text, source in lines.items():
            context.terminal.line(f"  {printable(text):<{width}}  {source}")
    return exit_code(told)


def _settings(loaded: Loaded) -> dict[str, dict[str, object]]:
    from .. import config

    values = config.flat(loaded.settings)
    return {key: {"value": values[key], "source": source} for key, source in loaded.sources.items()}
