"""The command line: which words it knows and what --help says."""

from __future__ import annotations

import argparse

from .. import __version__
from . import (
    backends,
    devices,
    doctor,
    download,
    exits,
    generate,
    importing,
    latents,
    library,
    play,
    player,
    playlist,
    queue,
    radio,
    reindex,
    restart,
    run,
    selftest,
    stage,
    timers,
)

COMMANDS = (
    generate, run, queue, play, radio, player, playlist, timers, library, importing, latents, stage, devices, backends,
    download, doctor, selftest, restart, reindex,
)  # fmt: skip


def build() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lofi",
        description="Background music for people who code: compose it, keep it, play it.",
        epilog="examples:\n"
        "  lofi generate rainy night, mellow rhodes, 75 bpm --play\n"
        "  lofi list rhodes\n"
        "  lofi play\n"
        "  lofi radio sunday morning\n"
        "  lofi doctor\n\n"
        "`lofi COMMAND --help` has the options and examples of one command.\n\n" + exits.table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lofi {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    group = shared.add_argument_group("options of every command")
    group.add_argument("--json", action="store_true", help="print JSON on stdout, one value a line")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting for this call, such as player.volume=0.5",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for room in COMMANDS:
        room.add(Adder(commands, shared))
    return parser


class Adder:
    """Hands a room one parser for each of its commands, all alike in what they share."""

    def __init__(
        self, commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
    ) -> None:
        self._commands = commands
        self._shared = shared

    def command(self, name: str, summary: str, examples: str, description: str = "") -> argparse.ArgumentParser:
        """``examples``: one command line a line, without the leading `lofi`."""
        lines = "\n".join(f"  lofi {line}" for line in examples.splitlines())
        return self._commands.add_parser(
            name,
            parents=[self._shared],
            help=summary,
            description=description or summary[0].upper() + summary[1:] + ".",
            epilog=f"examples:\n{lines}\n\n{exits.table()}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # a new option must not change what an old script means
        )
