"""An audio file of the user's own as a track, for stages to work from."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from ..audio.files import DamagedFile, decode, encode, probe
from ..errors import LofiError
from ..model import AudioFormat, StageParams, Track
from .durable import COPY_BLOCK, named_errors, new_file

BACKEND = "import"
"""In the place of a backend's name: nothing here made it."""

MAX_SEC = 3600.0
MIN_SEC = 1.0


def take_in(
    path: str, prompt: str | None, audio_format: AudioFormat, staging: Path, now: datetime
) -> tuple[Track, Path]:
    """The audio of ``path`` (absolute or from ``~``) as a file in ``staging``, and its track, called ``prompt`` or as
    the file is. The same file is the same track. Raises INVALID_PARAMS (field path), UNSUPPORTED, CACHE_WRITE_ERROR."""
    source = _absolute(path)
    try:
        info = probe(source)
        seconds = info.frames / info.sample_rate
        if not MIN_SEC <= seconds <= MAX_SEC or info.channels > 2:
            had = f"{info.channels} channels" if info.channels > 2 else f"{seconds:.1f} seconds"
            raise _bad(path, f"it has {had}, and a track 1 or 2 channels and {MIN_SEC:g} to {MAX_SEC:g} seconds")
        track_id = _digest(source)
    except DamagedFile as error:
        raise LofiError("UNSUPPORTED", f"{source} cannot be imported: {error}.", field="path", got=path) from error
    except OSError as error:
        raise _bad(path, f"it cannot be read ({error.strerror or error})") from error
    name = (prompt or source.stem).strip()[:512] or "imported"
    track = Track(
        id=track_id, path="", prompt=name, duration_sec=seconds, sample_rate=info.sample_rate, channels=info.channels,
        seed=0, backend=BACKEND, model_version="import-1", generation_time_sec=0.0,
        created_at=now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        params=StageParams(backend=BACKEND, prompt=name, duration_sec=seconds, seed=0),
    )  # fmt: skip
    staged = staging / f"{track_id}.{audio_format}"
    with named_errors(staged), new_file(staged, overwrite=False) as file:
        encode(file, decode(source), info.sample_rate, track, audio_format)
    return track, staged


def _digest(source: Path) -> str:
    digest = hashlib.sha256(b"import-1\0")
    with source.open("rb") as file:
        while block := file.read(COPY_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _absolute(path: str) -> Path:
    try:
        source = Path(path).expanduser()
    except RuntimeError as error:
        raise _bad(path, "that home folder is unknown; write the path out") from error
    if not source.is_absolute() or "\0" in path:
        raise _bad(path, "name a file by its absolute path")
    if not source.is_file():
        raise _bad(path, "there is no such file")
    return source


def _bad(path: str, why: str) -> LofiError:
    return LofiError("INVALID_PARAMS", f"“{path[:200]}” cannot be imported: {why}.", field="path", got=path[:500])
