"""`lofi devices`: where the music can play."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .context import Context
from .exits import Exit

if TYPE_CHECKING:
    from .parser import Adder

LIST_WITHIN_SEC = 60.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "devices",
        "show the sound devices, or choose one",
        'devices\ndevices headphones\ndevices ""',
        description="Show the sound devices, or choose one until the daemon ends. For good: the setting\n"
        "player.device. In a pipe: tab-separated columns current (> or -), default (* or -), name.",
    )
    parser.add_argument(  # not --set: that is a setting for this call, in every command
        "device", nargs="?", metavar="DEVICE", help='its name or a part of it; "" is the system\'s default'
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        if arguments.device is None:
            answer = client.request("audio_devices", timeout=LIST_WITHIN_SEC)
        else:
            answer = client.request("audio_device_set", {"device": arguments.device}, timeout=LIST_WITHIN_SEC)
    if context.json:
        context.terminal.document(answer)
    elif not answer["devices"] and not context.terminal.wide_out:
        context.terminal.say("There is no sound device. `lofi doctor` says more.")
    else:
        context.terminal.table(("NOW", "DEFAULT", "NAME"), [_row(one, answer) for one in answer["devices"]])
    return Exit.OK


def _row(device: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    return [
        ">" if device["id"] == answer.get("current") else "-",
        "*" if device["is_default"] else "-",
        device["id"] + (" (chosen)" if device["id"] == answer["chosen"] else ""),
    ]
