from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def v15() -> ModuleType:
    """``acestep_core.v15`` with its rooms. Not imported where tests are collected: diffusers takes seconds."""
    import acestep_core.v15
    from acestep_core.v15 import assemble, config, layout, loading, lora, modules, published, tasks, vae, weights  # noqa: F401

    return acestep_core.v15


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """What is this small is slower on two threads than on one, and slower yet where other tests want the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
