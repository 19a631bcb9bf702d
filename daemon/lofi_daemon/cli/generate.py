"""`lofi generate`: ask for a track, follow it, and say where it is."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client import DaemonClient
from ..errors import LofiError
from . import play
from .context import Context
from .exits import Exit
from .paths import absolute
from .progress import Progress
from .text import SHORT_ID, clock

if TYPE_CHECKING:
    from .parser import Adder

CANCEL_WITHIN_SEC = 5.0
EXPORT_WITHIN_SEC = 300.0
MAX_JSON_INT = 2**53 - 1
MAX_LYRICS = 1 << 16


def add(adder: Adder) -> None:
    parser = adder.command(
        "generate",
        "compose a track from a description",
        "generate rainy night, mellow rhodes, 75 bpm\n"
        'generate "sad piano, no drums" --duration 120 --key "D minor" --seed 7\n'
        "generate jazzy sunday --play\n"
        "generate boom bap --duration 60 --out loop.mp3\n"
        "generate slow piano --backend musicgen --temperature 0.9 --batch 2\n"
        "generate indie ballad --backend ace_step_15 --lyrics song.txt --language en",
        description="Compose a track from a description. Its path is printed on stdout, progress on stderr.\n"
        "With --json every event is a line of JSON on stdout, the last one generation_complete.",
    )
    parser.add_argument("prompt", nargs="+", metavar="PROMPT", help="what to play; quotes may be left out")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="length (default 30)")
    parser.add_argument("--seed", metavar="N", help="0 to 2^64-1; the same seed gives the same track")
    parser.add_argument("--bpm", type=int, metavar="N", help="tempo, 30 to 300")
    parser.add_argument("--key", metavar="KEY", help='such as "D minor" or "F# major"')
    parser.add_argument("--backend", metavar="NAME", help="see `lofi backends`")
    parser.add_argument("--model", metavar="NAME", help="of the backend's models, such as small or melody")
    parser.add_argument("--batch", type=int, metavar="N", help="so many tracks at once, each with the next seed")
    parser.add_argument("--priority", choices=("high", "normal", "low"), help="place in the queue (default normal)")
    parser.add_argument("--play", action="store_true", help="play it when it is ready, as `lofi play` does")
    parser.add_argument(
        "--out", metavar="FILE",
        help="also export it to FILE; the ending gives the format, a second track gets “-2” before it",
    )  # fmt: skip
    neural = parser.add_argument_group("for MusicGen and ACE-Step")
    neural.add_argument("--guidance-scale", type=float, metavar="X", help="how closely the prompt is followed")
    neural = parser.add_argument_group("for MusicGen")
    neural.add_argument("--temperature", type=float, metavar="X", help="above 1 more daring, below 1 more even")
    neural.add_argument("--top-k", type=int, metavar="N", help="only the N likeliest tokens; 0: all")
    neural.add_argument("--top-p", type=float, metavar="X", help="only the likeliest tokens, X of all in sum; 1: all")
    neural.add_argument("--melody", metavar="TRACK", help="what the melody models follow, a track of the library")
    song = parser.add_argument_group("for ACE-Step")
    song.add_argument("--lyrics", metavar="FILE", help="a text file with what is sung; -: what stdin has")
    song.add_argument("--language", metavar="CODE", help="of the lyrics: en, de, ja, …")
    song.add_argument("--steps", type=int, metavar="N", help="diffusion steps; turbo always takes 8")
    song.add_argument("--scheduler", metavar="NAME", help="euler, heun, pingpong or sde")
    song.add_argument("--guidance", metavar="KIND", help="none, cfg, apg or adg, for base and sft")
    song.add_argument("--shift", type=float, metavar="X", help="of the timesteps")
    song.add_argument("--latent", metavar="LATENT", help="what to go on from, see `lofi latents`")
    song.add_argument(
        "--t-start", type=float, metavar="X", help="how far back into the noise a latent is taken, 0 to 1"
    )
    song.add_argument("--item", type=int, metavar="N", help="which track of the latent's batch, from 0")
    song.add_argument("--checkpoint-step", type=int, metavar="N", help="keep the state after this step, from 0, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        tracks, cached = Generating(client, context).run(request_params(arguments))
        for number, track in enumerate(tracks, 1):
            path = track["path"]
            if not context.json:
                context.terminal.say(made(track, cached))
            if arguments.out:
                params = {"track_id": track["id"], "path": absolute(numbered(arguments.out, number))}
                path = client.request("track_export", params, timeout=EXPORT_WITHIN_SEC)["path"]
                if context.json:
                    context.terminal.document({"event": "exported", "path": path})
            if not context.json:
                context.terminal.line(path)
        if arguments.play:
            return play.play(client, context, tracks[0]["id"])
    return Exit.OK


def numbered(out: str, number: int) -> str:
    """Where the ``number``-th track of a batch goes; in a folder they get names of their own anyway."""
    path = Path(out)
    return out if number == 1 or path.is_dir() else str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


def request_params(arguments: argparse.Namespace) -> dict[str, object]:
    """The params of `generate`; what was left out stays out, so that the daemon's defaults hold."""
    params = {
        "prompt": " ".join(arguments.prompt),
        "duration_sec": arguments.duration,
        "seed": arguments.seed if arguments.seed is None else _seed(arguments.seed),
        "bpm": arguments.bpm,
        "keyscale": arguments.key,
        "backend": arguments.backend,
        "model": arguments.model,
        "batch_size": arguments.batch,
        "guidance_scale": arguments.guidance_scale,
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "reference_audio_id": arguments.melody,
        "lyrics": None if arguments.lyrics is None else _lyrics(arguments.lyrics),
        "vocal_language": arguments.language,
        "inference_steps": arguments.steps,
        "scheduler": arguments.scheduler,
        "guidance": arguments.guidance,
        "shift": arguments.shift,
        "init_latent_id": arguments.latent,
        "t_start": arguments.t_start,
        "resume_sample_index": arguments.item,
        "checkpoint_step": arguments.checkpoint_step,
        "priority": arguments.priority,
    }
    return {name: value for name, value in params.items() if value is not None}


