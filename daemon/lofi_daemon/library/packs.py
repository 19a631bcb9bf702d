"""A stage in one file that can be carried to another machine: its text, and the latents that it names.

A zip without compression: ``stage.lofi.toml``, ``latents/ID.safetensors`` and ``sums.json``, the SHA-256 of both. What
comes in is believed in nothing: names, sizes, sums and the latents' own seals are checked before anything is kept.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..errors import LofiError
from ..model import LatentFile
from .durable import COPY_BLOCK, named_errors, new_file, write_error
from .latents.file import DamagedLatent, examine

SUFFIX = ".lofi.zip"
MAX_LATENTS = 8
MAX_LATENT_BYTES = 1 << 28
MAX_TEXT_BYTES = 1 << 18

_TEXT, _SUMS = "stage.lofi.toml", "sums.json"
_LATENT = re.compile(r"latents/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.safetensors")


def write(path: str, text: str, latents: Sequence[LatentFile]) -> Path:
    """Pack ``text`` and the files of ``latents``; where they went. ``path`` is absolute or starts with ``~``; nothing
    is replaced. Raises INVALID_PARAMS (field path), CACHE_WRITE_ERROR."""
    target = _absolute(path)
    if not target.name.endswith(SUFFIX):
        target = target.with_name(target.name + SUFFIX)
    if target.exists() or not target.parent.is_dir():
        why = "it exists; choose another name" if target.exists() else f"there is no folder {target.parent}"
        raise _bad(path, why)
    sums = {_TEXT: hashlib.sha256(text.encode()).hexdigest()}
    try:
        with new_file(target, mode=0o666, overwrite=False) as file, zipfile.ZipFile(file, "w") as pack:
            pack.writestr(_TEXT, text)
            for latent in latents:
                name = f"latents/{latent.record.id}.safetensors"
                pack.write(latent.record.path, name)
                sums[name] = latent.sha256
            pack.writestr(_SUMS, msgspec.json.encode(sums))
    except OSError as error:
        failed = write_error(error, target)
        failed.field = "path"
        raise failed from error
    return target


def read(path: str, staging: Path) -> tuple[str, list[LatentFile]]:
    """The text in the pack, and its latents as files in the folder ``staging``. Raises INVALID_PARAMS (field path) for
    whatever is not as ``write`` makes it, CACHE_WRITE_ERROR."""
    source = _absolute(path)
    try:
        with zipfile.ZipFile(source) as pack:
            members = _members(pack, path)
            sums = msgspec.json.decode(_small(pack, members.pop(_SUMS), path), type=dict[str, str])
            if set(sums) != set(members):
                raise _bad(path, "its sums are not those of what is in it")
            data = _small(pack, members.pop(_TEXT), path)
            if hashlib.sha256(data).hexdigest() != sums[_TEXT]:
                raise _bad(path, f"{_TEXT} does not match its checksum")
            return data.decode(), [_latent(pack, member, sums[name], staging, path) for name, member in members.items()]
    except (zipfile.BadZipFile, msgspec.MsgspecError, UnicodeDecodeError, NotImplementedError, EOFError) as error:
        raise _bad(path, f"it is damaged ({error})") from error
    except OSError as error:
        raise _bad(path, f"it cannot be read ({error.strerror or error})") from error


def _members(pack: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    entries = pack.infolist()
    members = {entry.filename: entry for entry in entries}
    if len(members) != len(entries) or len(entries) > MAX_LATENTS + 2 or not {_TEXT, _SUMS} <= members.keys():
        raise _bad(path, "it is no stage of lofi.nvim")
    for name, entry in members.items():
        small = name in (_TEXT, _SUMS)
        if not small and not _LATENT.fullmatch(name):
            raise _bad(path, f"it holds “{name[:80]}”, which belongs to no stage")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise _bad(path, f"{name} is compressed or encrypted in it")
        if entry.file_size > (MAX_TEXT_BYTES if small else MAX_LATENT_BYTES):
            raise _bad(path, f"{name} is too large for a stage")
    return members


def _small(pack: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str) -> bytes:
    with pack.open(entry) as member:
        data = member.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise _bad(path, f"{entry.filename} is too large for a stage")
    return data


def _latent(pack: zipfile.ZipFile, entry: zipfile.ZipInfo, sha256: str, staging: Path, path: str) -> LatentFile:
    name = entry.filename.removeprefix("latents/")
    target = staging / name
    with pack.open(entry) as member, named_errors(target), new_file(target, overwrite=False) as file:
        shutil.copyfileobj(member, file, COPY_BLOCK)
    try:
        found = examine(target)
    except DamagedLatent as error:
        raise _bad(path, f"the latent {name[:8]} in it is damaged: {error}") from error
    if found.sha256 != sha256 or found.record.id != target.stem:
        raise _bad(path, f"the latent {name[:8]} in it is another than its name or its sum says")
    return LatentFile(msgspec.structs.replace(found.record, path=name, pinned=False), found.sha256)


def _absolute(path: str) -> Path:
    try:
        found = Path(path).expanduser()
    except RuntimeError as error:
        raise _bad(path, "that home folder is unknown; write the path out") from error
    if not found.is_absolute() or "\0" in path or path.endswith("/"):
        raise _bad(path, "name a file by its absolute path")
    return found


def _bad(path: str, why: str) -> LofiError:
    return LofiError("INVALID_PARAMS", f"“{path[:200]}” will not do: {why}.", field="path", got=path[:500])
