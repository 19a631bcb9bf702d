"""What e2e tests share: the daemons that editors start, and how to ask an editor what it heard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from support.neovim import ROOT, Neovim

E2E = ROOT / "tests" / "e2e"

PUPPET = [sys.executable, str(E2E / "puppet_stdio.py")]
"""The real front with a worker that does what the prompt says (see support/puppet_worker.py)."""

RECORD_EVENTS = """
_G.heard = {}
for _, pattern in ipairs({ 'Started', 'Progress', 'Done', 'Error', 'Cancelled', 'Playback', 'Queue', 'Volume',
    'Playlist', 'Radio', 'Focus', 'Sleep', 'Devices', 'Notice', 'Exit' }) do
  vim.api.nvim_create_autocmd('User', { pattern = 'Lofi' .. pattern, callback = function(args)
    table.insert(_G.heard, { args.match, args.data })
  end })
end
"""


class FakeDaemon:
    def __init__(self, folder: Path, script: dict[str, Any]) -> None:
        self.script = folder / "script.json"
        self.script.write_text(json.dumps(script))
        self.command = [sys.executable, str(E2E / "fake_daemon.py"), str(self.script)]

    def arguments(self) -> list[str]:
        return list(json.loads(Path(f"{self.script}.args").read_text()))

    def heard(self, method: str) -> list[dict[str, Any]]:
        """The params of every request of that method so far."""
        path = Path(f"{self.script}.heard")
        lines = path.read_text().splitlines() if path.exists() else []
        return [message["params"] for line in lines if (message := json.loads(line))["method"] == method]

    def starts(self) -> int:
        path = Path(f"{self.script}.starts")
        return len(path.read_text().splitlines()) if path.exists() else 0


def heard(editor: Neovim, pattern: str) -> list[dict[str, Any]]:
    """The data of every `User` event of that name so far."""
    events = editor.lua("return _G.heard")
    return [data for name, data in events if name == pattern]


def wait_for_event(editor: Neovim, pattern: str, count: int = 1) -> list[dict[str, Any]]:
    def enough() -> list[dict[str, Any]] | None:
        found = heard(editor, pattern)
        return found if len(found) >= count else None

    return list(editor.wait(enough))


def assert_calm(editor: Neovim) -> None:
    """No prompt waits for a key, and the user is where he was."""
    assert not editor.blocked(), editor.text()
    assert editor.mode() == "n", editor.text()
