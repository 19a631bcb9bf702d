"""A track as a stream of stereo frames at the device's rate: a decoder thread keeps a ring a few seconds ahead."""

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


class RingSource:
    """The half of a source that every kind shares: a thread, a resampler, a ring. Satisfies ``voice.Source``.

    ``_read`` gives the next second of [n, channels] at ``samplerate`` and sets ``_ended`` with the last of it.
    ``duration_sec`` is the whole track's.
    """

    def __init__(
        self, samplerate: int, channels: int, duration_sec: float, rate: int, start_sec: float, ring_sec: float
    ) -> None:
        self.rate = rate
        self.start_sec = start_sec
        self.duration_sec = duration_sec
        self._error: str | None = None
        self._resampler = (
            soxr.ResampleStream(samplerate, rate, channels, dtype="float32", quality="HQ")
            if samplerate != rate
            else None
        )
        self._ring = Ring(round(ring_sec * rate))
        self._promised: int = round((self.duration_sec - start_sec) * rate)
        self._given = 0
        self._started = False
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
        """The most frames that can ever be available at once."""
        return self._ring.capacity

    @property
    def recovered(self) -> bool:
        # Half a ring before going on: a slow disk should cost one gap, not a stutter.
        return self._ring.available >= self._ring.capacity // 2

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

        Raises ``soundfile.LibsndfileError`` and OSError.
        """
        self._push(self._decode())
        self._started = True
        threading.Thread(target=self._run, name="lofi-decoder", daemon=True).start()

    def _read(self) -> FloatArray:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while not self._finished and not self._closed:
                self._push(self._decode())
        except (soundfile.LibsndfileError, OSError) as exc:
            self._error = f"it could not be decoded to its end: {exc}"
        except Exception:
            _log.exception("decoder thread failed")
            self._error = "the decoder failed; the log has the details"
        self._finished = True

    def _decode(self) -> FloatArray:
        """The next second, or less, as [n, 2] at the device's rate."""
        frames = self._read()
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


class FileSource(RingSource):
    """Made by ``open_source``. Where decoding breaks off, what came before is still played."""

    def __init__(self, file: soundfile.SoundFile, rate: int, start_sec: float) -> None:
        super().__init__(file.samplerate, file.channels, file.frames / file.samplerate, rate, start_sec, RING_SEC)
        self._file = file
        self._chunk = round(CHUNK_SEC * file.samplerate)

    def _run(self) -> None:
        with self._file:
            super()._run()

    def _read(self) -> FloatArray:
        frames: FloatArray = self._file.read(self._chunk, dtype="float32", always_2d=True)
        self._ended = len(frames) < self._chunk
        if self._ended and self._file.frames - self._file.tell() > MISSING_SEC * self._file.samplerate:
            self._error = "it ends before its time: the file is damaged"
        return frames


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
