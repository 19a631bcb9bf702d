"""What the tests of MusicGen share. torch and transformers take seconds to import, and every process that runs tests
collects all files: so nothing here or in the test files imports them before a test wants them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def lab() -> ModuleType:
    """support/tiny_musicgen.py; ``lab.torch`` is torch."""
    from support import tiny_musicgen

    return tiny_musicgen


@pytest.fixture(scope="session")
def mono(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lab.make(tmp_path_factory.mktemp("mono"))


@pytest.fixture(scope="session")
def stereo(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lab.make(tmp_path_factory.mktemp("stereo"), channels=2)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the C step lies, compiled."""
    from lofi_daemon.backends.musicgen.native import build

    folder = tmp_path_factory.mktemp("native")
    build.load(folder)
    return folder


@pytest.fixture(scope="session")
def library(lab: Any, built: Path) -> Any:
    """The C step."""
    from lofi_daemon.backends.musicgen.native import build
    from lofi_daemon.backends.musicgen.native_decoder import declare

    library = build.load(built)
    declare(library)
    return library
