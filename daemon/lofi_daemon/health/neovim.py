"""The editor, as a shell sees it. In the editor the plugin looks at it itself."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from .child import Run, run
from .commands import shown
from .finding import Finding

MIN_NVIM = (0, 11)
ANSWER_WITHIN_SEC = 20.0

_find = partial(Finding, "Neovim")
_INSTALL = (f"Install {'.'.join(map(str, MIN_NVIM))} or newer: https://neovim.io/doc/install",)


def look(path: str | None, environ: Mapping[str, str] = os.environ, ask: Run = run) -> Iterator[Finding]:
    """``path`` of the nvim to ask, None if there is none."""
    if path is None:
        yield _find("warn", "Neovim is not on PATH; the plugin needs it, `lofi` does not", _INSTALL)
        return
    answer = ask((path, "--version"), ANSWER_WITHIN_SEC, None)
    first = answer.problem or answer.out.partition("\n")[0]
    version = re.match(r"NVIM v(\d+)\.(\d+)", first)
    if version is None:
        yield _find("warn", f"{path} does not say its version: {first}", _INSTALL)
    elif (int(version[1]), int(version[2])) < MIN_NVIM:
        yield _find("warn", f"{first} at {path} is too old for the plugin", _INSTALL)
    else:
        yield _find("ok", f"{first} at {path}")
    log = plugin_log(environ)
    if log.exists():
        yield _find("ok", f"The plugin's log: {shown(log)}")


def find_nvim() -> str | None:
    """The user's Neovim, else the one in this environment."""
    return shutil.which("nvim") or shutil.which("nvim", path=str(Path(sys.executable).parent))


def plugin_log(environ: Mapping[str, str]) -> Path:
    """Neovim's stdpath("log"), which is the same on Linux and macOS."""
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / environ.get("NVIM_APPNAME", "nvim") / "lofi.log"
