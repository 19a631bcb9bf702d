"""Where a model's parts lie, in either of the layouts in which they are published.

    published   acestep-v15-…/ (config.json, model.safetensors, silence_latent.pt), vae/, Qwen3-Embedding-0.6B/
    diffusers   transformer/, condition_encoder/, vae/, text_encoder/, tokenizer/, and for covers audio_tokenizer/,
                audio_token_detokenizer/

Of diffusers' published models xl-turbo comes without the last two.
Base and sft of the first come without vae/ and Qwen3-Embedding-0.6B/, which lie in the folder of turbo: so several
folders are looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import LoadError
from . import weights
from .config import Config, is_xl

TIMBRE_FRAMES = 750


@dataclass(frozen=True)
class Layout:
    """``model`` is the published folder, or the one that holds the folders of diffusers. ``config`` is that of the
    whole model, or of the transformer."""

    model: Path
    diffusers: bool
    config: Config
    vae: Path
    text_encoder: Path
    tokenizer: Path

    @property
    def xl(self) -> bool:
        return is_xl(self.config)

    @property
    def distilled(self) -> bool:
        """Turbo: 8 steps, no guidance."""
        return bool(self.config.get("is_turbo")) or self.config.get("model_version") == "turbo"

    @property
    def timbre_frames(self) -> int:
        """How many frames of a reference, or of silence, tell the timbre."""
        return int(self.config.get("timbre_fix_frame", TIMBRE_FRAMES))


def find(folders: Sequence[Path], variant: str) -> Layout:
    """The model ``variant`` (turbo, base, sft, xl-turbo, …) in ``folders``, each of them or what lies in it."""
    places = list(_places(folders))
    wanted = [place for place in places if _named(place, variant)] or list(folders)
    for place in wanted:
        if (place / "transformer" / "config.json").is_file():
            return _diffusers(place)
        if (place / "silence_latent.pt").is_file() and weights.has_weights(place):
            vae, text = _beside(place, places, "vae"), _beside(place, places, "Qwen3-Embedding-0.6B")
            return Layout(place, False, weights.read_config(place), vae, text, text)
    looked = ", ".join(str(folder) for folder in folders)
    raise LoadError(f"There is no ACE-Step 1.5 {variant} in {looked}: download it first.")


def _places(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        yield folder
        if folder.is_dir():
            yield from sorted(child for child in folder.iterdir() if child.is_dir())


def _named(place: Path, variant: str) -> bool:
    """Whether a folder's name is that of a variant: acestep-v15-xl-turbo-diffusers is xl-turbo and not turbo."""
    name = place.name.lower().removesuffix("-diffusers")
    return name == variant or name.endswith(f"-v15-{variant}")


def _beside(place: Path, places: Sequence[Path], name: str) -> Path:
    for folder in (place, place.parent, *places):
        if (folder / name / "config.json").is_file():
            return folder / name
    raise LoadError(f"{name} is missing beside {place}: download the model again.")


def _diffusers(place: Path) -> Layout:
    for part in ("condition_encoder", "vae", "text_encoder"):
        if not (place / part / "config.json").is_file():
            raise LoadError(f"{place / part} is missing: download the model again.")
    config = weights.read_config(place / "transformer")
    return Layout(place, True, config, place / "vae", place / "text_encoder", place / "tokenizer")
