"""Editors with the plugin, each with a home of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.editor import PUPPET, RECORD_EVENTS, FakeDaemon
from support.neovim import ROOT, Neovim
from support.sound_card import SoundCard, listening

OpenEditor = Callable[..., Neovim]


@pytest.fixture
def open_editor(tmp_path: Path) -> Iterator[OpenEditor]:
    """Starts an editor with the plugin: ``open_editor(daemon=[...], columns=…, environment=…, auto_play=False)``.

    What is not named here goes to setup(); `User` events are recorded in the Lua table ``heard``.
    """
    with contextlib.ExitStack() as stack:

        def open_(
            daemon: list[str] | None = None,
            *arguments: str,
            columns: int = 90,
            environment: dict[str, str] | None = None,
            **setup: Any,
        ) -> Neovim:
            editor = Neovim(
                "--clean", "-n", "--cmd", f"let &runtimepath = '{ROOT},' .. &runtimepath", *arguments,
                columns=columns, environment=environment,
            )  # fmt: skip
            stack.enter_context(editor)
            editor.lua(RECORD_EVENTS)
            if daemon:
                setup["daemon"] = {"cmd": daemon}
            if setup:
                editor.lua("require('lofi').setup(...)", setup)
            return editor

        yield open_


@pytest.fixture
def editor(open_editor: OpenEditor) -> Neovim:
    """With the real front and the puppet worker ("steps 30" takes 0.3 s); nothing is played."""
    return open_editor(PUPPET, auto_play=False, player={"output": "none"})


@pytest.fixture
def fake(tmp_path: Path) -> Callable[..., FakeDaemon]:
    """``fake(generate=[actions], …)``: see fake_daemon.py."""
    return lambda **script: FakeDaemon(tmp_path, script)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SoundCard]:
    """A card that takes whatever comes."""
    with listening(tmp_path) as card:
        yield card
