"""The GPUs of this machine, as its drivers tell of them."""

from __future__ import annotations

import os
import platform as this
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .child import Run, run
from .commands import Which

NVIDIA_SMI_WITHIN_SEC = 5.0

Maker = Literal["nvidia", "amd", "apple"]

_DRIVER = re.compile(r"\b(\d{3,}\.\d+(?:\.\d+)*)\b")


@dataclass(frozen=True, slots=True)
class Card:
    """``driver`` is its version where that is known; ``problem`` why it cannot be used, "" if it can."""

    maker: Maker
    name: str
    driver: str = ""
    memory_mib: int = 0
    problem: str = ""

    def __str__(self) -> str:
        more = [f"{self.memory_mib} MiB"] if self.memory_mib else []
        more += [f"driver {self.driver}"] if self.driver else []
        return ", ".join([self.name, *more])


@dataclass(frozen=True, slots=True)
class Machine:
    """``root`` is where the file system begins."""

    platform: str = sys.platform
    architecture: str = this.machine()
    root: Path = Path("/")
    which: Which = shutil.which
    ask: Run = run


def find(machine: Machine) -> list[Card]:
    """Asks nvidia-smi where it is, for up to ``NVIDIA_SMI_WITHIN_SEC``."""
    if machine.platform == "darwin":
        return [Card("apple", "Apple GPU (Metal)")] if machine.architecture == "arm64" else []
    return [*_nvidia(machine), *_amd(machine)]


def _nvidia(machine: Machine) -> Iterator[Card]:
    driver = _kernel_driver(machine.root / "proc/driver/nvidia/version")
    smi = machine.which("nvidia-smi")
    problem = ""
    if smi:
        query = (smi, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
        answer = machine.ask(query, NVIDIA_SMI_WITHIN_SEC, None)
        rows = [[cell.strip() for cell in line.split(",")] for line in answer.out.splitlines()]
        rows = [row for row in rows if len(row) == 3]
        if not answer.problem and rows:
            for name, memory, version in rows:
                yield Card("nvidia", name, version, int(memory) if memory.isdigit() else 0)
            return
        problem = answer.problem or answer.out.strip() or "it names no GPU"
    if driver is None:
        return  # nvidia-smi alone may be left over from a driver that has gone
    names = [_model(file) for file in sorted((machine.root / "proc/driver/nvidia/gpus").glob("*/information"))]
    for name in names or ["An NVIDIA GPU"]:
        yield Card("nvidia", name, driver, problem=problem and f"nvidia-smi: {problem}")


def _kernel_driver(file: Path) -> str | None:
    """The version of the kernel's module; None if it is not loaded."""
    try:
        version = _DRIVER.search(file.read_text())
    except OSError:
        return None
    return version[1] if version else ""


def _model(file: Path) -> str:
    try:
        name = re.search(r"^Model:\s*(.+?)\s*$", file.read_text(), re.MULTILINE)
    except OSError:
        name = None
    return name[1] if name else "An NVIDIA GPU"


def _amd(machine: Machine) -> Iterator[Card]:
    """Through ROCm's kernel interface, whose list of nodes has the processors too: those have no SIMD units."""
    kfd = machine.root / "dev/kfd"
    if not kfd.exists():
        return
    nodes = (machine.root / "sys/class/kfd/kfd/topology/nodes").glob("*/properties")
    for _ in filter(_is_gpu, nodes):
        usable = os.access(kfd, os.R_OK | os.W_OK)
        yield Card("amd", "AMD GPU (ROCm)", problem="" if usable else "you may not use /dev/kfd")


def _is_gpu(properties: Path) -> bool:
    try:
        units = re.search(r"^simd_count (\d+)", properties.read_text(), re.MULTILINE)
    except OSError:
        return False
    return units is not None and int(units[1]) > 0