def _lyrics(name: str) -> str:
    """The words in a file, or on stdin. Raises INVALID_PARAMS."""
    try:
        data = sys.stdin.buffer.read(MAX_LYRICS + 1) if name == "-" else _beginning(Path(name).expanduser())
        text = data.decode("utf-8-sig").replace("\r\n", "\n").strip()
    except OSError as error:
        raise LofiError("INVALID_PARAMS", f"The lyrics in {name} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise LofiError("INVALID_PARAMS", f"The lyrics in {name} are not in UTF-8; save them so.") from error
    if not text:
        raise LofiError("INVALID_PARAMS", f"There are no words in {name}.")
    if len(data) > MAX_LYRICS:
        raise LofiError("INVALID_PARAMS", f"There are more than {MAX_LYRICS} bytes in {name}, too many for a song.")
    return text


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_LYRICS + 1)


def _seed(text: str) -> int | str:
    """As the wire wants it: a number while JSON readers hold it exactly. What is no number the daemon names."""
    if text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= MAX_JSON_INT:
        return int(text)
    return text


def made(track: dict[str, Any], cached: bool) -> str:
    short = track["id"][:SHORT_ID]
    what = f"{clock(track['duration_sec'])} by {track['backend']}, seed {track['seed']}, track {short}"
    if cached:
        return f"Already in the library: {what}."
    return f"Made {what}, in {track['generation_time_sec']:.1f} s."


class Generating:
    """One generation, from the request ``method`` to its end. ``stages`` collects the ends of a pipeline's."""

    def __init__(self, client: DaemonClient, context: Context, method: str = "generate") -> None:
        self._client = client
        self._context = context
        self._method = method
        self._progress = Progress(context.terminal, "Composing")
        self.stages: list[dict[str, Any]] = []

    def run(self, params: dict[str, object]) -> tuple[list[dict[str, Any]], bool]:
        """The tracks and whether the library had them. Ctrl-C cancels the job before it gets through."""
        own_id = os.urandom(16).hex()
        try:
            accepted = self._client.request(self._method, params | {"job_id": own_id})
            self._event("accepted", accepted)
            if accepted["status"] == "queued" and not self._context.json:
                self._progress.note(f"Waiting; {accepted['position']} in the queue.")
            return self._follow(accepted["job_id"])
        except (KeyboardInterrupt, SystemExit):
            # A job of someone else's that this request joined is theirs; and it may have ended in this very moment.
            with contextlib.suppress(LofiError):
                self._cancel(own_id)
            raise
        finally:
            self._progress.close()

    def _follow(self, job_id: str) -> tuple[list[dict[str, Any]], bool]:
        while True:
            notification = self._client.next_notification()
            assert notification is not None
            method, params = notification.method, notification.params
            if method == "engine_notice":
                self._notice(params)
            if params.get("job_id") != job_id:
                continue
            self._event(method, params)
            if method == "generation_started":
                self._show(0, None)
            elif method == "generation_progress":
                stage = f", stage {params['stage_index']}" if params["stages"] > 1 else ""
                self._show(params["percent"], params["eta_sec"], stage)
            elif method == "stage_complete":
                self.stages.append(params)
            elif method == "generation_complete":
                return list(params["tracks"]), bool(params["cached"])
            elif method == "generation_error":
                raise LofiError(params["code"], params["message"])
            elif method == "generation_cancelled":
                raise LofiError("GENERATION_CANCELLED", "The generation was cancelled.")

    def _cancel(self, job_id: str) -> None:
        self._progress.close()
        self._client.request("cancel", {"job_id": job_id}, timeout=CANCEL_WITHIN_SEC)
        while notification := self._client.next_notification(CANCEL_WITHIN_SEC):
            if notification.params.get("job_id") == job_id and notification.method != "generation_progress":
                self._event(notification.method, notification.params)
                break
        if not self._context.json:
            self._context.terminal.say("Cancelled.")

    def _show(self, percent: float, eta_sec: float | None, about: str = "") -> None:
        if not self._context.json:
            self._progress.update(percent, eta_sec, about)

    def _notice(self, params: dict[str, Any]) -> None:
        if self._context.json:
            self._event("engine_notice", params)
        else:
            self._progress.note(params["message"])

    def _event(self, name: str, params: dict[str, Any]) -> None:
        if self._context.json:
            self._context.terminal.document({"event": name} | params)
