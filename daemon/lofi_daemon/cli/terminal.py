"""The two streams of a command: results on stdout, everything about them on stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from .text import columns, fit, printable


@dataclass(frozen=True, slots=True)
class Terminal:
    """``width`` in cells, None = as wide as the terminal is now."""

    out: TextIO
    err: TextIO
    environ: Mapping[str, str]
    width: int | None = None

    @classmethod
    def standard(cls) -> Terminal:
        return cls(sys.stdout, sys.stderr, os.environ)

    @property
    def cells(self) -> int:
        return self.width or shutil.get_terminal_size().columns

    @property
    def wide_out(self) -> bool:
        """Whether stdout is a pipe or file: then nothing is cut or aligned."""
        return not self.out.isatty()

    @property
    def live(self) -> bool:
        """Whether a line on stderr can be rewritten in place."""
        return self.err.isatty() and self.environ.get("TERM") != "dumb"

    def color(self, stream: TextIO) -> bool:
        plain = self.environ.get("NO_COLOR") or self.environ.get("TERM") == "dumb"
        return stream.isatty() and not plain

    def line(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()

    def document(self, value: object) -> None:
        """One JSON value on one line of stdout."""
        self.line(json.dumps(value, ensure_ascii=False))

    def say(self, text: str) -> None:
        self.err.write(text + "\n")
        self.err.flush()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns, the last one cut to the width; in a pipe tab-separated, whole and without a head."""
        cleaned = [[printable(cell) for cell in row] for row in rows]
        if self.wide_out:
            for row in cleaned:
                self.line("\t".join(row))
            return
        widths = [max(columns(row[i]) for row in [list(head), *cleaned]) for i in range(len(head) - 1)]
        for row in [list(head), *cleaned]:
            aligned = [cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=False)]
            left = "  ".join([*aligned, ""])
            self.line((left + fit(row[-1], max(10, self.cells - columns(left)))).rstrip())
