"""What a backend must offer: a torch-free description for the front, an engine for the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..model import NoticeLevel, StageParams

if TYPE_CHECKING:  # the front reads this file and must not load numpy
    import numpy as np
    from numpy.typing import NDArray


class GenerationCancelled(Exception):
    """Raised by ``RenderContext.step`` once the user has cancelled; engines let it pass."""


class RenderContext(Protocol):
    """The worker's side of a running stage."""

    def step(self, done: int, total: int) -> None:
        """Tell progress inside this stage; raises ``GenerationCancelled`` if the user has cancelled."""

    def notice(self, level: NoticeLevel, message: str) -> None:
        """Say a change of device, backend or quality to the user."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """One finished batch item.

    ``audio`` is float32 [frames, channels] in −1…1, already mastered. ``lufs`` is its integrated
    loudness if the engine measured it. ``metadata`` (JSON values) becomes the track's ``lm_metadata``.
    """

    audio: NDArray[np.float32]
    sample_rate: int
    lufs: float | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


class Engine(Protocol):
    """The worker half. Made once per worker by ``make_engine()`` of the backend's ``engine`` module."""

    device: str

    def render(self, params: StageParams, context: RenderContext) -> list[Rendering]:
        """All batch items of one stage, in order.

        Raises ``LofiError`` (MODEL_*, UNSUPPORTED) and ``GenerationCancelled``.
        """

    def unload(self) -> bool:
        """Free the model's memory; whether there was anything to free."""
