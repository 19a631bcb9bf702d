"""The worker's side of latents: reads those that a job names, stages those that it makes."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import UNSET

from ..backends.base import Latent, LatentMade
from ..engine.link import LeftOff, Run
from ..errors import LofiError
from ..library.durable import write_error
from ..library.latents.file import DamagedLatent, examine_bytes, seal, shape_and_dtype
from ..model import LatentFile, LatentRecord, StageParams, Track

AUTOSAVE = "checkpoint.safetensors"
"""In the staging folder of the job, and gone with it."""

AUTOSAVE_EVERY_SEC = 5.0
AUTOSAVE_SHARE = 0.005
"""Of the time, at most, goes into automatic checkpoints; where writing is slow they come more rarely."""


class Latents:
    """What this worker holds of latents, for as long as it lives: the files of the latest job that made any."""

    def __init__(self) -> None:
        self._known: dict[str, LatentFile] = {}
        self._hot: dict[str, tuple[str, bytes]] = {}
        self._of_an_older_job = False

    def begin(self, known: Iterable[LatentFile]) -> None:
        """The latents that the next job may ask for."""
        self._known = {found.record.id: found for found in known}
        self._of_an_older_job = True

    def remember(self, made: Collection[tuple[LatentFile, bytes]]) -> None:
        """What a stage made is in memory from now on, for the stages after it too, and an older job's no longer."""
        if not made:
            return
        if self._of_an_older_job:
            self._hot, self._of_an_older_job = {}, False
        self._hot |= {file.record.id: (file.sha256, blob) for file, blob in made}
        self._known |= {file.record.id: file for file, _ in made}

    def records(self) -> dict[str, LatentRecord]:
        """Of the latents that may be asked for, by id."""
        return {latent_id: found.record for latent_id, found in self._known.items()}

    def latent(self, latent_id: str) -> Latent:
        """See ``LatentSource``."""
        if latent_id not in self._known:
            raise _lost(latent_id, "the daemon does not know it")
        known = self._known[latent_id]
        sha256, blob = self._hot.get(latent_id, ("", b""))
        if sha256 == known.sha256:
            return Latent(known.record, blob)
        try:
            blob = Path(known.record.path).read_bytes()
            found = examine_bytes(blob)
        except FileNotFoundError:
            raise _lost(latent_id, "its file is gone") from None
        except OSError as error:
            raise _lost(latent_id, error.strerror or str(error)) from error
        except DamagedLatent as error:
            raise _lost(latent_id, str(error)) from error
        if found.sha256 != known.sha256:
            raise _lost(latent_id, "it is not the file that was kept")
        return Latent(known.record, blob)


class StageLatents:
    """What stage ``stage_index`` of ``job`` makes. ``params`` are its parameters with their sources settled, and
    ``parent_ids`` what these are; ``heard``: whether its batch becomes tracks."""

    def __init__(
        self,
        job: Run,
        stage_index: int,
        emit: Callable[[object], None],
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        *,
        params: StageParams | None = None,
        parent_ids: tuple[str, ...] = (),
        heard: bool = True,
    ) -> None:
        self._job_id = job.job_id
        self._staging = Path(job.staging)
        self._params = params or job.stages[stage_index]
        self._parent_ids = parent_ids
        self._track_ids = job.track_ids[stage_index]
        self._heard = heard
        self._stage_index = stage_index
        self._pipeline_id = job.job_id if len(job.stages) > 1 else None
        self._emit = emit
        self._now = now
        self._clock = clock
        self._next_save = clock() + AUTOSAVE_EVERY_SEC
        self.made: list[tuple[LatentFile, bytes]] = []

    def keep(self, made: LatentMade) -> None:
        """See ``RenderContext``. Raises CACHE_WRITE_ERROR."""
        blob, record = self._sealed(made, str(uuid.uuid4()))
        if any(file.record.is_checkpoint == record.is_checkpoint for file, _ in self.made):
            raise ValueError("a stage keeps one final latent and one checkpoint")
        path = self._staging / f"{record.id}.safetensors"
        try:
            _write(path, blob)
        except OSError as error:
            raise write_error(error, path) from error
        file = LatentFile(msgspec.structs.replace(record, path=path.name), examine_bytes(blob).sha256)
        self.made.append((file, blob))

    def checkpoint(self, make: Callable[[], LatentMade]) -> None:
        """See ``RenderContext``."""
        began = self._clock()
        if began < self._next_save:
            return
        blob, _ = self._sealed(make(), str(uuid.uuid4()))
        target = self._staging / AUTOSAVE
        half = target.with_suffix(".half")
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
            _write(half, blob)
            half.replace(target)  # no flush: it need outlive a process, not a power cut
            self._emit(LeftOff(self._job_id, target.name))
        ended = self._clock()
        self._next_save = ended + max(AUTOSAVE_EVERY_SEC, (ended - began) / AUTOSAVE_SHARE)

    def left_off(self, name: str) -> Latent | None:
        """The automatic checkpoint ``name`` of a worker before this one; None if it is of another stage, or not whole:
        then this one begins anew."""
        try:
            blob = (self._staging / name).read_bytes()
            record = examine_bytes(blob).record
        except (OSError, DamagedLatent):
            return None
        if (record.stage_index, record.params) != (self._stage_index, self._params):
            return None
        return Latent(record, blob)

    def on_track(self, track: Track, item: int) -> Track:
        """``track``, batch item ``item``, pointing to what was kept: before it is written, as its file says so too."""
        final = next((file.record for file, _ in self.made if not file.record.is_checkpoint), None)
        checkpoint = next((file.record for file, _ in self.made if file.record.is_checkpoint), None)
        return msgspec.structs.replace(
            track,
            latent_id=final.id if final else UNSET,
            latent_index=item if final or checkpoint else UNSET,
            latent_checkpoint_id=checkpoint.id if checkpoint else UNSET,
            checkpoint_step=checkpoint.checkpoint_step if checkpoint else UNSET,
        )

    def files(self) -> tuple[LatentFile, ...]:
        return tuple(file for file, _ in self.made)

    def _sealed(self, made: LatentMade, latent_id: str) -> tuple[bytes, LatentRecord]:
        shape, dtype = shape_and_dtype(made.blob)
        record = LatentRecord(
            id=latent_id,
            shape=shape,
            dtype=dtype,
            model_variant=made.model_variant,
            stage_type=self._params.stage_type,
            is_checkpoint=made.checkpoint_step is not None,
            checkpoint_step=made.checkpoint_step,
            total_steps=made.total_steps,
            schedule=made.schedule,
            params=self._params,
            lm_metadata=dict(made.lm_metadata) or None,
            batch_size=shape[0],
            created_at=self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            pipeline_id=self._pipeline_id,
            stage_index=self._stage_index,
            track_ids=self._track_ids,
            heard=self._heard,
            parent_ids=self._parent_ids,
        )
        return seal(made.blob, record), record


def _write(path: Path, blob: bytes) -> None:
    """A new private file, or none. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(blob)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _lost(latent_id: str, why: str) -> LofiError:
    return LofiError(
        "LATENT_NOT_FOUND", f"The latent {latent_id} cannot be used: {why}; generate its track again.",
        field="latent_id", got=latent_id, reason=why,
    )  # fmt: skip
