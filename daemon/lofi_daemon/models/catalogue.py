"""Which weights each backend can use: where the hub has them, which files, under which licence.

Checked against the repositories' published file lists. Weights are fetched as safetensors only: a pickle can run code
when it is loaded. The one exception is named below.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ..errors import LofiError


class License(Struct, frozen=True):
    """``terms`` is said before a download where there is something to heed."""

    name: str
    url: str
    terms: str = ""


class Part(Struct, frozen=True):
    """Files of one repository of the hub.

    ``patterns`` (fnmatch, on the whole path) say which files are wanted; ``needs`` must each match one, or the
    repository does not hold what we look for. Of ``revisions`` the first is taken that has them all. ``checkouts`` are
    the folders of the models folder ("" = itself) where git, Hugging Face's tool or the authors' program would have
    put the repository.
    """

    repo: str
    patterns: tuple[str, ...]
    needs: tuple[str, ...]
    revisions: tuple[str, ...] = ("main",)
    checkouts: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return self.repo.replace("/", "--")


class Weights(Struct, frozen=True):
    """One model of a backend. ``about_bytes`` is rounded, for before the hub was asked; None = not known.

    ``also``: the same model as other repositories hold it. Used where it is here already, never fetched.
    """

    backend: str
    model: str
    title: str
    parts: tuple[Part, ...]
    license: License
    about_bytes: int | None = None
    also: tuple[tuple[Part, ...], ...] = ()

    @property
    def repo(self) -> str:
        return self.parts[0].repo


NON_COMMERCIAL = License(
    "CC-BY-NC-4.0",
    "https://creativecommons.org/licenses/by-nc/4.0/",
    "The weights are licensed CC-BY-NC 4.0: not for commercial use.",
)
MIT = License("MIT", "https://opensource.org/license/mit")
APACHE = License("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")

_MUSICGEN_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    # Exact names: the stereo repositories also hold each tensor a second time as model.fp32.safetensors.
    "model.safetensors",
    "model.safetensors.index.json",
    "model-?????-of-?????.safetensors",
)
_DIFFUSERS_FILES = tuple(
    f"{folder}/*"
    for folder in (
        "audio_token_detokenizer", "audio_tokenizer", "condition_encoder", "scheduler", "text_encoder", "tokenizer",
        "transformer", "vae",
    )
)  # fmt: skip


def _musicgen(model: str, about_gb: float | None, converted: str = "") -> Weights:
    """``converted``: a revision with safetensors, by the hub's own conversion bot, where main has only pickles."""
    part = Part(
        f"facebook/musicgen-{model}",
        _MUSICGEN_FILES,
        ("config.json", "model*.safetensors"),
        ("main", converted) if converted else ("main",),
        checkouts=(f"musicgen-{model}",),
    )
    about = None if about_gb is None else round(about_gb * 1e9)
    return Weights("musicgen", model, f"MusicGen {model}", (part,), NON_COMMERCIAL, about)


_ACE_CHECKOUTS = ("", "Ace-Step1.5", "checkpoints")
"""The authors' program keeps its "checkpoints" as the repository is laid out, the other variants beside it."""

_ACE_SHARED = Part(
    "ACE-Step/Ace-Step1.5",
    ("vae/*", "Qwen3-Embedding-0.6B/*"),
    ("vae/config.json", "vae/*.safetensors", "Qwen3-Embedding-0.6B/config.json", "Qwen3-Embedding-0.6B/*.safetensors"),
    checkouts=_ACE_CHECKOUTS,
)
_ACE_TURBO = Part(
    "ACE-Step/Ace-Step1.5",
    ("acestep-v15-turbo/*", *_ACE_SHARED.patterns),
    ("acestep-v15-turbo/config.json", "acestep-v15-turbo/model*.safetensors",
     "acestep-v15-turbo/silence_latent.pt", *_ACE_SHARED.needs),
    checkouts=_ACE_CHECKOUTS,
)  # fmt: skip


