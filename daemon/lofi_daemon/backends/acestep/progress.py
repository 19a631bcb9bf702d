"""How far a track is, in units of work: an evaluation of the transformer on one item is ten of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from acestep_core.checkpoint import Checkpoint, going_on
from acestep_core.sampler import Condition, Model, Settings

UNIT = 10
DECODING_COST = 6.0
"""What decoding an item costs, in evaluations, before it was measured: 5 with the kernels, 12 without."""


class Progress:
    """Tells ``step`` (``RenderContext.step``), which is also where a cancel takes effect.

    ``decoding_cost`` is that of an item, in evaluations; 0 where nothing is decoded.
    """

    def __init__(
        self,
        step: Callable[[int, int], None],
        settings: Settings,
        start: Tensor | Checkpoint,
        batch: int,
        decoding_cost: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step, self._clock = step, clock
        self._evaluations = batch * evaluations(settings, start)
        self._decoding = round(UNIT * batch * decoding_cost)
        self._total = UNIT * self._evaluations + self._decoding or 1
        self._batch = batch
        self._evaluated = 0
        self._frames = self._decoded = 0
        self._began = self._sampled = 0.0

    def begin(self) -> None:
        """All is loaded that the first step needs."""
        self._began = self._clock()
        self._step(0, self._total)

    def evaluated(self, count: int) -> None:
        """So many further evaluations, each of one item."""
        self._evaluated = min(self._evaluated + count, self._evaluations)
        self._sampled = self._clock()
        self._step(UNIT * self._evaluated, self._total)

    def decodes(self, frames: int) -> None:
        """From now on; so many of all items."""
        self._frames = frames
        self._decoding_began = self._clock()
        self._step(UNIT * self._evaluations, self._total)

    def decoded(self, frames: int) -> None:
        """So many more."""
        self._decoded = min(self._decoded + frames, self._frames)
        self._step(UNIT * self._evaluations + self._decoding * self._decoded // self._frames, self._total)

    def decoding_cost(self) -> float | None:
        """Of an item, in evaluations, as it was; None where nothing was evaluated."""
        if not self._evaluated:
            return None
        an_evaluation = (self._sampled - self._began) / self._evaluated
        an_item = (self._clock() - self._decoding_began) / self._batch
        return min(max(an_item / max(an_evaluation, 1e-9), 0.1), 1000.0)


def evaluations(settings: Settings, start: Tensor | Checkpoint) -> int:
    """Of the transformer, for one item: two where a step is guided, and twice as many with Heun."""
    grid, first = settings.grid, 0
    if isinstance(start, Checkpoint):
        going = going_on(start, grid, settings.guidance.kind, settings.switch_step, start.x.shape)
        grid, first = going.grid, going.first
    last = len(grid) - 2
    count = 0
    for step in range(first, last + 1):
        count += 1 + settings.guidance.at(grid[step])
        if settings.solver == "heun" and not (settings.distilled and step == last):
            count += 1 + settings.guidance.at(grid[step + 1])
    return count


class Velocities:
    """The model, telling of each evaluation. ``apart``: each item for itself, so that its samples are those that its
    seed makes alone, to the last bit; a processor loses nothing by it, a GPU would."""

    def __init__(self, model: Model, progress: Progress, apart: bool) -> None:
        self._model, self._progress, self._apart = model, progress, apart
        self._split: tuple[Condition, list[Condition]] | None = None

    def velocity(self, x: Tensor, t: float, condition: Condition) -> Tensor:
        if not self._apart:
            v = self._model.velocity(x, t, condition)
            self._progress.evaluated(len(x))
            return v
        made = []
        for one, heard in zip(torch.split(x, 1), self._items(condition), strict=True):
            made.append(self._model.velocity(one, t, heard))
            self._progress.evaluated(1)
        return torch.cat(made)

    def velocities(self, x: Tensor, t: float, condition: Condition) -> tuple[Tensor, Tensor]:
        if not self._apart:
            both = self._model.velocities(x, t, condition)
            self._progress.evaluated(2 * len(x))
            return both
        with_condition, without = [], []
        for one, heard in zip(torch.split(x, 1), self._items(condition), strict=True):
            v_c, v_u = self._model.velocities(one, t, heard)
            with_condition.append(v_c)
            without.append(v_u)
            self._progress.evaluated(2)
        return torch.cat(with_condition), torch.cat(without)

    def _items(self, condition: Condition) -> list[Condition]:
        """The same objects at every step, and for all items that hear the same: what the model knows of them holds."""
        if self._split is None or self._split[0] is not condition:
            encoders, contexts = _items(condition.encoder), _items(condition.context)
            made = [Condition(encoder, context) for encoder, context in zip(encoders, contexts, strict=True)]
            if encoders[0] is encoders[-1] and contexts[0] is contexts[-1]:
                made = made[:1] * len(made)
            self._split = condition, made
        return self._split[1]


def _items(tensor: Tensor) -> list[Tensor]:
    """One by one; the same object where one was expanded to all."""
    if tensor.stride(0) == 0:
        return [tensor[:1]] * len(tensor)
    return list(torch.split(tensor, 1))
