"""What `lofi doctor` looks at. Each check says what was found and, where something is wrong, what mends it."""

from __future__ import annotations

import ctypes.util
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import PROTOCOL_VERSION, __version__
from ..client import DaemonClient
from ..config import Loaded
from ..errors import LofiError
from ..player.probe import Found, probe_in_child
from .text import size

Level = Literal["ok", "warn", "fail"]

MIN_NVIM = (0, 11)
LOW_SPACE_BYTES = 500_000_000
CHILD_TIMEOUT_SEC = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """``fix`` is what to do about it; empty if all is well. Only "fail" keeps music from being made."""

    name: str
    level: Level
    found: str
    fix: str = ""


def python() -> Check:
    return Check("Python", "ok", f"{platform.python_version()} at {sys.executable}; lofi {__version__}")


def libraries() -> Check:
    """In a child, because a broken native library may take its process along."""
    code = "import msgspec, numpy, scipy.signal, soundfile, soxr"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=CHILD_TIMEOUT_SEC, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        problem = (done.stderr.strip().splitlines() or ["it crashed"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = f"it took more than {CHILD_TIMEOUT_SEC:.0f} s"
    if problem:
        return Check("libraries", "fail", f"the composer's libraries do not load: {problem}", "make clean install")
    return Check("libraries", "ok", "numpy, scipy, soundfile and soxr load")


def settings(loaded: Loaded, file: Path) -> Iterator[Check]:
    yield Check("settings", "ok", f"{file} ({'read' if file.exists() else 'not there; it is optional'})")
    for problem in loaded.problems:
        yield Check("settings", "warn", problem, "correct or remove that setting")


def daemon(client: DaemonClient) -> Check:
    """Starts ``client``. "fail" if it does not answer."""
    try:
        client.start()
        answer = client.request("ping", timeout=15)
    except LofiError as error:
        return Check("daemon", "fail", error.message, "make clean install; the log says more")
    found = f"version {answer['version']}, protocol {answer['protocol']}"
    if answer.get("shared"):
        found += f", shared by all editors as pid {answer['pid']}, log {answer['log']}"
    if answer["protocol"] != PROTOCOL_VERSION:
        return Check("daemon", "fail", f"{found}; this `lofi` speaks {PROTOCOL_VERSION}", "make install")
    return Check("daemon", "ok", found)


def cache(root: Path) -> Check:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=root):
            pass
        free = shutil.disk_usage(root).free
    except OSError as error:
        text = f"{root} cannot be written ({error.strerror})"
        return Check("cache", "fail", text, "free or repair it, or name another folder: LOFI_CACHE_PATH=…")
    if free < LOW_SPACE_BYTES:
        fix = "free some space, or name another folder: LOFI_CACHE_PATH=…"
        return Check("cache", "warn", f"{root}: only {size(free)} free", fix)
    return Check("cache", "ok", f"{root}, {size(free)} free")


def stored(client: DaemonClient) -> Check:
    try:
        stats = client.request("cache_stats")
    except LofiError as error:
        return Check("library", "fail", error.message, "lofi reindex")
    limit = stats["max_bytes"]
    return Check(
        "library", "ok", f"{stats['count']} tracks, {size(stats['bytes'])} of {size(limit) if limit else 'any size'}"
    )


def portaudio() -> Check:
    """As the sounddevice package finds it: bundled in its wheel (macOS, Windows) or in the system."""
    if importlib.util.find_spec("_sounddevice_data"):
        return Check("PortAudio", "ok", "bundled with sounddevice")
    library = ctypes.util.find_library("portaudio")
    if library:
        return Check("PortAudio", "ok", library)
    return Check("PortAudio", "warn", "not installed; miniaudio plays instead", portaudio_command())


def portaudio_command() -> str:
    commands = {
        "apt-get": "sudo apt-get install libportaudio2",
        "dnf": "sudo dnf install portaudio",
        "pacman": "sudo pacman -S portaudio",
        "zypper": "sudo zypper install libportaudio2",
        "brew": "brew install portaudio",
    }
    return next(
        (text for tool, text in commands.items() if shutil.which(tool)),
        "install PortAudio with your system's package manager",
    )


def sound(output: str) -> Iterator[Check]:
    """``output`` is the setting player.output."""
    if output == "none":
        yield Check("sound", "ok", 'off (player.output = "none")')
        return
    reasons = []
    for kind in ("sounddevice", "miniaudio") if output == "auto" else (output,):
        answer = probe_in_child(kind)
        if isinstance(answer, Found):
            yield Check("sound", "ok", f"{answer.device}, through {kind}")
            return
        reasons.append(answer.reason)
    fix = "connect a device or start the sound server (PipeWire, PulseAudio); tracks can be made without one"
    yield Check("sound", "warn", f"no device: {' '.join(reasons)}", fix)


def neovim(path: str | None) -> Check:
    """``path`` of the nvim to ask, None if there is none."""
    wanted = ".".join(map(str, MIN_NVIM))
    if path is None:
        return Check(
            "Neovim", "warn", "not on PATH; the plugin needs it, `lofi` does not", f"install Neovim {wanted} or later"
        )
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=CHILD_TIMEOUT_SEC, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        first = done.stdout.partition("\n")[0]
    except (OSError, subprocess.TimeoutExpired) as error:
        first = str(error)
    version = re.match(r"NVIM v(\d+)\.(\d+)", first)
    if not version:
        return Check("Neovim", "warn", f"{path} does not say its version: {first}", f"install Neovim {wanted} or later")
    if (int(version[1]), int(version[2])) < MIN_NVIM:
        return Check(
            "Neovim", "warn", f"{first} at {path} is too old for the plugin", f"install Neovim {wanted} or later"
        )
    return Check("Neovim", "ok", f"{first} at {path}")


def backends(client: DaemonClient) -> Iterator[Check]:
    answer: dict[str, Any] = client.request("get_backends")
    for backend in answer["backends"]:
        default = ", the default" if backend["type"] == answer["default_backend"] else ""
        about = f"{backend['name']}: {backend['status'].replace('_', ' ')}{default}"
        level: Level = "warn" if backend["status"] == "error" else "ok"
        if backend.get("message"):
            about += f" ({backend['message']})"
        yield Check(f"backend {backend['type']}", level, about)


def nvim_path() -> str | None:
    """The user's Neovim, else the one in this environment."""
    return shutil.which("nvim") or shutil.which("nvim", path=str(Path(sys.executable).parent))
