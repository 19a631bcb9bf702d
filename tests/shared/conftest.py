from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shared_daemon import Runtime, shared_runtime
from support.sound_card import SoundCard, listening


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """pytest's own folders have paths too long for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="lofi-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    with shared_runtime(tmp_path / "cache", monkeypatch) as runtime:
        yield runtime


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCard]:
    """A card that takes whatever comes, at about its own pace."""
    with listening(tmp_path, 0.03) as card:
        for name, value in card.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PUPPET_OUTPUT", "sounddevice")
        yield card
