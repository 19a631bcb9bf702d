from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.fake_hub import FakeHub, musicgen_files


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with a small MusicGen; every download of the test goes there."""
    with FakeHub({"facebook/musicgen-small": musicgen_files()}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub
