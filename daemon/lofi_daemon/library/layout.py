"""Where things lie in the library's folder. Every path of the library comes from here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..audio.files import FORMATS
from .durable import TEMPORARY_PREFIX, flush_folder, make_folder, named_errors, remove

_LATENT = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.safetensors")


class Layout:
    """``root``/tracks/ab/abcdef….flac, favorites/<id>, staging/, index.sqlite3, lock; ``latents``/<id>.safetensors.

    A favourite is a row's flag and also an empty file ``favorites/<id>``: the flag is what is asked, the file is what
    survives the loss of the index and of the track (made again, it is a favourite again). So with ``latents``/pinned/.
    """

    def __init__(self, root: Path, latents: Path | None = None) -> None:
        """``latents`` may be a folder elsewhere; by default it is one of ``root``."""
        self.root = root.absolute()
        self.latents = latents.absolute() if latents else self.root / "latents"
        self.pins = self.latents / "pinned"
        self.tracks = self.root / "tracks"
        self.favorites = self.root / "favorites"
        self.staging = self.root / "staging"
        self.index = self.root / "index.sqlite3"
        self.lock = self.root / "lock"

    def make(self) -> None:
        """The folders, 0700, but for those of latents, which most never need. Raises CACHE_WRITE_ERROR."""
        for folder in (self.root, self.tracks, self.favorites, self.staging):
            make_folder(folder)

    def file_name(self, track_id: str, extension: str) -> str:
        """Relative to ``root``, with forward slashes: what the index stores, so that the folder can be moved."""
        return f"tracks/{track_id[:2]}/{track_id}.{extension}"

    def audio_files(self) -> Iterator[str]:
        """Every audio file under ``tracks``, relative like ``file_name``; links and temporary files left out."""
        with named_errors(self.tracks):
            for folder in sorted(os.scandir(self.tracks), key=lambda entry: entry.name):
                if not folder.is_dir(follow_symlinks=False):
                    continue
                for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                    suffix = entry.name.rpartition(".")[2]
                    hidden = entry.name.startswith(TEMPORARY_PREFIX)
                    if suffix in FORMATS and not hidden and entry.is_file(follow_symlinks=False):
                        yield f"tracks/{folder.name}/{entry.name}"

    def latent_file(self, latent_id: str) -> Path:
        return self.latents / f"{latent_id}.safetensors"

    def latent_files(self) -> set[str]:
        """The ids that have a file; none where there is no such folder. Raises OSError."""
        if not self.latents.is_dir():
            return set()
        with os.scandir(self.latents) as entries:
            return {
                match[1]
                for entry in entries
                if (match := _LATENT.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False)
            }

    def marked_favorite(self, track_id: str) -> bool:
        return (self.favorites / track_id).exists()

    def mark_favorite(self, track_id: str, favorite: bool) -> None:
        """Make or remove the marker, durably. Raises CACHE_WRITE_ERROR."""
        _mark(self.favorites / track_id, favorite)

    def marked_pinned(self, latent_id: str) -> bool:
        return (self.pins / latent_id).exists()

    def mark_pinned(self, latent_id: str, pinned: bool) -> None:
        """Make or remove the marker, durably. Raises CACHE_WRITE_ERROR."""
        if pinned:
            make_folder(self.pins)
        _mark(self.pins / latent_id, pinned)


def _mark(marker: Path, wanted: bool) -> None:
    if wanted == marker.exists():
        return
    if wanted:
        with named_errors(marker):
            marker.touch(mode=0o600)
    else:
        remove(marker)
    flush_folder(marker.parent)
