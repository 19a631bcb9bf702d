"""A line that follows something: rewritten in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

from .terminal import Terminal
from .text import clock, columns, fit, printable

GREEN, RESET = "\x1b[32m", "\x1b[0m"
BAR_CELLS = 24
PLAIN_EVERY = 10
"""Percent between two lines where lines cannot be rewritten."""


class LiveLine:
    """At most one line at the bottom of stderr, shorter than the terminal so that it never wraps."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown = ""
        self._cells = 0

    def show(self, text: str, cells: int | None = None) -> None:
        """``cells``: the width of ``text`` where it holds colour codes."""
        width = columns(text) if cells is None else cells
        if text == self._shown:
            return
        blank = " " * max(0, self._cells - width)
        # Before it is written: Ctrl-C may come in between, and what is on the screen must then be known.
        self._shown, self._cells = text, max(self._cells, width)
        self._write(f"\r{text}{blank}")
        self._cells = width

    def note(self, text: str) -> None:
        """A line that stays, above the live one."""
        shown, cells = self._shown, self._cells
        self.clear()
        self._terminal.say(text)
        if shown:
            self.show(shown, cells)

    def clear(self) -> None:
        if self._shown:
            cells = min(self._cells + len("^C"), self._terminal.cells - 1)  # the terminal echoes Ctrl-C behind it
            self._write("\r" + " " * cells + "\r")
        self._shown, self._cells = "", 0

    def _write(self, text: str) -> None:
        self._terminal.err.write(text)
        self._terminal.err.flush()


class Progress:
    """Percent and remaining time of one generation or download. Never goes backwards."""

    def __init__(self, terminal: Terminal, label: str) -> None:
        self._terminal = terminal
        self._label = label
        self._line = LiveLine(terminal)
        self._percent = -1
        self._told = -PLAIN_EVERY

    def update(self, percent: float, eta_sec: float | None, about: str = "") -> None:
        """``about`` is said behind the percent."""
        if percent < self._percent:
            return
        self._percent = int(percent)
        if self._terminal.live:
            self._draw(eta_sec, about)
        elif self._percent >= self._told + PLAIN_EVERY:
            self._told = self._percent - self._percent % PLAIN_EVERY
            self._terminal.say(f"{self._label} {self._percent} %{about}{_remaining(eta_sec)}")

    def note(self, text: str) -> None:
        self._line.note(printable(text))

    def close(self) -> None:
        """Leave the screen as it was before."""
        self._line.clear()

    def _draw(self, eta_sec: float | None, about: str) -> None:
        numbers = f" {self._percent:3d} %{about}{_remaining(eta_sec)}"
        room = self._terminal.cells - 1
        bar_room = min(BAR_CELLS, room - columns(self._label) - columns(numbers) - 3)
        if bar_room < 4:
            self._line.show(fit(f"{self._label}{numbers}", room))
            return
        filled = bar_room * self._percent // 100
        full, empty = "#" * filled, "-" * (bar_room - filled)
        plain = f"{self._label} [{full}{empty}]{numbers}"
        if self._terminal.color(self._terminal.err):
            self._line.show(f"{self._label} [{GREEN}{full}{RESET}{empty}]{numbers}", columns(plain))
        else:
            self._line.show(plain)


def _remaining(eta_sec: float | None) -> str:
    return "" if eta_sec is None else f", {clock(eta_sec)} left"
