"""`lofi queue`: what is being made and what waits; another order, or an end to it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import LofiError
from .context import Context
from .exits import Exit
from .text import SHORT_ID, clock

if TYPE_CHECKING:
    from .parser import Adder

_MIN_PREFIX = 6


def add(adder: Adder) -> None:
    line = adder.command(
        "queue",
        "show or change what is being made and what waits",
        "queue\nqueue move 3fa85c 1\nqueue cancel 3fa85c\nqueue clear",
        description="Show what is being made and what waits, or change it: `move` gives a waiting one another place\n"
        "(1 is the next), `cancel` ends one, `clear` all that wait. In a pipe: tab-separated columns place (0 = it is\n"
        "being made), track id, percent, length in seconds, backend, prompt.",
    )
    line.add_argument("action", nargs="?", choices=("move", "cancel", "clear"), help="what to do; without it: show it")
    line.add_argument("job", nargs="?", metavar="JOB", help="its track id, the first 6 or more digits of it, or job id")
    line.add_argument("place", nargs="?", type=int, metavar="PLACE", help="with move: from 1")
    line.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    action: str | None = arguments.action
    _check(action, arguments.job, arguments.place)
    with context.connect() as client:
        answer = client.request("queue_clear" if action == "clear" else "queue_status")
        if action == "move":
            job_id = _job(answer, arguments.job)
            answer = client.request("queue_move", {"job_id": job_id, "position": arguments.place})
        elif action == "cancel":
            answer = client.request("cancel", {"job_id": _job(answer, arguments.job)})
    if context.json:
        context.terminal.document(answer)
    elif action == "clear":
        context.terminal.line(f"Cancelled: {answer['cleared']}.")
    elif action == "cancel":
        context.terminal.line("Cancelled." if answer["cancelled"] else "Too late: the track is being kept.")
    else:
        _show(answer, context)
    return Exit.OK


def _check(action: str | None, job: str | None, place: int | None) -> None:
    if action in ("move", "cancel") and job is None:
        raise LofiError(
            "INVALID_PARAMS", f"`lofi queue {action}` needs a job; `lofi queue` lists them.", field="job_id"
        )
    if action == "clear" and job is not None:
        raise LofiError("INVALID_PARAMS", "`clear` takes no job; `cancel` ends one.", field="job_id")
    if (action == "move") != (place is not None):
        sentence = "`lofi queue move` needs a place, such as 1." if place is None else "Only `move` takes a place."
        raise LofiError("INVALID_PARAMS", sentence, field="position")


def _job(queue: dict[str, Any], name: str) -> str:
    """The id of the job called ``name``. Raises JOB_NOT_FOUND."""
    jobs = [job for job in [queue["current"], *queue["pending"]] if job]
    wanted = name.lower()
    found = [
        job["job_id"]
        for job in jobs
        if job["job_id"] == name or (len(name) >= _MIN_PREFIX and job["track_id"].startswith(wanted))
    ]
    if len(found) != 1:
        problem = "more than one job" if found else "no job that is made or waits"
        raise LofiError("JOB_NOT_FOUND", f"“{name}” is {problem}; `lofi queue` lists them.", got=name)
    return str(found[0])


def _show(queue: dict[str, Any], context: Context) -> None:
    terminal = context.terminal
    jobs = [job for job in [queue["current"], *queue["pending"]] if job]
    if not jobs and not terminal.wide_out:
        terminal.say("Nothing is being made. Try: lofi generate rainy night")
        return
    rows = []
    for job in jobs:
        length = f"{job['duration_sec']:g}" if terminal.wide_out else clock(job["duration_sec"])
        percent = str(job["percent"]) if terminal.wide_out else f"{job['percent']} %" if not job["position"] else "-"
        rows.append([
            str(job["position"]), job["track_id"][:SHORT_ID], percent, length, job["backend"], job["prompt"],
        ])  # fmt: skip
    terminal.table(("PLACE", "ID", "DONE", "LENGTH", "BACKEND", "PROMPT"), rows)
