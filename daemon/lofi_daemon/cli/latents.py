"""`lofi latents`: what can be taken up again; pin it, let it go, delete it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import LofiError
from .context import Context
from .exits import Exit
from .text import SHORT_ID, size

if TYPE_CHECKING:
    from .parser import Adder

PAGE = 200


def add(adder: Adder) -> None:
    parser = adder.command(
        "latents",
        "show, pin or delete the latents that tracks can be taken up from",
        "latents\nlatents pin 1b9d6bcd\nlatents unpin 1b9d6bcd\nlatents rm 1b9d6bcd",
        description="Show the latents that are kept, the newest first, or change one: `pin` keeps it for good,\n"
        "`unpin` lets it go after latent_ttl_hours, `rm` deletes it. In a pipe: tab-separated columns id, bytes,\n"
        "pinned (* or -), model, step (- = final), created, prompt.",
    )
    parser.add_argument("action", nargs="?", choices=("pin", "unpin", "rm"), help="what to do; without it: show them")
    parser.add_argument("latent", nargs="?", metavar="LATENT", help="its id, or the first 6 or more digits of it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    action, name = arguments.action, arguments.latent
    if action is None:
        return _show(context)
    if name is None:
        raise LofiError("INVALID_PARAMS", f"`lofi latents {action}` needs an id; `lofi latents` lists them.")
    with context.connect() as client:
        if action == "rm":
            answer = client.request("latent_delete", {"latent_id": name})
            said = f"Deleted {answer['deleted'][:SHORT_ID]}."
        else:
            answer = client.request("latent_pin", {"latent_id": name, "pinned": action == "pin"})
            said = f"{answer['id'][:SHORT_ID]} is {'pinned' if answer['pinned'] else 'no longer pinned'}."
    if context.json:
        context.terminal.document(answer)
    else:
        context.terminal.line(said)
    return Exit.OK


def _show(context: Context) -> int:
    terminal = context.terminal
    latents: list[dict[str, Any]] = []
    with context.connect() as client:
        while True:
            page = client.request("latent_list", {"limit": PAGE, "offset": len(latents)})
            latents += page["latents"]
            if not page["latents"] or len(latents) >= page["total"]:
                break
    if context.json:
        terminal.document({"latents": latents, "total": page["total"]})
    elif not latents and not terminal.wide_out:
        terminal.say("No latent is kept. Those of ACE-Step's tracks are, for latent_ttl_hours.")
    else:
        rows = [_row(latent, terminal.wide_out) for latent in latents]
        terminal.table(("ID", "SIZE", "PIN", "MODEL", "STEP", "CREATED", "PROMPT"), rows)
    return Exit.OK


def _row(latent: dict[str, Any], wide: bool) -> list[str]:
    of, created = _bytes(latent), latent["created_at"]
    return [
        latent["id"][:SHORT_ID],
        str(of) if wide else size(of),
        "*" if latent["pinned"] else "-",
        latent["model_variant"],
        "-" if latent["checkpoint_step"] is None else str(latent["checkpoint_step"]),
        created if wide else created[:16].replace("T", " "),
        latent["params"]["prompt"],
    ]


def _bytes(latent: dict[str, Any]) -> int:
    """Of the tensor."""
    count = {"float64": 8, "float32": 4}.get(latent["dtype"], 2)
    for length in latent["shape"]:
        count *= length
    return count
