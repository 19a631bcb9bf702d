"""Text tags where libsndfile falls short of them: ID3v2.4 before MP3 frames, LIST INFO behind WAV samples.

libsndfile 1.2.2 marks UTF-8 as Latin-1 in ID3, so every player shows mojibake, and does not read back INFO texts
over 2 kB. Sources: id3.org "ID3 tag version 2.4.0"; Microsoft "Multimedia Programming Interface" (RIFF).
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from msgspec import Struct

MAX_TAG_BYTES = 1 << 24


class Tags(Struct, frozen=True):
    """``date`` is ISO 8601; ``comment`` may be long."""

    title: str
    artist: str
    date: str
    comment: str


def id3(tags: Tags) -> bytes:
    """The tag as it stands in front of the first MP3 frame, in UTF-8. Raises ValueError over 16 MiB."""
    utf8 = b"\x03"
    frames = [(name, utf8 + text.encode()) for name, text in
              ((b"TIT2", tags.title), (b"TPE1", tags.artist), (b"TDRC", tags.date))]  # fmt: skip
    frames.append((b"COMM", utf8 + b"XXX" + b"\0" + tags.comment.encode()))  # language unknown, no description
    body = b"".join(name + _syncsafe(len(data)) + b"\0\0" + data for name, data in frames)
    return b"ID3\x04\x00\x00" + _syncsafe(len(body)) + body


def append_riff_info(file: BinaryIO, tags: Tags) -> None:
    """Add a LIST INFO chunk to the finished WAV ``file`` and mend the length in its header."""
    texts = ((b"INAM", tags.title), (b"IART", tags.artist), (b"ICRD", tags.date), (b"ICMT", tags.comment))
    body = b"INFO" + b"".join(_chunk(name, text.encode() + b"\0") for name, text in texts)
    end = file.seek(0, 2)
    file.write(b"\0" * (end % 2) + _chunk(b"LIST", body))
    length = file.tell() - 8
    file.seek(4)
    file.write(struct.pack("<I", length))
    file.seek(0, 2)


def riff_comment(file: BinaryIO) -> str | None:
    """The ICMT text of a WAV ``file``, wherever it stands, or None. Raises ValueError where it is damaged."""
    size_of_file = file.seek(0, 2)
    file.seek(0)
    header = file.read(12)
    if header[:4] != b"RIFF" or header[8:] != b"WAVE":
        raise ValueError("no RIFF WAVE header")
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        start = file.tell()
        if start + size > size_of_file:
            raise ValueError("the file is cut short")
        if name == b"LIST" and size <= MAX_TAG_BYTES and (text := _icmt(file.read(size))) is not None:
            return text.decode("utf-8")
        file.seek(start + size + size % 2)
    return None


def _icmt(chunk: bytes) -> bytes | None:
    if chunk[:4] != b"INFO":
        return None
    at = 4
    while at + 8 <= len(chunk):
        name, size = struct.unpack_from("<4sI", chunk, at)
        if name == b"ICMT":
            if at + 8 + size > len(chunk):
                raise ValueError("the comment is cut short")
            return chunk[at + 8 : at + 8 + size].rstrip(b"\0")
        at += 8 + size + size % 2
    return None


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _syncsafe(size: int) -> bytes:
    """28 bits in four bytes whose top bit is clear, so that no decoder takes them for the start of a frame."""
    if size > MAX_TAG_BYTES:
        raise ValueError(f"a tag of {size} bytes is too long")
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
