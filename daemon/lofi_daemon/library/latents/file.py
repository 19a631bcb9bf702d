"""A latent's file: safetensors, with the whole LatentRecord as one JSON string in its header.

Source of the format: huggingface/safetensors, README "Format". It has no checksum, and a flipped bit loads without a
word; so the header also carries a digest over record, layout and data, which an index that was lost cannot take along.
Neither torch nor safetensors is imported: the front reads these files too.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from ...model import LatentFile, LatentRecord

TENSOR = "latent"
"""The name of the tensor that the record describes; others beside it are the engine's own."""

_KEY = "lofi"
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_MAX_HEADER = 1 << 22
_ALIGNMENT = 8
_BLOCK = 1 << 20


class DamagedLatent(Exception):  # noqa: N818 - as DamagedFile of the audio files
    """The file is no latent of ours, or not as it was written; the message says which."""


class _Tensor(Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class _Sealed(Struct, frozen=True):
    sha256: str
    record: msgspec.Raw


class _Header(Struct, frozen=True):
    tensors: Mapping[str, _Tensor]
    sealed: str | None


def shape_and_dtype(blob: bytes) -> tuple[tuple[int, ...], str]:
    """Of the tensor "latent" in safetensors bytes; the dtype as in LatentRecord. Raises DamagedLatent."""
    return _shape_and_dtype(_header(_Reader(io.BytesIO(blob))))


def seal(blob: bytes, record: LatentRecord) -> bytes:
    """The safetensors bytes ``blob`` with ``record`` (less path and pin) as their only metadata.

    Raises DamagedLatent where ``blob`` is not what the record says.
    """
    reader = _Reader(io.BytesIO(blob))
    header = _header(reader)
    if _shape_and_dtype(header) != (record.shape, record.dtype):
        raise DamagedLatent("its record tells another shape or dtype")
    data = blob[reader.at :]
    record_json = msgspec.json.encode(msgspec.structs.replace(record, path="", pinned=False))
    digest = _digest(record_json, header.tensors)
    digest.update(data)
    sealed = msgspec.json.encode(_Sealed(digest.hexdigest(), msgspec.Raw(record_json))).decode()
    text = msgspec.json.encode({"__metadata__": {_KEY: sealed}, **header.tensors})
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + data


def examine(path: Path) -> LatentFile:
    """Read all of ``path`` in blocks: its record with that path, and its SHA-256. Raises DamagedLatent, OSError."""
    with path.open("rb") as file:
        found = _examine(_Reader(file))
    return LatentFile(msgspec.structs.replace(found.record, path=str(path)), found.sha256)


def examine_bytes(blob: bytes) -> LatentFile:
    """``examine`` of a whole file in memory; the path is empty. Raises DamagedLatent."""
    return _examine(_Reader(io.BytesIO(blob)))


class _Reader:
    """Reads whole pieces and hashes what it has read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._whole = hashlib.sha256()
        self.at = 0

    def take(self, size: int) -> bytes:
        data = self._file.read(size)
        self._whole.update(data)
        self.at += len(data)
        if len(data) < size:
            raise DamagedLatent("it is cut short")
        return data

    def blocks(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.take(min(size, _BLOCK))
            size -= len(block)
            yield block

    def at_end(self) -> bool:
        return not self._file.read(1)

    def sha256(self) -> str:
        return self._whole.hexdigest()


def _examine(reader: _Reader) -> LatentFile:
    header = _header(reader)
    if header.sealed is None:
        raise DamagedLatent("it carries no record of lofi.nvim")
    try:
        sealed = msgspec.json.decode(header.sealed, type=_Sealed)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamagedLatent(f"its record cannot be read: {error}") from error
    digest = _digest(bytes(sealed.record), header.tensors)
    for block in reader.blocks(max((tensor.data_offsets[1] for tensor in header.tensors.values()), default=0)):
        digest.update(block)
    if not reader.at_end():
        raise DamagedLatent("there is more in it than its header tells")
    if digest.hexdigest() != sealed.sha256:
        raise DamagedLatent("its contents do not match its checksum")
    try:
        record = msgspec.json.decode(sealed.record, type=LatentRecord)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamagedLatent(f"another version of lofi wrote its record: {error}") from error
    if _shape_and_dtype(header) != (record.shape, record.dtype):
        raise DamagedLatent("its record tells another shape or dtype")
    return LatentFile(record, reader.sha256())


def _header(reader: _Reader) -> _Header:
    length = int.from_bytes(reader.take(8), "little")
    if length > _MAX_HEADER:
        raise DamagedLatent("it is no safetensors file")
    try:
        members = msgspec.json.decode(reader.take(length), type=dict[str, msgspec.Raw])
        metadata = msgspec.json.decode(members.pop("__metadata__", b"{}"), type=dict[str, str])
        tensors = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in members.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedLatent(f"its header cannot be read: {error}") from error
    if not all(0 <= start <= end for start, end in (tensor.data_offsets for tensor in tensors.values())):
        raise DamagedLatent("its header tells impossible offsets")
    return _Header(tensors, metadata.get(_KEY))


def _shape_and_dtype(header: _Header) -> tuple[tuple[int, ...], str]:
    tensor = header.tensors.get(TENSOR)
    if tensor is None or tensor.dtype not in _DTYPES:
        raise DamagedLatent(f"it holds no floating-point tensor “{TENSOR}”")
    return tensor.shape, _DTYPES[tensor.dtype]


def _digest(record: bytes, tensors: Mapping[str, _Tensor]) -> hashlib._Hash:
    return hashlib.sha256(record + msgspec.json.encode(sorted(tensors.items())))