def _ace_published(model: str) -> tuple[Part, ...]:
    part = Part(
        f"ACE-Step/acestep-v15-{model}",
        ("config.json", "model.safetensors", "model.safetensors.index.json", "model-?????-of-?????.safetensors",
         "silence_latent.pt"),
        ("config.json", "model*.safetensors", "silence_latent.pt"),
        checkouts=tuple(f"{place}/acestep-v15-{model}".lstrip("/") for place in _ACE_CHECKOUTS),
    )  # fmt: skip
    return part, _ACE_SHARED


def _ace_diffusers(model: str, owner: str = "ACE-Step") -> tuple[Part, ...]:
    name = f"acestep-v15-{model}-diffusers"
    needs = (
        "transformer/config.json", "transformer/*.safetensors", "condition_encoder/*.safetensors",
        "text_encoder/*.safetensors", "vae/*.safetensors",
    )  # fmt: skip
    return (Part(f"{owner}/{name}", ("model_index.json", *_DIFFUSERS_FILES), needs, checkouts=(name,)),)


def _ace_15(model: str, parts: tuple[Part, ...], about_bytes: int | None, *also: tuple[Part, ...]) -> Weights:
    return Weights("ace_step_15", model, f"ACE-Step 1.5 {model}", parts, MIT, about_bytes, also)


_V1_FOLDERS = ("ace_step_transformer", "music_dcae_f8c8", "music_vocoder", "umt5-base")
_V1 = Part(
    "ACE-Step/ACE-Step-v1-3.5B",
    tuple(f"{folder}/*" for folder in _V1_FOLDERS),
    tuple(f"{folder}/*.safetensors" for folder in _V1_FOLDERS),
    checkouts=("", "ACE-Step-v1-3.5B"),
)

CATALOGUE: Mapping[str, tuple[Weights, ...]] = {
    "synth": (),
    "musicgen": (
        _musicgen("small", 2.37),
        _musicgen("medium", 8.04, "refs/pr/10"),
        _musicgen("large", 13.7, "refs/pr/18"),
        _musicgen("stereo-small", 1.22),
        _musicgen("stereo-medium", 4.07),
        _musicgen("stereo-large", 6.92),
        _musicgen("melody", None),
        _musicgen("melody-large", 10.5),
        _musicgen("stereo-melody", 6.33),
    ),
    "ace_step": (Weights("ace_step", "3.5b", "ACE-Step v1 3.5B", (_V1,), APACHE, 8_280_000_000),),
    "ace_step_15": (
        _ace_15("turbo", (_ACE_TURBO,), 6_300_000_000, _ace_diffusers("turbo", "Runware")),
        _ace_15("base", _ace_published("base"), 6_300_000_000, _ace_diffusers("base", "Runware")),
        _ace_15("sft", _ace_published("sft"), 6_300_000_000),
        _ace_15("xl-turbo", _ace_diffusers("xl-turbo"), None, _ace_published("xl-turbo")),
        _ace_15("xl-base", _ace_diffusers("xl-base"), None, _ace_published("xl-base")),
        _ace_15("xl-sft", _ace_diffusers("xl-sft"), None, _ace_published("xl-sft")),
    ),
}
"""By backend; the first of each is what is fetched when no model is named."""

SAFE_ENDINGS = (".safetensors", ".json", ".txt", ".model", ".jinja")
PICKLES = frozenset({"silence_latent.pt"})
"""ACE-Step publishes its silence latent as a pickle only; the engine loads it with weights_only."""


def find(backend: str, model: str | None) -> Weights:
    """The weights meant. Raises INVALID_BACKEND, UNSUPPORTED (nothing to fetch), MODEL_NOT_FOUND."""
    if backend not in CATALOGUE:
        raise LofiError(
            "INVALID_BACKEND", f"There is no backend “{backend}”; choose one of {', '.join(CATALOGUE)}.",
            field="backend", expected=list(CATALOGUE), got=backend,
        )  # fmt: skip
    known = CATALOGUE[backend]
    if not known:
        raise LofiError("UNSUPPORTED", f"The backend {backend} needs no weights; it is ready.", field="backend")
    if model is None:
        return known[0]
    for weights in known:
        if weights.model == model:
            return weights
    names = [weights.model for weights in known]
    raise LofiError(
        "MODEL_NOT_FOUND", f"{backend} has no model “{model}”; choose one of {', '.join(names)}.",
        field="model", expected=names, got=model,
    )  # fmt: skip
