"""The Lua rooms that need neither screen nor daemon, by tests in Lua: each file beside this one but run.lua."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.neovim import find_nvim

HERE = Path(__file__).parent
RUN = HERE / "run.lua"


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.lua") if path != RUN))
def test_in_lua(name):
    ended = subprocess.run(
        [find_nvim(), "--clean", "-l", RUN, HERE / name], capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
