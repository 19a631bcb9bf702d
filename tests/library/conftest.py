from collections.abc import Iterator
from pathlib import Path

import pytest

from lofi_daemon.library.tracks import Tracks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Empty, unlike tmp_path, which holds the test's home."""
    path = tmp_path / "here"
    path.mkdir()
    return path


@pytest.fixture
def root(folder: Path) -> Path:
    """Where the library will be."""
    return folder / "cache"


class Clock:
    """Seconds since the epoch, set by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tracks(root: Path, clock: Clock) -> Iterator[Tracks]:
    tracks = Tracks(root, clock=clock)
    yield tracks
    tracks.close()
