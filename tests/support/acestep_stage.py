"""A stage of ACE-Step 1.5 without a daemon: the context that an engine is given, and what it was told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lofi_daemon.backends.acestep.info import V15
from lofi_daemon.backends.base import Equipment, Latent, LatentMade, Origin
from lofi_daemon.config import Settings
from lofi_daemon.library.latents.file import shape_and_dtype
from lofi_daemon.model import LatentRecord, StageParams
from lofi_daemon.stages.request import StageRequest
from lofi_daemon.stages.resolve import resolve


def params(seconds: float | None = 5, **more: Any) -> StageParams:
    """As the front makes them of a request."""
    asked = {"backend": "ace_step_15", "model": "turbo", "prompt": "lofi rain", "duration_sec": seconds, "seed": 3}
    request = msgspec.convert({k: v for k, v in (asked | more).items() if v is not None}, StageRequest)
    return resolve(request, Settings(), lambda: 0).params


def resumed(latent: Latent, seconds: float | None = None, **more: Any) -> StageParams:
    """The same of one that starts from ``latent``."""
    assert V15.resume
    asked = params(seconds, init_latent_id=latent.record.id, **more)
    return V15.resume(asked, latent.record, seconds is not None).params


class Context:
    """A ``RenderContext`` that remembers. ``stop_at``: the number of the step at which to raise ``stop``."""

    def __init__(self, folder: Path, of: StageParams, device: str = "cpu") -> None:
        self.equipment = Equipment("tiny", (str(folder),), "float32", device)
        self.heard = False
        self.wants_audio = True
        self.left_off: Latent | None = None
        self.parts: list[Any] = []
        self.steps: list[tuple[int, int]] = []
        self.notices: list[str] = []
        self.kept: list[Latent] = []
        self.autosaved: list[Latent] = []
        self.latents: dict[str, Latent] = {}
        self.sources: dict[str, Path] = {}
        self.starts_from: Origin | None = None
        self.stop_at = 0
        self.stop: BaseException = KeyboardInterrupt()
        self._params = of

    @property
    def sound(self) -> Any:
        return np.concatenate(self.parts)

    @property
    def final(self) -> Latent:
        return next(latent for latent in self.kept if not latent.record.is_checkpoint)

    @property
    def saved(self) -> Latent:
        """The checkpoint that was asked for."""
        return next(latent for latent in self.kept if latent.record.is_checkpoint)

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))
        if len(self.steps) == self.stop_at:
            raise self.stop

    def notice(self, level: str, message: str) -> None:
        self.notices.append(message)

    def audio(self, samples: Any, sample_rate: int) -> None:
        self.heard = True
        self.parts.append(samples)

    def latent(self, latent_id: str) -> Latent:
        return self.latents[latent_id]

    def source(self, track_id: str) -> Path:
        return self.sources[track_id]

    def origin(self) -> Origin | None:
        return self.starts_from

    def keep(self, made: LatentMade) -> None:
        self.kept.append(self._latent(made))

    def checkpoint(self, make: Callable[[], LatentMade]) -> None:
        self.autosaved.append(self._latent(make()))

    def _latent(self, made: LatentMade) -> Latent:
        shape, dtype = shape_and_dtype(made.blob)
        record = LatentRecord(
            id=f"{len(self.kept)}{len(self.autosaved):07}-0000-4000-8000-000000000000",
            shape=shape,
            dtype=dtype,
            model_variant=made.model_variant,
            stage_type=self._params.stage_type,
            is_checkpoint=made.checkpoint_step is not None,
            checkpoint_step=made.checkpoint_step,
            total_steps=made.total_steps,
            schedule=made.schedule,
            params=self._params,
            batch_size=shape[0],
            created_at="2026-11-21T00:00:00.000Z",
        )
        return Latent(record, made.blob)
