"""`lofi playlist`, `loop`, `shuffle`: what plays after what."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import LofiError
from .context import Context
from .exits import Exit
from .library import TRACK_HELP
from .text import SHORT_ID, clock

if TYPE_CHECKING:
    from .parser import Adder


def add(adder: Adder) -> None:
    listing = adder.command(
        "playlist",
        "show or change the playlist",
        "playlist\nplaylist add 3fa85c 9b01e7\nplaylist add 3fa85c --next\nplaylist rm 3fa85c\nplaylist clear",
        description="Show the playlist, or change it: `add` puts tracks at its end, `rm` takes them out, `clear`\n"
        "all of them. In a pipe: tab-separated columns current (> or -), id, length in seconds, prompt.",
    )
    listing.add_argument("action", nargs="?", choices=("add", "rm", "clear"), help="what to do; without it: show it")
    listing.add_argument("tracks", nargs="*", metavar="TRACK", help=TRACK_HELP)
    listing.add_argument("--next", action="store_true", help="with add: right after the track that plays")
    listing.set_defaults(run=run)

    looping = adder.command("loop", "show or set what follows the end", "loop\nloop all\nloop one\nloop off")
    looping.add_argument("mode", nargs="?", choices=("off", "one", "all"), help="the playlist, one track, or neither")
    looping.set_defaults(run=loop)

    mixing = adder.command("shuffle", "show or set whether the order is drawn", "shuffle\nshuffle on\nshuffle off")
    mixing.add_argument("mode", nargs="?", choices=("on", "off"), help="on: any order, each track once")
    mixing.set_defaults(run=shuffle)


def run(arguments: argparse.Namespace, context: Context) -> int:
    action: str | None = arguments.action
    if bool(arguments.tracks) != (action in ("add", "rm")):
        sentence = f"`lofi playlist {action}` needs a track." if action != "clear" else "`clear` takes no tracks."
        raise LofiError("INVALID_PARAMS", sentence, field="track_id")
    with context.connect() as client:
        if action == "add":
            params = {"track_ids": arguments.tracks, "next": arguments.next}
            playlist = client.request("playlist_add", params)
        elif action == "rm":
            for track in arguments.tracks:
                playlist = client.request("playlist_remove", {"track_id": track})
        else:
            playlist = client.request("playlist_clear" if action == "clear" else "playlist_get")
    if context.json:
        context.terminal.document(playlist)
    elif action is None:
        _show(playlist, context)
    else:
        context.terminal.line(f"Tracks in the playlist: {len(playlist['tracks'])}.")
    return Exit.OK


def loop(arguments: argparse.Namespace, context: Context) -> int:
    return _mode(context, {"loop": arguments.mode} if arguments.mode else {})


def shuffle(arguments: argparse.Namespace, context: Context) -> int:
    return _mode(context, {"shuffle": arguments.mode == "on"} if arguments.mode else {})


def _mode(context: Context, change: dict[str, object]) -> int:
    with context.connect() as client:
        playlist = client.request("playlist_mode", change) if change else client.request("playlist_get")
    if context.json:
        context.terminal.document(playlist)
    else:
        context.terminal.line(_modes(playlist))
    return Exit.OK


def _modes(playlist: dict[str, Any]) -> str:
    return f"loop {playlist['loop']}, shuffle {'on' if playlist['shuffle'] else 'off'}"


def _show(playlist: dict[str, Any], context: Context) -> None:
    terminal = context.terminal
    if not playlist["tracks"] and not terminal.wide_out:
        terminal.say("The playlist is empty. Try: lofi playlist add TRACK")
        return
    rows = []
    for index, track in enumerate(playlist["tracks"]):
        length = f"{track['duration_sec']:g}" if terminal.wide_out else clock(track["duration_sec"])
        here = ">" if index == playlist["index"] else "-"
        rows.append([here, track["track_id"][:SHORT_ID], length, track["prompt"]])
    terminal.table(("NOW", "ID", "LENGTH", "PROMPT"), rows)
    if not terminal.wide_out:
        terminal.say(_modes(playlist))
