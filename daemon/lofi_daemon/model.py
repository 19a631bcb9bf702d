"""The nouns, as frozen structs: what a request may be trusted to be, and what the library stores.

Nothing here imports more than msgspec, so every room may import this one.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

Seed = int | str
"""0 … 2^64−1 in the one form it has everywhere, wire and disk included: an integer up to 2^53−1, a
decimal string above (JSON readers with doubles would round it). ``int(seed)`` where arithmetic needs it."""

MAX_JSON_INT = 2**53 - 1

StageType = Literal["generate", "refine", "cover", "repaint", "extract", "lego", "complete", "continue"]
Priority = Literal["high", "normal", "low"]
AudioFormat = Literal["flac", "wav", "ogg", "mp3"]
NoticeLevel = Literal["info", "warn", "error"]


class Lora(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    scale: float = 1.0


class StageParams(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One stage, checked and with every default filled in. ``None`` = the backend has no such knob.

    Made in one place only (``stages.resolve``); meanings and ranges are in doc/PROTOCOL.md. A track's own never has
    ``src_stage``: it has the latent or track that this stage left.
    """

    stage_type: StageType = "generate"
    backend: str
    model: str | None = None
    prompt: str
    duration_sec: float
    seed: Seed
    batch_size: int = 1
    lyrics: str | None = None
    vocal_language: str | None = None
    instrumental: bool | None = None
    bpm: int | None = None
    keyscale: str | None = None
    timesignature: str | None = None
    inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    shift: float | None = None
    guidance: str | None = None
    cfg_interval: tuple[float, float] | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    init_latent_id: str | None = None
    t_start: float | None = None
    resume_sample_index: int | None = None
    checkpoint_step: int | None = None
    src_latent_id: str | None = None
    src_stage: int | None = None
    src_audio_id: str | None = None
    overlap_sec: int | None = None
    reference_audio_id: str | None = None
    cover_strength: float | None = None
    cover_noise_strength: float | None = None
    repaint_start: float | None = None
    repaint_end: float | None = None
    repaint_strength: float | None = None
    track_name: str | None = None
    track_classes: tuple[str, ...] | None = None
    lora: tuple[Lora, ...] | None = None
    preview: bool = False

    @property
    def title(self) -> str:
        """What it is called where people read it: its words, else what it does."""
        return self.prompt or f"({self.stage_type} without words)"


class Track(Struct, frozen=True, kw_only=True):
    """A finished piece of music in the library.

    ``path`` is absolute on the wire; inside an audio file's own metadata it is empty. Seconds, Hz, LUFS. ``prompt`` is
    the title of its params.
    """

    id: str
    path: str
    prompt: str
    duration_sec: float
    sample_rate: int
    channels: int
    seed: Seed
    backend: str
    model_version: str
    generation_time_sec: float
    created_at: str  # ISO 8601, UTC, "2026-11-21T06:30:00.123Z"
    params: StageParams
    latent_id: str | UnsetType = UNSET
    latent_index: int | UnsetType = UNSET
    latent_checkpoint_id: str | UnsetType = UNSET
    checkpoint_step: int | UnsetType = UNSET
    lm_metadata: dict[str, object] | UnsetType = UNSET
    parent_ids: tuple[str, ...] = ()
    lufs: float | None = None
    favorite: bool = False


class LatentRecord(Struct, frozen=True, kw_only=True):
    """What a job's stage left in latent space, for the whole batch: one file a record.

    ``path`` is absolute on the wire and empty inside the file. ``shape`` and ``dtype`` ("float32") are those of x0, or
    of x_t after ``checkpoint_step`` where ``is_checkpoint``. ``schedule`` holds the timesteps, the terminal 0 included.
    ``pipeline_id`` is the job of several stages that it belongs to. ``track_ids`` are those of its batch, in order:
    of tracks that were never made where it was not ``heard``. ``parent_ids`` are the tracks and latents it came from.
    """

    id: str  # UUID, lower case
    path: str = ""
    shape: tuple[int, ...]
    dtype: str
    model_variant: str
    stage_type: StageType
    is_checkpoint: bool = False
    checkpoint_step: int | None = None
    total_steps: int
    schedule: tuple[float, ...] = ()
    params: StageParams
    lm_metadata: dict[str, object] | None = None
    batch_size: int
    created_at: str  # ISO 8601, UTC
    pinned: bool = False
    pipeline_id: str | None = None
    stage_index: int = 0
    track_ids: tuple[str, ...] = ()
    heard: bool = True
    parent_ids: tuple[str, ...] = ()


class LatentFile(Struct, frozen=True):
    """A record whose ``path`` is that of a file, and the SHA-256 that this file must have.

    From the worker, of a file it has made: the path is a name inside the job's staging folder.
    """

    record: LatentRecord
    sha256: str


def canonical_seed(seed: int) -> Seed:
    """The one form of ``seed`` (see ``Seed``)."""
    return seed if seed <= MAX_JSON_INT else str(seed)
