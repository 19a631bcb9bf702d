"""No test sees or touches the folders and settings of whoever runs it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

XDG = {
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}

OURS = ("LOFI_", "ACE_LATENT_", "XDG_", "DBUS_", "HF_", "HUGGING")


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [
        name for name in os.environ if name.startswith(("LOFI_", "ACE_LATENT_", "XDG_", "DBUS_", "HF_", "HUGGING"))
    ]:
        patch.delenv(name)
    for name in ("COLUMNS", "LINES"):  # the terminal that runs the tests is not the one under test
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))
    for name, folder in XDG.items():
        patch.setenv(name, str(home / folder))
    patch.setenv("LOFI_DAEMON_SHARED", "false")  # the tests of the shared daemon switch it on


@pytest.fixture(scope="session", autouse=True)
def isolated_session() -> Iterator[None]:
    """For fixtures that outlive one test."""
    home = Path(tempfile.mkdtemp(prefix="lofi-tests-"))
    for number in (signal.SIGINT, signal.SIGHUP):  # nohup and `&` have them ignored, by all that is started here too
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, home)
        yield
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True)
def isolated(isolated_session: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test; returns it."""
    home = tmp_path / "home"
    home.mkdir()
    isolate(monkeypatch, home)
    return home


@pytest.fixture
def go(isolated: Path) -> Callable[[], None]:
    """Lets go on what the puppet worker holds."""
    return (isolated / "go").touch


@pytest.fixture
def light_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs started here find ``support/light/torch``; tests/shared and e2e/test_wire.py examine the real one."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "support" / "light"))
