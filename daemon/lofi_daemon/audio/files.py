"""Audio files that describe themselves: each carries its whole Track, so that the index can be rebuilt from them.

Writing streams in blocks of at most a second (libsndfile's Vorbis encoder crashes on one write of a minute) and
does not flush to the disk: ``library.durable`` does, when the file is moved into its place.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from msgspec import Struct

from ..errors import LofiError
from ..model import AudioFormat, Track
from .tags import Tags, append_riff_info, id3, riff_comment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]
    """[frames, channels], full scale ±1."""

FORMATS: tuple[AudioFormat, ...] = ("flac", "wav", "ogg", "mp3")

_SNDFILE = {"flac": ("FLAC", "PCM_16"), "wav": ("WAV", "PCM_16"), "ogg": ("OGG", "VORBIS"), "mp3": ("MP3", None)}
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_TAIL_FRAMES = 256
_MAX_TITLE = 80
_LENGTH_SLACK_SEC = 0.1


class DamagedFile(Exception):  # noqa: N818 - the field says damaged file
    """The file is no audio, is cut short, or its metadata cannot be read; the message says which."""


class AudioInfo(Struct, frozen=True):
    frames: int
    sample_rate: int
    channels: int


def write_track(path: Path, audio: Audio, sample_rate: int, track: Track, audio_format: AudioFormat) -> None:
    """Write float32 ``audio`` [frames, channels] to the new file ``path`` (0600), ``track`` embedded.

    Values beyond ±1 are clipped. On failure no file is left. Raises OSError with the system's errno, FileExistsError
    if ``path`` is there, LofiError UNSUPPORTED (MP3 at an odd rate) and MODEL_INFERENCE_FAILED (NaN in the audio).
    """
    if audio.ndim != 2 or audio.shape[1] != track.channels:
        raise ValueError(f"audio of shape {audio.shape} for a track of {track.channels} channels")
    blocks = (audio[start : start + sample_rate] for start in range(0, len(audio), sample_rate))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            encode(file, blocks, sample_rate, track, audio_format)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def encode(file: BinaryIO, blocks: Iterable[Audio], sample_rate: int, track: Track, audio_format: AudioFormat) -> None:
    """Encode ``blocks`` [≤ 1 s, channels] into the empty, seekable ``file``, ``track`` embedded. Raises as above."""
    import numpy as np
    import soundfile  # type: ignore[import-untyped]

    if audio_format == "mp3" and sample_rate not in _MP3_RATES:
        raise LofiError(
            "UNSUPPORTED", f"MP3 cannot hold {sample_rate} Hz; choose flac, wav or ogg.",
            field="format", expected=list(_MP3_RATES), got=sample_rate,
        )  # fmt: skip
    container, subtype = _SNDFILE[audio_format]
    tags = _tags(track)
    if audio_format == "mp3":
        file.write(id3(tags))
    sink = _Sink(file)
    try:
        with soundfile.SoundFile(sink, "w", sample_rate, track.channels, subtype, format=container) as sound:
            if audio_format in ("flac", "ogg"):
                sound.title, sound.artist, sound.date, sound.comment = tags.title, tags.artist, tags.date, tags.comment
            for block in blocks:
                if not np.isfinite(block).all():
                    raise LofiError(
                        "MODEL_INFERENCE_FAILED", "The backend made invalid samples (NaN); try another seed."
                    )
                sound.write(np.clip(block, -1.0, 1.0))
    except (soundfile.SoundFileError, AssertionError) as error:
        raise sink.error or OSError(errno.EIO, f"libsndfile failed: {error}") from error
    if sink.error:
        raise sink.error
    if audio_format == "wav":
        append_riff_info(file, tags)
    file.flush()


def open_audio(path: Path) -> Any:
    """An open ``soundfile.SoundFile`` to read in blocks from the start, or from where its ``seek`` put it.

    soundfile seeks after every read of a file that can; in MP3 that throws away the bit reservoir, and each block
    begins with 40 ms of wrong sound. This one reads straight on. Raises DamagedFile, OSError.
    """
    import soundfile

    with path.open("rb"):
        pass  # a missing or forbidden file is an OSError, not a damaged file
    try:
        return _reader()(path)
    except (soundfile.SoundFileError, TypeError) as error:
        raise DamagedFile(f"it is no audio file this version can read ({error})") from error


def decode(path: Path, block: int | None = None) -> Iterator[Audio]:
    """The samples of ``path``, float32 [frames, channels], in blocks of ``block`` frames; a second by default.

    Raises DamagedFile, OSError.
    """
    with open_audio(path) as sound:
        left = sound.frames
        while left > 0:
            audio = _read(sound, min(block or sound.samplerate, left))
            if not len(audio):
                raise DamagedFile("the audio is cut short")
            left -= len(audio)
            yield audio


def probe(path: Path) -> AudioInfo:
    """What the header says, after a look at whether the last samples are there. Raises DamagedFile, OSError."""
    with open_audio(path) as sound:
        return _probe(sound)


def read_track(path: Path) -> Track | None:
    """The Track embedded in ``path``, its own ``path`` empty; None where whole audio carries none of ours.

    Raises DamagedFile (also when the audio is shorter than the Track says) and OSError.
    """
    with open_audio(path) as sound:
        info = _probe(sound)
        comment: str | None = sound.comment
    if path.suffix == ".wav":
        with path.open("rb") as file:
            try:
                comment = riff_comment(file)
            except ValueError as error:
                raise DamagedFile(f"its tags cannot be read: {error}") from error
    if not comment or not comment.startswith("{"):
        return None
    try:
        track = msgspec.json.decode(comment, type=Track)
    except msgspec.MsgspecError as error:
        raise DamagedFile(f"its metadata cannot be read: {error}") from error
    if abs(info.frames / info.sample_rate - track.duration_sec) > _LENGTH_SLACK_SEC:
        raise DamagedFile(f"it holds {info.frames / info.sample_rate:.1f} s of {track.duration_sec:.1f} s")
    return track


def title(prompt: str) -> str:
    """A prompt as one line of a player's display."""
    text = " ".join(prompt.split())
    return text if len(text) <= _MAX_TITLE else text[: _MAX_TITLE - 1].rstrip() + "…"


