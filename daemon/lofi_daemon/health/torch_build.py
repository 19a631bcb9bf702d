"""Which PyTorch is installed, read from its files: importing it takes seconds and hundreds of megabytes."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """``cuda`` and ``hip`` are the versions of CUDA and ROCm that it was built for; None where it was not."""

    version: str
    cuda: str | None = None
    hip: str | None = None

    def __str__(self) -> str:
        of = f"CUDA {self.cuda}" if self.cuda else f"ROCm {self.hip}" if self.hip else ""
        return f"PyTorch {self.version}" + (f" for {of}" if of else "")


def find_package(name: str) -> Path | None:
    """The folder of the package ``name``, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def installed(find: Callable[[str], Path | None] = find_package) -> TorchBuild | None:
    """None if there is no torch. Its version is "unknown" where its files are not as expected."""
    folder = find("torch")
    if folder is None:
        return None
    try:
        values = _assigned((folder / "version.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        values = {}
    version = values.get("__version__") or "unknown"
    return TorchBuild(version, values.get("cuda"), values.get("hip"))


def _assigned(source: str) -> dict[str, str]:
    """The names that a module sets to texts, annotated or not."""
    found: dict[str, str] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
            found |= {target.id: statement.value.value for target in targets if isinstance(target, ast.Name)}
    return found
