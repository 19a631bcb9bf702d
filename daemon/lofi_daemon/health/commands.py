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

C_COMPILER = {
    "apt-get": "sudo apt-get install gcc",
    "dnf": "sudo dnf install gcc",
    "pacman": "sudo pacman -S gcc",
    "zypper": "sudo zypper install gcc",
    "brew": "xcode-select --install",
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
        has_makefile = (root / "Makefile").exists() and (root / "lua" / "lofi" / "init.lua").exists()
        return cls(root if has_makefile else None, Path(sys.prefix), Path(sys.executable))

    def again(self) -> str:
        """Installs everything anew, with the extras that were chosen."""
        if not self._by_make():
            return f"{self.pip()} install --force-reinstall {self._package('')}"
        extras = ",".join(self._chosen_extras())
        return self._make(f"clean install{f' EXTRAS={extras}' if extras else ''}")

    def with_extra(self, name: str) -> str:
        """Adds the Python packages of the extra ``name``."""
        return (
            self._make(f"install EXTRAS={name}") if self._by_make() else f"{self.pip()} install {self._package(name)}"
        )

    def with_torch(self, build: str) -> str:
        """Takes another build of PyTorch: "default" is that of pip's index, else a folder of download.pytorch.org."""
        if self._by_make():
            return self._make(f"install TORCH={build}")
        index = "" if build == "default" else f" --index-url https://download.pytorch.org/whl/{build}"
        return f"{self.pip()} install --force-reinstall torch{index}"

    def pip(self) -> str:
        return f"{shown(self.python)} -m pip"

    def _make(self, what: str) -> str:
        elsewhere = "" if self.root and self.prefix == self.root / ".venv" else f" VENV={shown(self.prefix)}"
        return f"make -C {shown(self.root)} {what}{elsewhere}"

    def _by_make(self) -> bool:
        """Whether scripts/install.sh made it, and so can change it."""
        return self.root is not None and (self.prefix / ".installed").exists()

    def _chosen_extras(self) -> list[str]:
        try:
            return (self.prefix / ".extras").read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            return []

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
