"""`lofi radio`: music without end, in the daemon that editors and shells share."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from ..client import DaemonClient
from ..errors import LofiError
from .context import Context
from .exits import Exit
from .player import describe_radio
from .text import printable, seconds_of

if TYPE_CHECKING:
    from .parser import Adder

STRATEGIES = ("same_prompt", "preset_cycle", "random_preset", "library")
START_WITHIN_SEC = 60.0
STOP_WITHIN_SEC = 3.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "radio",
        "play music without end",
        "radio rainy night, rhodes\nradio --strategy random_preset\nradio --preset rain --preset study\nradio --stop",
        description="Play music without end: while one track plays the next is made. The music stays when this\n"
        "command is done (`lofi stop` ends it). Where every client has a daemon of its own\n"
        "(daemon.shared = false) it plays until Ctrl-C.",
    )
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what to play (default: as the settings say)")
    parser.add_argument("--strategy", metavar="NAME", help=", ".join(STRATEGIES))
    parser.add_argument(
        "--preset", action="append", default=[], metavar="NAME", help="a mood by its name; may be given again"
    )
    parser.add_argument("--backend", metavar="NAME", help="what makes the music")
    parser.add_argument("--duration", metavar="TIME", help="length of each track: 240 or 4:00")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true", help="make no further track; the one that plays goes on")
    what.add_argument("--list", action="store_true", help="show the presets")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.list:
        return _presets(context)
    params = _params(arguments)
    if arguments.stop and params:
        raise LofiError("INVALID_PARAMS", "--stop goes with nothing else.")
    with context.connect() as client:
        method = "radio_stop" if arguments.stop else "radio_start"
        radio = client.request(method, params, timeout=START_WITHIN_SEC)
        if context.json:
            context.terminal.document(radio)
        else:
            context.terminal.line(f"Radio: {describe_radio(radio)}" if radio["active"] else "The radio is off.")
        if radio["active"] and not _shared(client):
            _stay(client, context)
    return Exit.OK


def _params(arguments: argparse.Namespace) -> dict[str, object]:
    params: dict[str, object] = {}
    if arguments.prompt:
        params["prompt"] = " ".join(arguments.prompt)
    if arguments.strategy:
        params["strategy"] = arguments.strategy
    if arguments.preset:
        params["presets"] = arguments.preset
    if arguments.backend:
        params["backend"] = arguments.backend
    if arguments.duration:
        seconds = seconds_of(arguments.duration)
        if seconds is None:
            sentence = f"A duration is written 240 or 4:00, not {arguments.duration}."
            raise LofiError("INVALID_PARAMS", sentence, field="duration_sec")
        params["duration_sec"] = seconds
    return params


def _presets(context: Context) -> int:
    with context.connect() as client:
        answer = client.request("presets_list")
    if context.json:
        context.terminal.document(answer)
    else:
        context.terminal.table(("PRESET", "PROMPT"), [[one["name"], one["prompt"]] for one in answer["presets"]])
    return Exit.OK


def _shared(client: DaemonClient) -> bool:
    """Whether what was started is only a bridge to the daemon."""
    return bool(client.request("ping")["pid"] != client.pid)


def _stay(client: DaemonClient, context: Context) -> None:
    """A daemon of our own would end with us: stay until Ctrl-C."""
    try:
        while True:
            heard = client.next_notification()
            if heard and context.json:
                context.terminal.document({"event": heard.method} | heard.params)
            elif heard and heard.method == "engine_notice":
                context.terminal.say(printable(heard.params["message"]))
    except (KeyboardInterrupt, SystemExit):
        with contextlib.suppress(LofiError):
            client.request("stop", timeout=STOP_WITHIN_SEC)
        raise
