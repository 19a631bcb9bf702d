"""What a backend must offer: a torch-free description for the front, an engine for the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
from msgspec import Struct

from ..config import Settings
from ..model import LatentRecord, NoticeLevel, StageParams

if TYPE_CHECKING:  # the front reads this file and must not load numpy
    import numpy as np
    from numpy.typing import NDArray


Status = Literal["not_installed", "downloading", "ready", "loading", "error"]


class Availability(Struct, frozen=True):
    """Whether a backend can make music now; ``message`` says what to do if not."""

    status: Status
    message: str = ""


class Equipment(Struct, frozen=True):
    """With what a stage is run on this machine. The front decides it, because the track's id depends on it.

    ``model_version`` names everything of it that can change a sample: variant, weights, precision, schema.
    ``folders`` hold the weights. ``device`` is "cpu", "cuda" or "mps".
    ``options`` are the backend's own.
    """

    model_version: str
    folders: tuple[str, ...] = ()
    precision: str = ""
    device: str = "cpu"
    options: dict[str, int] = {}


class Settled(Struct, frozen=True):
    """A stage as it will really be run, and what the user is told of that."""

    params: StageParams
    notices: tuple[str, ...] = ()


class BackendInfo(Struct, frozen=True):
    """The front's half: what a backend is, what it takes and within which ranges.

    ``takes`` names the StageParams fields it understands beside stage_type, backend, prompt, duration_sec
    and seed. ``ignores`` maps fields it accepts but cannot act on to the sentence that says so.
    ``defaults`` gives the values of the fields it takes that the request left open, from the settings and from what
    it did not leave open; ``check`` raises ``LofiError`` for some that do not go together; ``settle`` takes out what
    the model cannot use. ``resume`` says how a stage starts from the latent that ``init_latent_id`` names (True: its
    duration was asked for) and raises LATENT_MISMATCH; ``fits`` raises ``LofiError`` for what does not fit the
    duration, once that of a source is known. ``equip`` is for backends with more than one way to run a stage.
    ``extra`` is the name under which pyproject.toml lists the Python ``packages`` it imports.
    """

    type: str
    name: str
    min_duration_sec: float
    max_duration_sec: float
    sample_rate: int
    model_version: str
    stage_types: tuple[str, ...]
    models: tuple[str, ...] = ()
    takes: frozenset[str] = frozenset()
    ignores: Mapping[str, str] = msgspec.field(default_factory=dict)
    schedulers: tuple[str, ...] = ()
    time_signatures: tuple[str, ...] = ("4/4", "3/4")
    extra: str | None = None
    packages: tuple[str, ...] = ()
    defaults: Callable[[Settings, Mapping[str, object]], Mapping[str, object]] = lambda settings, asked: {}
    check: Callable[[StageParams], None] = lambda params: None
    settle: Callable[[StageParams], Settled] = Settled
    resume: Callable[[StageParams, LatentRecord, bool], Settled] | None = None
    fits: Callable[[StageParams], None] = lambda params: None
    availability: Callable[[Settings], Availability] = lambda settings: Availability("ready")
    equip: Callable[[Settings, StageParams], Equipment] | None = None

    def equipment(self, settings: Settings, params: StageParams) -> Equipment:
        """For one stage. May ask the disk: call it from a thread. Raises MODEL_NOT_FOUND."""
        return self.equip(settings, params) if self.equip else Equipment(self.model_version)


class LatentMade(Struct, frozen=True):
    """What an engine hands over to be kept.

    ``blob`` is safetensors bytes (``safetensors.torch.save``). Their tensor "latent" is x0 of the whole batch
    [batch, …], or x_t after ``checkpoint_step``; whatever else going on from there takes is beside it. ``schedule``
    holds the timesteps, the terminal 0 included.
    """

    blob: bytes
    model_variant: str
    schedule: tuple[float, ...]
    total_steps: int
    checkpoint_step: int | None = None
    lm_metadata: Mapping[str, object] = msgspec.field(default_factory=dict)


class Latent(Struct, frozen=True):
    """A kept latent: its record, and the bytes that were handed over (``safetensors.torch.load``), found unharmed."""

    record: LatentRecord
    blob: bytes


class Origin(Struct, frozen=True):
    """What a stage starts from, its sources already weighed: one of the two, the other is None.

    ``latent`` is of the stage's own backend; item ``latent_index`` of its batch is meant, for every item of the stage.
    ``audio`` is a file for ``audio.files.decode``.
    """

    latent: Latent | None = None
    latent_index: int = 0
    audio: Path | None = None


class LatentSource(Protocol):
    """Where an engine finds the latents that its stage names."""

    def latent(self, latent_id: str) -> Latent:
        """From memory if it is of the latest generation, else from its file. Raises LATENT_NOT_FOUND."""


class GenerationCancelled(Exception):  # noqa: N818  the user's wish, not an error
    """Raised by ``RenderContext.step`` once the user has cancelled; engines let it pass."""


class RenderContext(LatentSource, Protocol):
    """The worker's side of a running stage. ``heard``: whether ``audio`` was called.

    ``left_off`` is the last automatic checkpoint of this stage, where the worker that ran it before has died.
    ``wants_audio`` is False for a stage of a pipeline that nobody listens to: an engine that keeps its latent then
    need not decode it, and returns no renderings.
    """

    equipment: Equipment
    heard: bool
    wants_audio: bool
    left_off: Latent | None

    def step(self, done: int, total: int) -> None:
        """Tell progress inside this stage; raises ``GenerationCancelled`` if the user has cancelled."""

    def origin(self) -> Origin | None:
        """What the stage starts from: ``src_latent_id``, else the stage ``src_stage``, else ``src_audio_id``; None
        means noise. Raises LATENT_NOT_FOUND."""

    def source(self, track_id: str) -> Path:
        """Where the track lies that the stage works from (``reference_audio_id``)."""

    def notice(self, level: NoticeLevel, message: str) -> None:
        """Say a change of device, backend or quality to the user."""

    def audio(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        """Let the next ``samples`` [frames, channels] of the first batch item be heard while the rest is made.

        They are final: what ``render`` returns begins with all that was sent, sample by sample. Optional, and for
        the job's last stage only; elsewhere it does nothing. Raises ``LofiError``.
        """

    def keep(self, made: LatentMade) -> None:
        """Keep the stage's final latent, and if ``checkpoint_step`` asked for one, that checkpoint: one of each at
        most. Its batch items are those that ``render`` returns, in their order. Raises CACHE_WRITE_ERROR."""

    def checkpoint(self, make: Callable[[], LatentMade]) -> None:
        """To be called after each step: every few seconds ``make`` is called, and what it gives is where the stage
        goes on should the worker die. Never raises for a full disk: the music matters more."""


class Rendering(Struct, frozen=True):
    """One finished batch item.

    ``audio`` is float32 [frames, channels] in −1…1, already mastered. ``lufs`` is its integrated
    loudness if the engine measured it. ``metadata`` (JSON values) becomes the track's ``lm_metadata``.
    """

    audio: NDArray[np.float32]
    sample_rate: int
    lufs: float | None = None
    metadata: Mapping[str, object] = msgspec.field(default_factory=dict)


class Engine(Protocol):
    """The worker half. Made once per worker by ``make_engine()`` of the backend's ``engine`` module."""

    device: str

    def render(self, params: StageParams, context: RenderContext) -> list[Rendering]:
        """All batch items of one stage, in order; none where ``context.wants_audio`` is False and a latent was kept.

        Raises ``LofiError`` (MODEL_*, UNSUPPORTED) and ``GenerationCancelled``.
        """

    def unload(self) -> bool:
        """Free the model's memory; whether there was anything to free."""
