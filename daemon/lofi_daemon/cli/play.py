"""`lofi play`: music in the foreground until it ends or Ctrl-C fades it out."""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import TYPE_CHECKING, Any

from ..client import DaemonClient, Notification
from ..errors import LofiError
from .context import Context
from .exits import Exit
from .progress import LiveLine
from .text import SHORT_ID, clock, fit, printable

if TYPE_CHECKING:
    from .parser import Adder

REFRESH_SEC = 0.5
FADE_WITHIN_SEC = 2.0


def add(adder: Adder) -> None:
    parser = adder.command(
        "play",
        "play a track, the newest if none is named",
        "play\nplay 3fa85c\nplay --set player.volume=0.3",
        description="Play a track in the foreground, showing the position. Ctrl-C fades it out and ends.\n"
        "A track is named by its id or the beginning of it (6 characters or more), as `lofi list` shows it.",
    )
    parser.add_argument("track", nargs="?", metavar="TRACK", help="id of the track (default: the newest)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    with context.connect() as client:
        return play(client, context, arguments.track)


def play(client: DaemonClient, context: Context, track_id: str | None) -> int:
    """Play to the end. Raises AUDIO_DEVICE_ERROR if there is nothing to play through."""
    state = client.request("play", {} if track_id is None else {"track_id": track_id}, timeout=60)
    if state["state"] == "no_device":
        raise LofiError("AUDIO_DEVICE_ERROR", f"{state.get('message') or 'No audio device.'} `lofi doctor` says more.")
    track = client.request("cache_get", {"track_id": state["track_id"]})
    try:
        return Playing(client, context, track, state).follow()
    except (KeyboardInterrupt, SystemExit):  # a shared daemon would play on without us
        with contextlib.suppress(LofiError):  # it may have ended in this very moment
            _stop(client, context)
        raise


def _stop(client: DaemonClient, context: Context) -> None:
    client.request("stop", timeout=FADE_WITHIN_SEC)
    # Leaving before the fade has reached the speakers would cut it.
    deadline = time.monotonic() + FADE_WITHIN_SEC
    while (left := deadline - time.monotonic()) > 0:
        notification = client.next_notification(left)
        if notification and notification.method == "playback_ended":
            if context.json:
                context.terminal.document({"event": "playback_ended"} | notification.params)
            return


class Playing:
    """The line that shows the position, moved by a clock between what the daemon says."""

    def __init__(self, client: DaemonClient, context: Context, track: dict[str, Any], state: dict[str, Any]) -> None:
        self._client = client
        self._context = context
        self._track = track
        self._line = LiveLine(context.terminal)
        self._moves = state["state"] == "playing"
        self._position = float(state.get("position_sec", 0.0))
        self._since = time.monotonic()

    def follow(self) -> int:
        terminal = self._context.terminal
        if not self._context.json and not terminal.live:
            terminal.say(f"Playing {self._title()} ({clock(self._track['duration_sec'])})")
        try:
            while True:
                if not self._context.json and terminal.live:
                    self._line.show(self._text())
                notification = self._client.next_notification(REFRESH_SEC)
                if notification and self._take(notification):
                    return Exit.OK
        finally:
            self._line.clear()

    def _take(self, notification: Notification) -> bool:
        """Whether that was the end. Raises AUDIO_DEVICE_ERROR if it ended for want of a device."""
        method, params = notification.method, notification.params
        if self._context.json and (method.startswith("playback_") or method == "engine_notice"):
            self._context.terminal.document({"event": method} | params)
        elif method == "engine_notice":
            self._line.note(printable(params["message"]))
        if params.get("track_id") != self._track["id"]:
            return False
        if method in ("playback_started", "playback_resumed", "playback_paused"):
            self._position = params.get("position_sec", 0.0)
            self._since = time.monotonic()
            self._moves = method != "playback_paused"
        elif method == "playback_ended":
            if params["reason"] == "error":
                raise LofiError("AUDIO_DEVICE_ERROR", "Playback broke off. `lofi doctor` says more.")
            return True
        return False

    def _text(self) -> str:
        passed = time.monotonic() - self._since if self._moves else 0.0
        total = self._track["duration_sec"]
        state = "Playing" if self._moves else "Paused"
        text = f"{state} {clock(min(self._position + passed, total))} / {clock(total)}  {self._title()}"
        return fit(text, self._context.terminal.cells - 1)

    def _title(self) -> str:
        return f"{self._track['id'][:SHORT_ID]}  {printable(self._track['prompt'])}"
