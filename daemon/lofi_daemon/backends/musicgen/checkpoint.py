"""A published MusicGen checkpoint: what its files say, and its tensors, read from the disk as they are needed.

The layout is Hugging Face's: ``config.json``, ``generation_config.json``, and ``model.safetensors`` or several parts
with ``model.safetensors.index.json``. Only safetensors are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...errors import LofiError
from .delay import Delays
from .sampling import Sampling

MELODY = "musicgen_melody"


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Sizes of the language model. ``start`` is the token before the music, one above the vocabulary."""

    layers: int
    hidden: int
    heads: int
    ffn: int
    codebooks: int
    vocabulary: int
    channels: Literal[1, 2]
    activation: Literal["gelu", "relu"]
    start: int
    melody: bool
    chroma_bins: int
    chroma_frames: int

    @property
    def delays(self) -> Delays:
        return Delays(self.codebooks, self.channels == 2, self.start)

    def before(self, tokens: int) -> int:
        """Positions that stand before the music: in melody models the melody and a text of so many tokens."""
        return self.chroma_frames + tokens if self.melody else 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``config`` is the whole of config.json; ``sampling`` what the model was published to be sampled with."""

    folder: Path
    config: Mapping[str, Any]
    decoder: DecoderConfig
    sampling: Sampling
    sample_rate: int
    frame_rate: int
    text_hidden: int
    _files: Mapping[str, Path]

    def names(self) -> list[str]:
        return sorted(self._files)

    def tensor(self, name: str, *shape: int) -> Tensor:
        """One tensor, float32 on the CPU. ``shape`` is what it has to be. Raises MODEL_LOAD_FAILED."""
        if name not in self._files:
            raise self.damaged(f"{name} is missing")
        try:
            with safe_open(self._files[name], framework="pt") as file:
                tensor: Tensor = file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise self.damaged(f"{self._files[name].name} cannot be read ({error})") from error
        if shape and tuple(tensor.shape) != shape:
            raise self.damaged(f"{name} has the shape {list(tensor.shape)}, not {list(shape)}")
        return tensor.to(torch.float32)

    def part(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Every tensor whose name begins with ``prefix``, by the rest of its name."""
        for name in self.names():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), self.tensor(name)

    def part_config(self, kind: type[Any], name: str) -> Any:
        """The configuration of a model of transformers' own. Raises MODEL_LOAD_FAILED."""
        try:
            return kind.from_dict(dict(self.config[name]))
        except Exception as error:  # each version checks in its own way
            raise self.damaged(f"{name} in config.json is not what it should be ({_first_line(error)})") from error

    def fill(self, kind: type[Any], config: Any, state: Mapping[str, Tensor], what: str) -> Any:
        """A model of transformers' own, made of these very tensors. Some may be left over. Raises MODEL_LOAD_FAILED."""
        try:
            with torch.device("meta"):
                model = kind(config)
            missing = model.load_state_dict(state, strict=False, assign=True).missing_keys
        except Exception as error:  # sizes that do not fit together, in config.json or in the file
            raise self.damaged(f"its {what} does not fit config.json ({_first_line(error)})") from error
        if missing:
            raise self.damaged(f"its {what} lacks {missing[0]}")
        return model

    def damaged(self, what: str) -> LofiError:
        return _failed(self.folder, what)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the small files and the names of the tensors. Raises MODEL_NOT_FOUND and MODEL_LOAD_FAILED."""
    if not (folder / "config.json").is_file():
        raise LofiError(
            "MODEL_NOT_FOUND",
            f"There is no MusicGen model in {folder}; get one: lofi download musicgen, or :LofiBackends in the editor.",
        )
    config = _json(folder, "config.json")
    generation = _json(folder, "generation_config.json") if (folder / "generation_config.json").is_file() else {}
    try:
        decoder = _decoder(config)
        audio = config["audio_encoder"]
        sample_rate = int(audio["sampling_rate"])
        text_hidden = int(config["text_encoder"]["d_model"])
        frame_rate = math.ceil(sample_rate / math.prod(map(int, audio["upsampling_ratios"])))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise _failed(folder, f"config.json lacks or mistakes {error}") from error
    sampling, files = _sampling(folder, generation), _index(folder)
    return Checkpoint(folder, config, decoder, sampling, sample_rate, frame_rate, text_hidden, files)


def _decoder(config: Mapping[str, Any]) -> DecoderConfig:
    part = config["decoder"]
    activation, channels = part.get("activation_function", "gelu"), int(part.get("audio_channels", 1))
    if activation not in ("gelu", "relu"):
        raise ValueError(f"activation_function {activation}")
    if channels not in (1, 2):
        raise ValueError(f"audio_channels {channels}")

    def size(name: str, multiple_of: int = 1) -> int:
        value = int(part[name])
        if value < 1 or value % multiple_of:
            raise ValueError(f"{name} {value}")
        return value

    heads, vocabulary = size("num_attention_heads"), size("vocab_size")
    start = int(part.get("pad_token_id", vocabulary))
    if not 0 <= start <= vocabulary:
        raise ValueError(f"pad_token_id {start}")
    return DecoderConfig(
        layers=size("num_hidden_layers"),
        hidden=size("hidden_size", 2 * heads),
        heads=heads,
        ffn=size("ffn_dim"),
        codebooks=size("num_codebooks", channels),
        vocabulary=vocabulary,
        channels=channels,  # type: ignore[arg-type]
        activation=activation,
        start=start,
        melody=config.get("model_type") == MELODY,
        chroma_bins=int(config.get("num_chroma", 12)),
        chroma_frames=int(config.get("chroma_length", 235)),
    )


def _sampling(folder: Path, generation: Mapping[str, Any]) -> Sampling:
    """Fields that the file leaves out are as transformers fills them in."""
    usual = Sampling(do_sample=False, guidance_scale=1.0)
    try:
        return Sampling(
            do_sample=bool(generation.get("do_sample", usual.do_sample)),
            guidance_scale=float(generation.get("guidance_scale") or usual.guidance_scale),
            temperature=float(generation.get("temperature") or usual.temperature),
            top_k=int(usual.top_k if generation.get("top_k") is None else generation["top_k"]),
            top_p=float(generation.get("top_p") or usual.top_p),
        )
    except (TypeError, ValueError) as error:
        raise _failed(folder, f"generation_config.json is not what it should be ({error})") from error


def _index(folder: Path) -> dict[str, Path]:
    """Which file holds which tensor."""
    listing = folder / "model.safetensors.index.json"
    if listing.is_file():
        names = _json(folder, listing.name).get("weight_map")
        if not isinstance(names, dict) or not all(_plain(name) for name in names.values()):
            raise _failed(folder, f"{listing.name} is not what it should be")
        files = {str(tensor): folder / str(name) for tensor, name in names.items()}
        missing = next((path for path in files.values() if not path.is_file()), None)
        if missing:
            raise _failed(folder, f"{missing.name} is missing")
        return files
    single = folder / "model.safetensors"
    if not single.is_file():
        raise _failed(folder, "model.safetensors is missing")
    try:
        with safe_open(single, framework="pt") as file:
            return dict.fromkeys(file.keys(), single)
    except (OSError, SafetensorError) as error:
        raise _failed(folder, f"model.safetensors cannot be read ({error})") from error


def _plain(name: object) -> bool:
    """Whether it is the name of a file in this very folder."""
    return isinstance(name, str) and name.endswith(".safetensors") and Path(name).name == name


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        document = json.loads((folder / name).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _failed(folder, f"{name} cannot be read ({error})") from error
    if not isinstance(document, dict):
        raise _failed(folder, f"{name} holds no object")
    return document


def _first_line(error: Exception) -> str:
    """load_state_dict puts the reason under a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:200]


def _failed(folder: Path, what: str) -> LofiError:
    return LofiError(
        "MODEL_LOAD_FAILED",
        f"This MusicGen model is damaged: {what}. Remove {folder} and download it again: "
        "lofi download musicgen, or :LofiBackends in the editor.",
    )
