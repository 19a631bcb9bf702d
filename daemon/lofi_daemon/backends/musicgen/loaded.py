"""A MusicGen model in memory, on one device, in one precision."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ...model import NoticeLevel
from ..base import Equipment
from .checkpoint import open_checkpoint
from .codec import Codec
from .crew import Cores
from .decoder import Embeddings, Layers, Text
from .melody import Prefix
from .native import build
from .native_decoder import NativeDecoder, Weights, declare, takes
from .precision import Precision
from .text import TextEncoder
from .torch_decoder import TorchDecoder, TorchWeights

Notice = Callable[[NoticeLevel, str], None]


class Loaded:
    """Everything between a prompt and sound. Raises MODEL_NOT_FOUND and MODEL_LOAD_FAILED when made."""

    def __init__(self, equipment: Equipment, device: str | None, notice: Notice, native: Path, threads: int) -> None:
        """``device`` overrules the equipment's."""
        self._key = (equipment.folders, equipment.precision, device or equipment.device)
        self.device = torch.device(device or equipment.device)
        self.precision: Precision = equipment.precision  # type: ignore[assignment]
        self.checkpoint = open_checkpoint(Path(equipment.folders[0]))
        self.config = self.checkpoint.decoder
        self.text = TextEncoder(self.checkpoint)
        self.embeddings = Embeddings(self.checkpoint)
        self.cores, self._notice = Cores(threads), notice
        self._library = self._native(native, notice) if self.device.type == "cpu" else None
        self._weights: Weights | TorchWeights
        if self._library:
            self._weights = Weights(self._library, self.checkpoint, self.precision)
        else:
            self._weights = TorchWeights(self.checkpoint, self.precision, self.device)
        self._prefix = Prefix(self.checkpoint) if self.config.melody else None
        self._cross = None if self.config.melody else Text(self.checkpoint)
        self.codec = Codec(self.checkpoint, self.device)

    def fits(self, equipment: Equipment, device: str | None) -> bool:
        """Whether it is the model that is asked for."""
        return self._key == (equipment.folders, equipment.precision, device or equipment.device)

    def layers(self, sequences: int, positions: int) -> Layers:
        """The stack of layers, with an empty memory of that size. Whoever takes it closes it."""
        if isinstance(self._weights, Weights):
            assert self._library
            return NativeDecoder(self._library, self._weights, sequences, positions, self.cores)
        return TorchDecoder(self._weights, sequences, positions, lambda message: self._notice("warn", message))

    def conditions(self, states: Tensor, batch: int, guided: bool) -> tuple[Tensor, Tensor, Tensor]:
        """What ``Layers.text`` takes for ``batch`` items of one prompt, the unconditional ones behind them.

        Not for melody models.
        """
        assert self._cross
        states = states.repeat(batch, 1, 1)
        mask = torch.ones(states.shape[:2])
        if guided:
            states = torch.cat([states, torch.zeros_like(states)])
            mask = torch.cat([mask, torch.zeros_like(mask)])
        return self._cross.keys_values(states, mask)

    def prefix(self, states: Tensor, batch: int, guided: bool, chroma: Tensor | None) -> Tensor:
        """What stands before the music of ``batch`` items of one prompt and melody. For melody models."""
        assert self._prefix
        states = states.repeat(batch, 1, 1)
        melody = None if chroma is None else chroma.repeat(batch, 1, 1)
        return self._prefix(states, torch.ones(states.shape[:2]), melody, guided)

    def _native(self, folder: Path, notice: Notice) -> ctypes.CDLL | None:
        if not takes(self.config):
            notice("warn", "This MusicGen is of an unusual size, for which there is no fast way; it will be slow.")
            return None
        try:
            library = build.load(folder)
        except build.CannotBuildError as error:
            notice("warn", f"MusicGen is slower than it could be, because {error}; install gcc or clang and restart.")
            return None
        declare(library)
        return library
