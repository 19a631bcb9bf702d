"""`lofi list`, `info`, `rm`, `export`, `favorite`: the tracks that were kept."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ..errors import LofiError
from . import exits
from .context import Context
from .exits import Exit
from .paths import absolute
from .text import SHORT_ID, clock, printable

if TYPE_CHECKING:
    from .parser import Adder

PAGE = 200
EXPORT_WITHIN_SEC = 300.0
TRACK_HELP = "id of a track, or the beginning of it (6 characters or more)"


def add(adder: Adder) -> None:
    listing = adder.command(
        "list",
        "show the tracks in the library",
        "list\nlist rhodes --limit 10\nlist --sort favorites --json",
        description="Show the tracks in the library, the newest first. In a pipe: tab-separated columns\n"
        "id, length in seconds, favourite (* or -), backend, created, prompt.",
    )
    listing.add_argument("query", nargs="*", metavar="QUERY", help="only tracks whose prompt has these words")
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="how many at most (default 50)")
    listing.add_argument(
        "--sort",
        default="newest",
        metavar="ORDER",
        help="newest (default), oldest, title, duration, played or favorites",
    )
    listing.set_defaults(run=list_tracks)

    info = adder.command("info", "show all that is known of a track", "info 3fa85c\ninfo 3fa85c --json")
    info.add_argument("track", metavar="TRACK", help=TRACK_HELP)
    info.set_defaults(run=show)

    remove = adder.command("rm", "delete tracks for good", "rm 3fa85c\nrm 3fa85c 9b01e7")
    remove.add_argument("tracks", nargs="+", metavar="TRACK", help=TRACK_HELP)
    remove.set_defaults(run=delete)

    export = adder.command(
        "export",
        "copy a track to a file of your own",
        "export 3fa85c rain.flac\nexport 3fa85c ~/Music/rain.mp3\nexport 3fa85c rain --format wav",
    )
    export.add_argument("track", metavar="TRACK", help=TRACK_HELP)
    export.add_argument("path", metavar="PATH", help="file to write, its ending gives the format; or a folder")
    export.add_argument("--format", choices=("flac", "wav", "ogg", "mp3"), help="instead of the ending's")
    export.set_defaults(run=export_track)

    favorite = adder.command(
        "favorite", "mark a track so that it is never evicted", "favorite 3fa85c\nfavorite 3fa85c --off"
    )
    favorite.add_argument("track", metavar="TRACK", help=TRACK_HELP)
    favorite.add_argument("--off", action="store_true", help="take the mark away")
    favorite.set_defaults(run=set_favorite)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def list_tracks(arguments: argparse.Namespace, context: Context) -> int:
    terminal = context.terminal
    query = " ".join(arguments.query)
    tracks: list[dict[str, Any]] = []
    with context.connect() as client:
        while True:
            params: dict[str, object] = {
                "sort": arguments.sort,
                "limit": min(PAGE, arguments.limit - len(tracks)),
                "offset": len(tracks),
            }
            page = client.request("cache_list", params | ({"query": query} if query else {}))
            tracks += page["tracks"]
            if not page["tracks"] or len(tracks) >= min(arguments.limit, page["total"]):
                break
    if context.json:
        terminal.document({"tracks": tracks, "total": page["total"]})
    elif terminal.wide_out:
        terminal.table((), [_row(track, f"{track['duration_sec']:g}", track["created_at"]) for track in tracks])
    elif not tracks:
        terminal.say("No track matches." if query else "The library is empty. Try: lofi generate rainy night")
    else:
        rows = [_row(track, clock(track["duration_sec"]), _day(track["created_at"])) for track in tracks]
        terminal.table(("ID", "LENGTH", "FAV", "BACKEND", "CREATED", "PROMPT"), rows)
        if page["total"] > len(tracks):
            terminal.say(f"{len(tracks)} of {page['total']} tracks; --limit shows more.")
    return Exit.OK


def _row(track: dict[str, Any], length: str, created: str) -> list[str]:
    star = "*" if track["favorite"] else "-"
    return [track["id"][:SHORT_ID], length, star, track["backend"], created, track["prompt"]]


def _day(created_at: str) -> str:
    """ "2026-11-21T06:30:00.123Z" → "2026-11-21 06:30"."""
    return created_at[:16].replace("T", " ")


def show(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        track = client.request("cache_get", {"track_id": arguments.track})
    if context.json:
        context.terminal.document(track)
        return Exit.OK
    facts = {name: value for name, value in track.items() if name not in ("params", "lm_metadata")}
    facts |= {name: value for name, value in track["params"].items() if name not in facts}
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        context.terminal.line(f"{name:<{width}}  {printable(text)}")
    return Exit.OK


def delete(arguments: argparse.Namespace, context: Context) -> int:
    """Goes on after one that fails; the exit code is that of the first failure."""
    deleted: list[str] = []
    failures: list[LofiError] = []
    with context.connect() as client:
        for name in arguments.tracks:
            try:
                deleted.append(client.request("cache_delete", {"track_id": name})["deleted"])
            except LofiError as error:
                failures.append(error)
                context.terminal.say(f"lofi: {error.message}")
            else:
                if not context.json:
                    context.terminal.line(f"Deleted {deleted[-1][:SHORT_ID]}.")
    if context.json:
        errors = [{"name": error.name, "message": error.message} for error in failures]
        context.terminal.document({"deleted": deleted, "errors": errors})
    return exits.of_error(failures[0]) if failures else Exit.OK


def export_track(arguments: argparse.Namespace, context: Context) -> int:
    params: dict[str, object] = {"track_id": arguments.track, "path": absolute(arguments.path)}
    if arguments.format:
        params["format"] = arguments.format
    with context.connect() as client:
        path = client.request("track_export", params, timeout=EXPORT_WITHIN_SEC)["path"]
    if context.json:
        context.terminal.document({"path": path})
    else:
        context.terminal.line(path)
    return Exit.OK


def set_favorite(arguments: argparse.Namespace, context: Context) -> int:
    params = {"track_id": arguments.track, "favorite": not arguments.off}
    with context.connect() as client:
        track = client.request("track_favorite", params)
    if context.json:
        context.terminal.document(track)
    else:
        kept = "is a favourite" if track["favorite"] else "is no favourite any more"
        context.terminal.line(f"{track['id'][:SHORT_ID]} {kept}.")
    return Exit.OK
