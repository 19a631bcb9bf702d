"""`lofi sleep` and `lofi focus`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import LofiError
from .context import Context
from .exits import Exit
from .text import clock

if TYPE_CHECKING:
    from .parser import Adder


def add(adder: Adder) -> None:
    sleeping = adder.command("sleep", "end the music after some minutes", "sleep 30\nsleep off")
    sleeping.add_argument("minutes", metavar="MINUTES|off", help="how long it still plays")
    sleeping.set_defaults(run=sleep)

    focusing = adder.command(
        "focus",
        "music while you work, silence in the break",
        "focus 25 5\nfocus 50 10 4\nfocus off",
        description="Music while you work and silence in the break, turn and turn about.",
    )
    focusing.add_argument("work", metavar="WORK|off", help="minutes of work, or off to end it")
    focusing.add_argument("rest", nargs="?", metavar="BREAK", help="minutes of the break")
    focusing.add_argument("rounds", nargs="?", metavar="ROUNDS", help="how many times (default: until it is ended)")
    focusing.set_defaults(run=focus)


def sleep(arguments: argparse.Namespace, context: Context) -> int:
    minutes = 0.0 if arguments.minutes == "off" else _number(arguments.minutes, "minutes")
    with context.connect() as client:
        answer = client.request("sleep_set", {"minutes": minutes})
    if context.json:
        context.terminal.document(answer)
    else:
        left = answer["ends_in_sec"]
        context.terminal.line("The sleep timer is off." if left is None else f"The music ends in {clock(left)}.")
    return Exit.OK


def focus(arguments: argparse.Namespace, context: Context) -> int:
    params: dict[str, object] = {}
    if arguments.work != "off":
        if arguments.rest is None:
            raise LofiError("INVALID_PARAMS", "Say how long the break is: lofi focus 25 5.", field="break_min")
        params = {
            "work_min": _number(arguments.work, "work_min"),
            "break_min": _number(arguments.rest, "break_min"),
        }
        if arguments.rounds is not None:
            params["rounds"] = int(_number(arguments.rounds, "rounds"))
    with context.connect() as client:
        state = client.request("focus_start" if params else "focus_stop", params)
    if context.json:
        context.terminal.document(state)
    elif state["active"]:
        context.terminal.line(f"{state['phase'].capitalize()} for {clock(state['ends_in_sec'])}.")
    else:
        context.terminal.line("The focus timer is off.")
    return Exit.OK


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise LofiError("INVALID_PARAMS", f"Write {field} as a number or off, not {text}.", field=field) from None
