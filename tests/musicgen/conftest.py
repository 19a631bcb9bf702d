"""What the tests of MusicGen share. torch and transformers take seconds to import, and every process that runs tests
collects all files: so nothing here or in the test files imports them before a test wants them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BRAKE = """
import sys

if "lofi_daemon.engine.worker" in sys.orig_argv:
    import os, time
    from lofi_daemon.stages.stream import Stream

    append = Stream.append

    def append_and_wait(self, samples, rate):
        append(self, samples, rate)
        while self._frames >= 8 * rate and os.path.exists(os.environ["LOFI_TEST_BRAKE"]):
            time.sleep(0.01)

    Stream.append = append_and_wait
"""


class Brake:
    """Where it is ``on``, the worker stands still once eight seconds of a track are there, however quick it is.

    ``env`` is for its daemon.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(BRAKE)
        self._file = folder / "on"
        self.env = {"PYTHONPATH": str(folder), "LOFI_TEST_BRAKE": str(self._file)}

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        self._file.touch()
        yield
        self._file.unlink()


@pytest.fixture(scope="session")
def brake(tmp_path_factory: pytest.TempPathFactory) -> Brake:
    return Brake(tmp_path_factory.mktemp("brake"))


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