def _tags(track: Track) -> Tags:
    embedded = msgspec.structs.replace(track, path="", favorite=False)
    return Tags(
        title=title(track.prompt),
        artist=f"lofi.nvim ({track.backend})",
        date=track.created_at[:10],
        comment=msgspec.json.encode(embedded).decode(),
    )


@functools.cache
def _reader() -> Any:
    import soundfile

    class Reader(soundfile.SoundFile):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Reader


def _probe(sound: Any) -> AudioInfo:
    import soundfile

    if sound.frames <= 0:
        raise DamagedFile("it holds no audio")
    tail = min(_TAIL_FRAMES, sound.frames)
    try:
        sound.seek(sound.frames - tail)
    except (soundfile.SoundFileError, AssertionError) as error:
        raise DamagedFile("the audio is cut short") from error
    if len(_read(sound, tail)) < tail:
        raise DamagedFile("the audio is cut short")
    return AudioInfo(sound.frames, sound.samplerate, sound.channels)


def _read(sound: Any, frames: int) -> Audio:
    import soundfile

    try:
        block: Audio = sound.read(frames, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, AssertionError) as error:
        raise DamagedFile(f"the audio cannot be decoded ({error})") from error
    return block


class _Sink:
    """What libsndfile writes through: starts at the file's present position and keeps the first OSError.

    libsndfile says only "system error", and an exception cannot pass through its C code.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            return 0

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start
        except OSError as error:  # seeking flushes what was buffered
            self.error = self.error or error
            return -1

    def tell(self) -> int:
        return self._file.tell() - self._start
