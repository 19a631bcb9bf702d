"""The commands that mend things, as they have to be typed for this installation."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PORTAUDIO = {
    "apt-get": "sudo apt-get install libportaudio2",
    "dnf": "sudo dnf install portaudio",
    "pacman": "sudo pacman -S portaudio",
    "zypper": "sudo zypper install libportaudio2",
    "brew": "brew install portaudio",
}
PIPEWIRE_ALSA = {
    "apt-get": "sudo apt-get install pipewire-alsa",
    "dnf": "sudo dnf install pipewire-alsa",
    "pacman": "sudo pacman -S pipewire-alsa",
    "zypper": "sudo zypper install pipewire-alsa",
}
PULSE_ALSA = {
    "apt-get": "sudo apt-get install libasound2-plugins",
    "dnf": "sudo dnf install alsa-plugins-pulseaudio",
    "pacman": "sudo pacman -S pulseaudio-alsa",
    "zypper": "sudo zypper install alsa-plugins-pulse",
}

Which = Callable[[str], str | None]


def of_system(choices: dict[str, str], otherwise: str, which: Which = shutil.which) -> str:
    """Of ``choices``, by package manager, the one for the manager that is here."""
    return next((text for tool, text in choices.items() if which(tool)), otherwise)


@dataclass(frozen=True, slots=True)
class Installation:
    """``root`` is the plugin's folder, None where lofi was installed as a package; ``prefix`` the Python environment
    that it is installed into."""

    root: Path | None
    prefix: Path
    python: Path

    @classmethod
    def here(cls) -> Installation:
        root = Path(__file__).parents[3]
        has_makefile = (root / "Makefile").exists() and (root / "plugin" / "lofi.lua").exists()
        return cls(root if has_makefile else None, Path(sys.prefix), Path(sys.executable))

    def again(self) -> str:
        """Installs everything anew."""
        if self._by_make():
            return f"make -C {shown(self.root)} clean install"
        return f"{self.pip()} install --force-reinstall {self._package('')}"

    def with_extra(self, name: str) -> str:
        """Adds the Python packages of the extra ``name``."""
        if self._by_make():
            return f"make -C {shown(self.root)} install EXTRAS={name}"
        return f"{self.pip()} install {self._package(name)}"

    def pip(self) -> str:
        return f"{shown(self.python)} -m pip"

    def _by_make(self) -> bool:
        return self.root is not None and self.prefix == self.root / ".venv"

    def _package(self, extra: str) -> str:
        brackets = f"[{extra}]" if extra else ""
        if self.root is None:
            return f"'lofi-daemon{brackets}'" if extra else "lofi-daemon"
        return f"--editable '{self.root}{brackets}'"


def shown(path: Path | None) -> str:
    """``path`` as one types it: from ~ on, where that needs no quotes."""
    text = str(path)
    if shlex.quote(text) != text:
        return shlex.quote(text)
    home = str(Path.home())
    return "~" + text.removeprefix(home) if text.startswith(home + "/") else text
