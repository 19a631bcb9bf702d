"""`lofi skip`, `seek`, `volume` and the others that steer what plays in the daemon that all of them share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..client import DaemonClient
from ..errors import LofiError
from .context import Context
from .exits import Exit
from .text import SHORT_ID, clock, printable, seconds_of

if TYPE_CHECKING:
    from .parser import Adder

OPEN_WITHIN_SEC = 60.0
"""A sound device may take its time to open."""


def add(adder: Adder) -> None:
    for name, summary in (
        ("pause", "pause the music"),
        ("resume", "go on after a pause"),
        ("stop", "stop the music; the playlist stays"),
        ("skip", "go on with the next track of the playlist"),
        ("previous", "go back to the track before"),
    ):
        adder.command(name, summary, f"{name}\n{name} --json").set_defaults(run=steer, method=name)

    seeking = adder.command(
        "seek",
        "go to a place in the track that plays",
        "seek 1:30\nseek +10\nseek -10",
        description="Go to a place in the track that plays: seconds or minutes and seconds; + and - are steps from\n"
        "where it is.",
    )
    seeking.add_argument("place", metavar="PLACE", help="90, 1:30, +10 or -10")
    seeking.set_defaults(run=seek)

    loudness = adder.command("volume", "show or set the volume", "volume\nvolume 40\nvolume +5\nvolume -5")
    loudness.add_argument("percent", nargs="?", metavar="PERCENT", help="0 to 100; + and - change it")
    loudness.set_defaults(run=volume)

    fading = adder.command(
        "crossfade", "show or set how long a track fades into the next", "crossfade\ncrossfade 4\ncrossfade 0"
    )
    fading.add_argument("seconds", nargs="?", type=float, metavar="SECONDS", help="0 to 30; 0 joins without a gap")
    fading.set_defaults(run=crossfade)

    adder.command("status", "show what plays and what is being made", "status\nstatus --json").set_defaults(run=status)


def steer(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        return tell(client, context, client.request(arguments.method, timeout=OPEN_WITHIN_SEC))


def seek(arguments: argparse.Namespace, context: Context) -> int:
    text: str = arguments.place
    sign = text[:1] if text[:1] in ("+", "-") else ""
    seconds = seconds_of(text.removeprefix(sign))
    if seconds is None:
        raise LofiError("INVALID_PARAMS", f"A place in the track is written 90, 1:30, +10 or -10, not {text}.")
    with context.connect() as client:
        if sign:
            here = client.request("status")["playback"].get("position_sec", 0.0)
            seconds = max(0.0, here + seconds if sign == "+" else here - seconds)
        return tell(client, context, client.request("seek", {"position_sec": seconds}))


def volume(arguments: argparse.Namespace, context: Context) -> int:
    text: str = arguments.percent or ""
    digits = text.removesuffix("%").lstrip("+-")
    if text and not (digits.isascii() and digits.isdigit()):
        raise LofiError("INVALID_PARAMS", f"The volume is a percentage, 0 to 100, or a change such as +5, not {text}.")
    with context.connect() as client:
        if not text:
            answer = client.request("volume_get")
        else:
            level = int(digits) / 100
            if text[0] in "+-":
                now = client.request("volume_get")["level"]
                level = min(1.0, max(0.0, now + level if text[0] == "+" else now - level))
            answer = client.request("volume_set", {"level": level})
    if context.json:
        context.terminal.document(answer)
    else:
        context.terminal.line(f"{answer['level'] * 100:.0f} %")
    return Exit.OK


def crossfade(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        if arguments.seconds is None:
            state = client.request("status")["playback"]
        else:
            state = client.request("crossfade_set", {"duration_sec": arguments.seconds})
    if context.json:
        context.terminal.document(state)
    else:
        context.terminal.line(f"{state.get('crossfade_sec', 0):g} s")
    return Exit.OK


def status(arguments: argparse.Namespace, context: Context) -> int:
    terminal = context.terminal
    with context.connect() as client:
        now = client.request("status")
        if context.json:
            terminal.document(now)
            return Exit.OK
        playback, radio, job = now["playback"], now.get("radio"), now["generation"]
        terminal.line(f"music       {line_of(client, playback)}")
        terminal.line(f"volume      {playback['volume'] * 100:.0f} %")
        if radio and radio["active"]:
            terminal.line(f"radio       {describe_radio(radio)}")
        making = f"{printable(job['prompt'])}, {job['percent']} %" if job else "nothing"
        terminal.line(f"generating  {making}")
        terminal.line(f"waiting     {len(now['queue']['pending'])}")
        return Exit.OK


def tell(client: DaemonClient, context: Context, state: dict[str, Any]) -> int:
    """Print the player's ``state``. Raises AUDIO_DEVICE_ERROR where there is no device."""
    if state["state"] == "no_device":
        raise LofiError("AUDIO_DEVICE_ERROR", f"{state.get('message') or 'No audio device.'} `lofi doctor` says more.")
    if context.json:
        context.terminal.document(state)
    else:
        context.terminal.line(line_of(client, state))
    return Exit.OK


def line_of(client: DaemonClient, state: dict[str, Any]) -> str:
    """ "playing 0:12 / 3:00  3fa85c0d1e2f  rainy night"."""
    track = state.get("track_id")
    if not track:
        return str(state.get("message") or state["state"])
    if state["state"] == "waiting" and state.get("message"):
        return str(state["message"])
    place = f"{clock(state.get('position_sec', 0))} / {clock(state.get('duration_sec', 0))}"
    return f"{state['state']} {place}  {track[:SHORT_ID]}  {_prompt(client, track)}".rstrip()


def describe_radio(radio: dict[str, Any]) -> str:
    """What it plays, and its message if it has one."""
    what = radio.get("preset") or radio.get("prompt") or radio["strategy"].replace("_", " ")
    return printable(what + (f": {radio['message']}" if radio.get("message") else ""))


def _prompt(client: DaemonClient, track_id: str) -> str:
    try:
        return printable(client.request("cache_get", {"track_id": track_id})["prompt"])
    except LofiError:  # it plays still, but was deleted
        return ""
