"""Where things lie in the library's folder. Every path of the library comes from here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..audio.files import FORMATS
from .durable import TEMPORARY_PREFIX, flush_folder, make_folder, named_errors, remove


class Layout:
    """``root``/tracks/ab/abcdef….flac, favorites/<id>, staging/, index.sqlite3, lock.

    A favourite is a row's flag and also an empty file ``favorites/<id>``: the flag is what is asked, the file is what
    survives the loss of the index and of the track (made again, it is a favourite again).
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.tracks = self.root / "tracks"
        self.favorites = self.root / "favorites"
        self.staging = self.root / "staging"
        self.index = self.root / "index.sqlite3"
        self.lock = self.root / "lock"

    def make(self) -> None:
        """The folders, 0700. Raises CACHE_WRITE_ERROR."""
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

    def marked_favorite(self, track_id: str) -> bool:
        return (self.favorites / track_id).exists()

    def mark_favorite(self, track_id: str, favorite: bool) -> None:
        """Make or remove the marker, durably. Raises CACHE_WRITE_ERROR."""
        marker = self.favorites / track_id
        if favorite == marker.exists():
            return
        if favorite:
            with named_errors(marker):
                marker.touch(mode=0o600)
        else:
            remove(marker)
        flush_folder(self.favorites)
