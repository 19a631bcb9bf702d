"""A track out of the library, under a name and in a format of the user's choice."""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import unicodedata
from pathlib import Path

from ..audio.files import FORMATS, DamagedFile, decode, encode
from ..errors import LofiError
from ..model import AudioFormat, Track
from .durable import COPY_BLOCK, new_file, write_error

_MAX_NAME = 60
_THE_USERS_CHOICE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
)


def export_file(track: Track, path: str, audio_format: AudioFormat | None, library: Path) -> Path:
    """Copy the file of ``track`` to ``path``, or transcode it there block by block; where it went.

    ``path`` is absolute or starts with ``~``. A folder gets a file named after the prompt (numbered if taken); a file
    that exists is never replaced; nothing goes into the folder ``library``. The format is ``audio_format``, else what
    the name ends in, else the track's own. The target is there whole or not at all.

    Raises INVALID_PARAMS (field path or format), UNSUPPORTED (format), CACHE_WRITE_ERROR (path: full disk and the
    like), INVALID_TRACK_ID (the track's file is damaged or gone).
    """
    own = _format_of(Path(track.path))
    assert own is not None
    try:
        target, wanted, ours = _target(path, audio_format, track, own, library)
        return _place(track, target, wanted, transcode=wanted != own, numbered=ours)
    except FileExistsError as error:
        raise _bad_path(error.filename, "it exists; choose another name, or remove it first") from error
    except DamagedFile as error:
        raise _bad_source(track, str(error)) from error
    except OSError as error:
        if error.filename == track.path:
            raise _bad_source(track, error.strerror) from error
        if error.errno in _THE_USERS_CHOICE:
            raise _bad_path(path, f"it cannot be written ({error.strerror}); choose another place") from error
        failed = write_error(error, Path(path))
        failed.field = "path"
        raise failed from error


def file_name(track: Track, audio_format: AudioFormat) -> str:
    """Readable and unique: the prompt in words, the first 12 digits of the id."""
    words = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFKC", track.prompt).lower()).strip("-_")
    slug = words[:_MAX_NAME].rstrip("-_") or "track"
    return f"{slug}-{track.id[:12]}.{audio_format}"


def _target(
    path: str, audio_format: AudioFormat | None, track: Track, own: AudioFormat, library: Path
) -> tuple[Path, AudioFormat, bool]:
    """Where to, in which format, and whether the name is ours. Raises INVALID_PARAMS, OSError."""
    if not path.strip() or "\0" in path:
        raise _bad_path(path, "name a file or a folder to export to")
    try:
        target = Path(path).expanduser()
    except RuntimeError as error:
        raise _bad_path(path, "that home folder is unknown; write the path out") from error
    if not target.is_absolute():
        raise _bad_path(path, "the path is relative, and the daemon cannot know to what; give an absolute one")
    ours = target.is_dir()
    if path.endswith(("/", os.sep)) and not ours:
        raise _bad_path(path, f"there is no folder {target}; make it first")
    if ours:
        wanted = audio_format or own
        target /= file_name(track, wanted)
    else:
        wanted, target = _named_format(target, audio_format, own)
    folder = target.parent.resolve()
    if not folder.is_dir():
        raise _bad_path(path, f"there is no folder {target.parent}; make it first")
    if folder.is_relative_to(library.resolve()):
        raise _bad_path(path, "that is inside lofi's own library; choose a folder of yours")
    return folder / target.name, wanted, ours


def _named_format(target: Path, audio_format: AudioFormat | None, own: AudioFormat) -> tuple[AudioFormat, Path]:
    """The format a file name and the ``format`` parameter agree on, and the name with its ending."""
    named = _format_of(target)
    choices = ", ".join(FORMATS)
    if named is None:
        if target.suffix and audio_format is None:
            raise _bad_format(f"“{target.suffix}” is no format lofi writes; choose one of {choices}", target.suffix)
        wanted = audio_format or own
        return wanted, target.with_name(f"{target.name}.{wanted}")
    if audio_format not in (None, named):
        raise _bad_format(f"The name ends in {target.suffix} but format is {audio_format}; leave one out", audio_format)
    return named, target


def _place(track: Track, target: Path, wanted: AudioFormat, *, transcode: bool, numbered: bool) -> Path:
    """Write ``target``; where it exists, raise FileExistsError or take the next free number."""
    for number in itertools.count(1):
        at = target if number == 1 else target.with_name(f"{target.stem}-{number}{target.suffix}")
        if os.path.lexists(at):
            if not numbered:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(at))
            continue
        try:
            with new_file(at, mode=0o666, overwrite=False) as file:
                if transcode:
                    encode(file, decode(Path(track.path)), track.sample_rate, track, wanted)
                else:
                    with Path(track.path).open("rb") as source:
                        shutil.copyfileobj(source, file, COPY_BLOCK)
            return at
        except FileExistsError:  # made by another since we looked
            if not numbered:
                raise
    raise AssertionError("unreachable")


def _format_of(path: Path) -> AudioFormat | None:
    return next((name for name in FORMATS if path.suffix.lower() == f".{name}"), None)


def _bad_path(path: str, why: str) -> LofiError:
    return LofiError("INVALID_PARAMS", f"Cannot export to “{path[:200]}”: {why}.", field="path", got=path)


def _bad_format(why: str, got: str | None) -> LofiError:
    return LofiError("INVALID_PARAMS", f"{why}.", field="format", expected=list(FORMATS), got=got)


def _bad_source(track: Track, why: str | None) -> LofiError:
    return LofiError(
        "INVALID_TRACK_ID",
        f"The file of track {track.id[:12]} cannot be read ({why}); delete the track and generate it again.",
        field="track_id", path=track.path,
    )  # fmt: skip
