"""Ends the shared daemon and prints a command for each folder that stays when the plugin is uninstalled."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
from pathlib import Path

from lofi_daemon import config
from lofi_daemon.shared import early, place


def end_daemon() -> None:
    """The one that serves this user's library, if it runs: its programs are about to go."""
    seat = place.find(early.read().library)
    with contextlib.suppress(OSError), Path(seat.lock).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = seat.holder()
            if pid:
                os.kill(pid, signal.SIGTERM)


def size(folder: Path) -> int:
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    with contextlib.suppress(Exception):  # the daemon then ends by itself, a while later
        end_daemon()
    settings = config.load().settings
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    neovim = state / os.environ.get("NVIM_APPNAME", "nvim")
    places = {
        settings.cache_root: "tracks, models",
        settings.models_root: "models",
        settings.ace_step_root: "ACE-Step's models",
        config.config_file().parent: "your settings",
        config.log_file().parent: "the daemon's log",
        neovim / "lofi.log": "the plugin's log",
        neovim / "lofi-install.log": "the log of :LofiInstall",
    }
    told: list[Path] = []
    for folder, what in places.items():
        if folder.exists() and not any(folder.is_relative_to(known) for known in told):
            told.append(folder)
            print(f"  rm -r {shlex.quote(str(folder))}  # {what}, {size(folder) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
