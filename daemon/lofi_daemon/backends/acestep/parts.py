"""The parts of a model, each loaded when it is first needed and kept while there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import platformdirs
import torch
from diffusers import AceStepTransformer1DModel, AutoencoderOobleck
from torch import Tensor

from acestep_core.errors import LoadError
from acestep_core.native import kernels
from acestep_core.native.build import CannotBuildError
from acestep_core.native.kernels import Kernels
from acestep_core.v15 import layout, loading, lora, vae
from acestep_core.v15.layout import Layout
from acestep_core.v15.modules import Conditioner, Denoiser
from acestep_core.v15.text import TextEncoder

from ...config import APP
from ...errors import LofiError
from ...model import Lora, NoticeLevel
from .. import care
from . import memory

SPARE = 2 << 30
"""Bytes for what is computed beside the weights: ten minutes of music in the transformer, a tile in the decoder."""

MPS_TILE = 32
"""Apple's GPU fails with longer ones."""

Part = TypeVar("Part")


class Parts:
    """One model on one device in one precision. Raises MODEL_NOT_FOUND and MODEL_LOAD_FAILED.

    Before a part is loaded, those that the next steps do not need leave memory, in the order in which they are needed
    again last, until what is left is enough for it: with plenty all stay, with little there is one at a time.
    """

    def __init__(
        self,
        folders: Sequence[str],
        variant: str,
        precision: str,
        device: str,
        adapters: tuple[Lora, ...] = (),
        notice: Callable[[NoticeLevel, str], None] = lambda level, message: None,
        available: Callable[[torch.device], int] = memory.available,
    ) -> None:
        self.key = (tuple(folders), variant, precision, device, adapters)
        self.device = torch.device(device)
        self._dtype = getattr(torch, precision)
        self._adapters = adapters
        self._available = available
        self._held: dict[str, object] = {}
        try:
            self.layout: Layout = layout.find([Path(folder) for folder in folders], variant)
        except LoadError as error:
            raise LofiError("MODEL_NOT_FOUND", _again(str(error), variant), field="model", got=variant) from error
        self._sizes = self._measured()
        self._kernels = _kernels(notice) if self.device.type == "cpu" and precision == "bfloat16" else None

    def text(self) -> TextEncoder:
        """Reads words; not needed again until the words change."""
        return self._part("text", loading.load_text_encoder)

    def conditioner(self) -> Conditioner:
        return self._part("conditioner", loading.load_conditioner)

    def transformer(self) -> AceStepTransformer1DModel:
        """With its adapters merged in."""
        return self._part("transformer", self._adapted)

    def denoiser(self, null: Tensor) -> Denoiser:
        """The transformer at work; ``null`` is the conditioner's."""
        return Denoiser(self.transformer(), null, self._kernels)

    def decode(self, latent: Tensor) -> Iterator[Tensor]:
        """The sound of ``latent`` [frames, 64], piece by piece (``acestep_core.v15.vae.decode``)."""
        tile = MPS_TILE if self.device.type == "mps" else vae.TILE
        return vae.decode(self.vae(), latent.to(self.device), tile, self._kernels)

    def vae(self) -> AutoencoderOobleck:
        return self._part("vae", loading.load_vae)

    def held(self) -> tuple[str, ...]:
        """The names of those in memory."""
        return tuple(self._held)

    def _adapted(self, found: Layout, dtype: torch.dtype, device: torch.device) -> AceStepTransformer1DModel:
        made = loading.load_transformer(found, dtype, device)
        for adapter in self._adapters:
            try:
                lora.merge(made, Path(adapter.path).expanduser(), adapter.scale)
            except LoadError as error:
                raise LofiError("INVALID_PARAMS", str(error), field="lora", got=adapter.path) from error
        return made

    def _part(self, name: str, load: Callable[[Layout, torch.dtype, torch.device], Part]) -> Part:
        if name not in self._held:
            self._make_room(name)
            try:
                self._held[name] = load(self.layout, self._dtype, self.device)
            except LoadError as error:
                raise LofiError("MODEL_LOAD_FAILED", str(error)) from error
        return self._held[name]  # type: ignore[return-value]

    def _make_room(self, name: str) -> None:
        for other in ("text", "conditioner", "transformer", "vae"):
            if self._available(self.device) >= self._sizes[name] + SPARE:
                return
            if self._held.pop(other, None) is not None:
                care.give_back()

    def _measured(self) -> dict[str, int]:
        """Bytes of each part in our precision."""
        found = self.layout
        if found.diffusers:
            elsewhere = ("condition_encoder", "audio_tokenizer", "audio_token_detokenizer")
            transformer = memory.elements(found.model / "transformer")
            rest = sum(memory.elements(found.model / part) for part in elsewhere)
        else:
            transformer = memory.elements(found.model, lambda name: name.startswith("decoder."))
            rest = memory.elements(found.model, lambda name: not name.startswith("decoder."))
        counted = {
            "text": memory.elements(found.text_encoder),
            "conditioner": rest,
            "transformer": transformer,
            "vae": memory.elements(found.vae),
        }
        sizes = {name: count * self._dtype.itemsize for name, count in counted.items()}
        return sizes | {"vae": counted["vae"] * torch.float32.itemsize}  # its decoder stays in float32 on a processor


def _kernels(notice: Callable[[NoticeLevel, str], None]) -> Kernels | None:
    """The fast way through bfloat16."""
    try:
        return kernels.load(platformdirs.user_cache_path(APP, appauthor=False) / "native")
    except CannotBuildError as error:
        notice("warn", f"ACE-Step is slower than it could be, because {error}; install gcc or clang and restart.")
        return None


def _again(problem: str, variant: str) -> str:
    return f"{problem.rstrip('.')} (lofi download ace_step_15 {variant}, or :LofiBackends in the editor)."
