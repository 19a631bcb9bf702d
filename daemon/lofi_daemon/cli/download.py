"""`lofi download`: fetch the weights of a backend, follow it, or check what is here."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Any

from ..client import DaemonClient
from ..errors import LofiError
from .context import Context
from .exits import Exit
from .progress import Progress
from .text import size

if TYPE_CHECKING:
    from pathlib import Path

    from ..models.catalogue import Weights
    from .parser import Adder

ANSWER_WITHIN_SEC = 30.0
CANCEL_WITHIN_SEC = 5.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "download",
        "fetch the weights of a backend",
        "download musicgen\ndownload musicgen medium\ndownload --verify musicgen",
        description="Fetch the weights of a backend, or go on where a download stopped. The folder they are in is\n"
        "printed on stdout, progress on stderr. `lofi backends BACKEND` lists the models.",
    )
    parser.add_argument("backend", metavar="BACKEND", help="see `lofi backends`")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="of its models; default: the first")
    parser.add_argument("--verify", action="store_true", help="fetch nothing: read all files and check their digests")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.verify:
        return verify(arguments.backend, arguments.model, context)
    with context.connect() as client:
        _Downloading(client, context, arguments.backend, arguments.model).run()
    return Exit.OK


class _Downloading:
    """One download, from the request to its end. Ctrl-C ends it, if it is ours, and keeps what is here."""

    def __init__(self, client: DaemonClient, context: Context, backend: str, model: str | None) -> None:
        self._client = client
        self._context = context
        self._backend = backend
        self._model = model
        self._progress = Progress(context.terminal, "Fetching")

    def run(self) -> None:
        params = {"backend": self._backend} | ({"model": self._model} if self._model else {})
        answer = self._client.request("download_backend", params, timeout=ANSWER_WITHIN_SEC)
        self._model = answer["model"]
        self._event("accepted", answer)
        try:
            if not answer["already_installed"]:
                self._follow()
        except (KeyboardInterrupt, SystemExit):
            self._progress.close()
            if not answer["started"]:  # someone else's
                self._say("The download goes on: it was begun elsewhere.")
                raise
            with contextlib.suppress(LofiError):
                self._client.request("cancel_download", params, timeout=CANCEL_WITHIN_SEC)
            self._say(
                f"Stopped. What is here is kept; `lofi download {self._backend} {self._model}` goes on from there."
            )
            raise
        finally:
            self._progress.close()
        if not self._context.json:
            self._context.terminal.line(self._folder())

    def _follow(self) -> None:
        while True:
            notification = self._client.next_notification()
            assert notification is not None
            method, params = notification.method, notification.params
            if method == "engine_notice":
                self._event(method, params)
                if not self._context.json:
                    self._progress.note(params["message"])
            if (params.get("backend"), params.get("model")) != (self._backend, self._model):
                continue
            self._event(method, params)
            if method == "download_progress":
                self._show(params)
            elif method == "backend_status" and params["status"] != "downloading":
                self._progress.close()
                if params["weights"] != "ready":
                    raise LofiError("MODEL_DOWNLOAD_FAILED", params.get("message") or "The download was ended.")
                self._say(params["message"])
                return

    def _show(self, params: dict[str, Any]) -> None:
        if self._context.json:
            return
        speed = params.get("bytes_per_sec")
        about = f" of {size(params['bytes_total'])}" + (f", {size(speed)}/s" if speed else "")
        self._progress.update(params["overall_percent"], params.get("eta_sec") or None, about)

    def _folder(self) -> str:
        for backend in self._client.request("get_backends")["backends"]:
            for weights in backend["weights"]:
                if (backend["type"], weights["model"]) == (self._backend, self._model) and weights["path"]:
                    return str(weights["path"])
        raise LofiError("MODEL_DOWNLOAD_FAILED", "The weights were here a moment ago and are gone; ask again.")

    def _say(self, text: str) -> None:
        if not self._context.json:
            self._context.terminal.say(text)

    def _event(self, name: str, params: dict[str, Any]) -> None:
        if self._context.json:
            self._context.terminal.document({"event": name} | params)


def verify(backend: str, model: str | None, context: Context) -> int:
    """Without a daemon. What is damaged loses its lock, so that the next download fetches just that."""
    from .. import config
    from ..models import catalogue, lock, store

    weights = catalogue.find(backend, model)
    root = store.root_of(backend, config.load(context.settings).settings)
    folders = [root / part.folder for part in weights.parts]
    locks = [lock.read_lock(folder) for folder in folders]
    held = [(kept, folder) for kept, folder in zip(locks, folders, strict=True) if kept is not None]
    if len(held) < len(folders):
        raise _not_ours(weights, root)
    progress = Progress(context.terminal, "Checking")
    total, seen = sum(file.size for kept, _ in held for file in kept.files), 0

    def looked(count: int) -> None:
        nonlocal seen
        seen += count
        if not context.json:
            progress.update(100 * seen // max(1, total), None)

    damaged = []
    try:
        for kept, folder in held:
            if bad := lock.damaged_files(kept, folder, looked):
                damaged += [str(folder / path) for path in bad]
                (folder / lock.LOCK_NAME).unlink(missing_ok=True)
    finally:
        progress.close()
    if context.json:
        context.terminal.document({"backend": backend, "model": weights.model, "bytes": total, "damaged": damaged})
        return Exit.FAILED if damaged else Exit.OK
    for path in damaged:
        context.terminal.line(path)
    if damaged:
        raise LofiError(
            "MODEL_LOAD_FAILED",
            f"{len(damaged)} of the files of {weights.title} are damaged or missing; "
            f"`lofi download {backend} {weights.model}` fetches them again.",
        )
    context.terminal.say(f"{weights.title}: all of {size(total)} are as the hub has them.")
    return Exit.OK


def _not_ours(weights: Weights, root: Path) -> LofiError:
    from ..models import store

    found = store.look(weights, root)
    if found.status == "ready":
        places = ", ".join(str(folder) for folder in found.folders)
        return LofiError("UNSUPPORTED", f"Hugging Face's own library fetched and checked this: {places}.")
    return LofiError(
        "MODEL_NOT_FOUND",
        f"{weights.title} is not here; `lofi download {weights.backend} {weights.model}` fetches it.",
        field="model",
    )
