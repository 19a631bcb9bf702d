"""A file as a stream of stereo frames at the device's rate: a decoder thread keeps a ring a few seconds ahead."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
import soundfile  # type: ignore[import-untyped]
import soxr  # type: ignore[import-untyped]

from ..audio.files import DamagedFile, open_audio
from ..errors import LofiError
from .ring import FloatArray, Ring

RING_SEC = 5.0
CHUNK_SEC = 1.0

# Compressed formats may count their frames generously; a file that lacks more than this was cut off.
MISSING_SEC = 0.1

_log = logging.getLogger(__name__)


class FileSource:
    """Made by ``open_source``; satisfies ``voice.Source``.

    ``duration_sec`` is the whole file's. Where decoding breaks off, what came before is still played.
    """

    def __init__(self, file: soundfile.SoundFile, rate: int, start_sec: float) -> None:
        self.rate = rate
        self.start_sec = start_sec
        self.duration_sec = file.frames / file.samplerate
        self._error: str | None = None
        self._file = file
        self._chunk = round(CHUNK_SEC * file.samplerate)
        self._resampler = (
            soxr.ResampleStream(file.samplerate, rate, file.channels, dtype="float32", quality="HQ")
            if file.samplerate != rate
            else None
        )
        self._ring = Ring(round(RING_SEC * rate))
        self._promised: int = round((self.duration_sec - start_sec) * rate)
        self._given = 0
        self._ended = False
        self._finished = False
        self._closed = False
        # SimpleQueue.put never waits, unlike Event.set and Condition.notify, so the sound card may call it.
        self._space: SimpleQueue[None] = SimpleQueue()
        self._low = self._ring.capacity - round(CHUNK_SEC * rate)
        self._waiting = False

    @property
    def error(self) -> str | None:
        return self._error

    @property
    def finished(self) -> bool:
        return self._finished

    @property
    def available(self) -> int:
        return self._ring.available

    @property
    def capacity(self) -> int:
        return self._ring.capacity

    @property
    def frames_left(self) -> int:
        available = self._ring.available
        if self._finished:
            return self._ring.available  # asked again: the last frames may have come in between
        return max(self._promised - self._given, available + 1)

    def read(self, count: int) -> FloatArray:
        frames = self._ring.read(count)
        self._given += len(frames)
        if self._waiting and self._ring.available <= self._low:
            self._waiting = False
            self._space.put(None)
        return frames

    def close(self) -> None:
        self._closed = True
        self._space.put(None)

    def start(self) -> None:
        """Decode the first chunk here, so that a damaged file raises now, and the rest in a thread.

        Raises ``soundfile.LibsndfileError``.
        """
        self._push(self._decode())
        threading.Thread(target=self._run, name="lofi-decoder", daemon=True).start()

    def _run(self) -> None:
        try:
            with self._file:
                while not self._finished and not self._closed:
                    self._push(self._decode())
        except (soundfile.LibsndfileError, OSError) as exc:
            self._error = f"it could not be decoded to its end: {exc}"
        except Exception:
            _log.exception("decoder thread failed")
            self._error = "the decoder failed; the log has the details"
        self._finished = True

    def _decode(self) -> FloatArray:
        """The next second as [n, 2] at the device's rate. Sets ``_ended`` at the end of the file."""
        frames: FloatArray = self._file.read(self._chunk, dtype="float32", always_2d=True)
        self._ended = len(frames) < self._chunk
        if self._ended and self._file.frames - self._file.tell() > MISSING_SEC * self._file.samplerate:
            self._error = "it ends before its time: the file is damaged"
        if self._resampler is not None:
            frames = self._resampler.resample_chunk(frames, last=self._ended)
        return frames if frames.shape[1] == 2 else np.repeat(frames, 2, axis=1)

    def _push(self, frames: FloatArray) -> None:
        """Write all of ``frames``, waiting for room as often as needed; mark the end after the last ones."""
        while True:
            frames = frames[self._ring.write(frames) :]
            if not len(frames) or self._closed:
                break
            self._wait_for_room()
        if self._ended:
            self._finished = True

    def _wait_for_room(self) -> None:
        self._waiting = True
        if self._ring.available <= self._low:
            return  # the reader passed the mark before it could see that someone waits
        try:
            self._space.get(timeout=60)
        except Empty:
            return


def check_file(path: Path) -> None:
    """Raises ``LofiError`` INVALID_TRACK_ID when there is no file at ``path``."""
    if not path.is_file():
        raise LofiError(
            "INVALID_TRACK_ID",
            f"The track's file {path} is gone; run `lofi reindex`, or generate the track again.",
            field="track_id",
            path=str(path),
        )


def open_source(path: Path, rate: int, *, start_sec: float = 0.0) -> FileSource:
    """Open ``path`` and decode its first second. Blocks: call it off the event loop.

    Raises ``LofiError``: INVALID_TRACK_ID when the file is gone or may not be read, UNSUPPORTED when it is
    damaged, empty, or has more than two channels.
    """
    check_file(path)
    try:
        file = open_audio(path)
    except (DamagedFile, OSError) as exc:
        raise _undecodable(path, str(exc)) from exc
    try:
        if file.frames <= 0:
            raise _undecodable(path, "it holds no audio")
        if file.channels > 2:
            raise _undecodable(path, f"it has {file.channels} channels, and only mono and stereo are played")
        if start_sec > 0:
            file.seek(min(round(start_sec * file.samplerate), file.frames))
        source = FileSource(file, rate, start_sec)
        source.start()
    except (soundfile.LibsndfileError, OSError) as exc:
        file.close()
        raise _undecodable(path, str(exc)) from exc
    except LofiError:
        file.close()
        raise
    return source


def _undecodable(path: Path, reason: str) -> LofiError:
    return LofiError(
        "UNSUPPORTED",
        f"{path} cannot be played: {reason}. Delete the track and generate it again.",
        field="track_id",
        path=str(path),
    )
