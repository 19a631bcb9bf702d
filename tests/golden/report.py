"""One case: its name, how far off it is, how far off it may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Case:
    name: str
    error: float
    tolerance: float
    note: str = ""

    @property
    def failed(self) -> bool:
        return not self.error <= self.tolerance  # NaN fails

    def __str__(self) -> str:
        verdict = "FAILED" if self.failed else "ok"
        note = f"  {self.note}" if self.note else ""
        return f"{verdict:6} {self.name}  error {self.error:.3g}  tolerance {self.tolerance:.3g}{note}"


def distance(made: Tensor, recorded: Tensor) -> float:
    """The largest absolute difference; infinite where the shapes differ, and for NaN, which max() may lose.

    For bools and integers: how many differ.
    """
    if made.shape != recorded.shape:
        return math.inf
    if not recorded.dtype.is_floating_point:
        return float((made.long() != recorded.long()).sum())
    if not made.numel():
        return 0.0
    worst = float((made.double() - recorded.double()).abs().max())
    return math.inf if math.isnan(worst) else worst


def differences(made: object, recorded: object) -> float:
    """0 where two values are the same, else infinite."""
    return 0.0 if made == recorded else math.inf


def attempt(name: str, tolerance: float, check: Callable[[], float]) -> Case:
    """A check that raises has failed, and says so."""
    try:
        return Case(name, check(), tolerance)
    except Exception as error:
        return Case(name, math.inf, tolerance, f"{type(error).__name__}: {error}")


def unchecked(keys: set[str]) -> Iterator[Case]:
    """What nobody looked at has not been shown to be right."""
    for key in sorted(keys):
        yield Case(key, math.inf, 0.0, "no check is known for this key")


def load(path: str) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)
