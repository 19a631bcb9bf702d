"""How much memory there is, and how much the parts of a model will take."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

_ITEM = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1}
_CGROUP = Path("/sys/fs/cgroup")


def available(device: torch.device) -> int:
    """Bytes that can be had on ``device`` now; on a system that does not tell, half of all it has."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return min(int(kilobytes) * 1024, _left_in_group())
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) // 2


def _left_in_group() -> int:
    """What a container may still take."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        cached = next(
            int(line.split()[1])
            for line in (_CGROUP / "memory.stat").read_text("ascii").splitlines()
            if line.startswith("inactive_file ")
        )
    except (OSError, ValueError, StopIteration):
        return sys.maxsize
    return sys.maxsize if limit == "max" else int(limit) - used + cached


def elements(folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> int:
    """How many numbers those tensors of ``folder`` hold whose names are wanted, from the headers; 0 for what cannot be
    read."""
    return sum(_elements(path, wanted) for path in folder.glob("*.safetensors"))


def _elements(path: Path, wanted: Callable[[str], bool]) -> int:
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = [entry for name, entry in header.items() if name != "__metadata__" and wanted(name)]
        return sum(
            (entry["data_offsets"][1] - entry["data_offsets"][0]) // _ITEM.get(entry["dtype"], 4) for entry in tensors
        )
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError):
        return 0  # loading it will say what is wrong
