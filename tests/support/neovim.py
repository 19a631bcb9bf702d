"""A real Neovim with a real screen: `nvim --embed`, attached to as its UI over msgpack-RPC.

The screen is kept as a grid of cells, so that a test can ask what a person would see.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def find_nvim() -> str:
    """The Neovim that `make` found: the user's if it is new enough, else the one in .venv; itself, not its launcher."""
    found = subprocess.run([ROOT / "scripts/find_nvim.sh"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError("no Neovim 0.11 or later: run `make nvim`")
    ask = ["--clean", "--headless", "-c", "lua io.stdout:write(vim.v.progpath)", "-c", "qa!"]
    asked = [ROOT / found.stdout.strip(), *ask]  # an absolute path stays itself
    quiet = {**os.environ, "NVIM_LOG_FILE": os.devnull}
    return subprocess.run(asked, capture_output=True, text=True, check=True, env=quiet).stdout


class NeovimError(Exception):
    """Neovim answered a request with an error."""


class Screen:
    """The grid of cells, built from redraw events (ui-linegrid)."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cursor = (0, 0)
        self.foreground, self.background = 0xDDDDDD, 0x101010
        self._attributes: dict[int, dict[str, Any]] = {0: {}}
        self._clear()

    def _clear(self) -> None:
        self._cells: list[list[tuple[str, int]]] = [[(" ", 0)] * self.columns for _ in range(self.rows)]

    def apply(self, event: str, arguments: list[Any]) -> None:
        if event == "grid_line":
            _, row, column, cells = arguments[:4]
            attribute = 0
            for text, *more in cells:
                attribute = more[0] if more else attribute
                for _ in range(more[1] if len(more) > 1 else 1):
                    if column < self.columns:
                        self._cells[row][column] = (text, attribute)
                    column += 1
        elif event == "grid_scroll":
            _, top, bottom, left, right, by, _ = arguments
            rows = range(top, bottom - by) if by > 0 else range(bottom - 1, top - by - 1, -1)
            for row in rows:
                self._cells[row][left:right] = self._cells[row + by][left:right]
        elif event == "grid_resize":
            _, self.columns, self.rows = arguments
            self._clear()
        elif event == "grid_clear":
            self._clear()
        elif event == "grid_cursor_goto":
            self.cursor = (arguments[1], arguments[2])
        elif event == "hl_attr_define":
            self._attributes[arguments[0]] = arguments[1]
        elif event == "default_colors_set":
            self.foreground = arguments[0] if arguments[0] >= 0 else self.foreground
            self.background = arguments[1] if arguments[1] >= 0 else self.background

    def lines(self) -> list[str]:
        return ["".join(text for text, _ in row).rstrip() for row in self._cells]

    def png(self, path: Path, size: int = 15, *, cursor: bool = True) -> None:
        """Draw the screen; ``size`` of the font in pixels."""
        from support.picture import draw

        at = self.cursor if cursor else None
        draw(self._cells, self._attributes, self.foreground, self.background, at, size).save(path)


class Neovim:
    """One editor. Requests block until they are answered; ``wait`` polls."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 90,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        executable: str | None = None,
    ) -> None:
        self.screen = Screen(columns, rows)
        self.seen: list[str] = []
        """Every last line of the screen that was ever drawn, in order, each once in a row."""
        self._process = subprocess.Popen(
            [executable or find_nvim(), "--embed", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # without a state folder it would log into the working one
            env={**os.environ, "NVIM_LOG_FILE": os.devnull, **(environment or {})},
        )
        self._changed = threading.Condition()
        self._replies: dict[int, tuple[Any, Any]] = {}
        self._gone = False
        self._ids = itertools.count(1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.request("nvim_ui_attach", columns, rows, {"rgb": True, "ext_linegrid": True})

    @property
    def pid(self) -> int:
        return self._process.pid

    def request(self, method: str, *arguments: Any, timeout: float = 60) -> Any:
        ident = next(self._ids)
        assert self._process.stdin is not None
        line = msgpack.packb([0, ident, method, arguments], unicode_errors="surrogateescape")
        self._process.stdin.write(line)
        self._process.stdin.flush()
        with self._changed:
            if not self._changed.wait_for(lambda: ident in self._replies or self._gone, timeout):
                raise TimeoutError(f"{method} was not answered; the screen shows:\n{self.text()}")
            if ident not in self._replies:
                raise EOFError("Neovim has left")
            error, result = self._replies.pop(ident)
        if error:
            raise NeovimError(error[1] if isinstance(error, list) else error)
        return result

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.request("nvim_exec_lua", code, list(arguments))

    def command(self, text: str) -> None:
        self.request("nvim_command", text)

    def type(self, keys: str) -> None:
        """As a person would, key by key; <CR> and the like are keys."""
        self.request("nvim_input", keys)

    def wait(self, condition: str | Callable[[], Any], timeout: float = 60) -> Any:
        """Until the Lua expression, or what the callable returns, is true; returns its value."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = condition() if callable(condition) else self.lua("return " + condition)
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError(f"waited in vain for {condition}; the screen shows:\n{self.text()}")

    def wait_for_text(self, text: str, timeout: float = 60) -> None:
        self.wait(lambda: text in self.text(), timeout)

    def text(self) -> str:
        with self._changed:
            return "\n".join(self.screen.lines())

    def last_line(self) -> str:
        with self._changed:
            return self.screen.lines()[-1]

    def mode(self) -> str:
        return str(self.request("nvim_get_mode")["mode"])

    def blocked(self) -> bool:
        """Whether a prompt (such as hit-enter) waits for a key."""
        return bool(self.request("nvim_get_mode")["blocking"])

    def messages(self) -> list[str]:
        return str(self.request("nvim_exec2", "messages", {"output": True})["output"]).splitlines()

    def png(self, path: Path, size: int = 15, *, cursor: bool = True) -> None:
        with self._changed:
            self.screen.png(path, size, cursor=cursor)

    def leave(self, timeout: float = 30) -> float:
        """``:qa!``; seconds until the process was gone."""
        start = time.monotonic()
        with contextlib.suppress(EOFError, BrokenPipeError):
            self.request("nvim_command", "qa!", timeout=timeout)
        self._process.wait(timeout)
        return time.monotonic() - start

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.leave(10)
        except (TimeoutError, subprocess.TimeoutExpired):
            self.kill()
        self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", strict_map_key=False)
        while data := os.read(self._process.stdout.fileno(), 1 << 16):
            unpacker.feed(data)
            for message in unpacker:
                if message[0] == 1:
                    with self._changed:
                        self._replies[message[1]] = (message[2], message[3])
                        self._changed.notify_all()
                elif message[0] == 2 and message[1] == "redraw":
                    with self._changed:
                        self._redraw(message[2])
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _redraw(self, batch: Sequence[list[Any]]) -> None:
        for event, *calls in batch:
            for arguments in calls:
                self.screen.apply(event, arguments)
            if event == "flush":
                line = self.screen.lines()[-1]
                if not self.seen or self.seen[-1] != line:
                    self.seen.append(line)
