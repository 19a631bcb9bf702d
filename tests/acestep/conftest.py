"""What the tests of ACE-Step share. torch and diffusers take seconds to import, and every process that runs tests
collects all files: so nothing here or in the test files imports them before a test wants them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a turbo and a base of a few hundred kilobytes, as published."""
    from support import tiny_acestep

    folder = tmp_path_factory.mktemp("acestep")
    tiny_acestep.published(folder)
    return tiny_acestep.published(folder, variant="base")


@pytest.fixture(scope="session")
def stage() -> ModuleType:
    """support/acestep_stage.py."""
    from support import acestep_stage

    return acestep_stage
