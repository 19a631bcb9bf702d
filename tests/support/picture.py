"""A screen of cells as a picture: text in DejaVu Sans Mono, bars and lines drawn to the pixel, as terminals do."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Box = tuple[int, int, int, int]
"""Of a cell: left, top, right, bottom; the last two are the next cell's."""

_STYLES = {(False, False): "", (True, False): "-Bold", (False, True): "-Oblique", (True, True): "-BoldOblique"}

# Which of its four arms a line has: left, right, up, down; 1 light, 2 heavy or double.
_ARMS = {
    "─": (1, 1, 0, 0), "━": (2, 2, 0, 0), "│": (0, 0, 1, 1), "┃": (0, 0, 2, 2), "═": (2, 2, 0, 0), "║": (0, 0, 2, 2),
    "┌": (0, 1, 0, 1), "┐": (1, 0, 0, 1), "└": (0, 1, 1, 0), "┘": (1, 0, 1, 0), "├": (0, 1, 1, 1), "┤": (1, 0, 1, 1),
    "┬": (1, 1, 0, 1), "┴": (1, 1, 1, 0), "┼": (1, 1, 1, 1), "╴": (1, 0, 0, 0), "╶": (0, 1, 0, 0), "╵": (0, 0, 1, 0),
    "╷": (0, 0, 0, 1), "╸": (2, 0, 0, 0), "╺": (0, 2, 0, 0), "╼": (1, 2, 0, 0), "╾": (2, 1, 0, 0),
    "╔": (0, 2, 0, 2), "╗": (2, 0, 0, 2), "╚": (0, 2, 2, 0), "╝": (2, 0, 2, 0),
}  # fmt: skip
# Rounded corners: the sides that the arc joins, as where its centre lies (right, below).
_ARCS = {"╭": (1, 1), "╮": (0, 1), "╰": (1, 0), "╯": (0, 0)}
_QUADRANTS = {
    "▖": "3",
    "▗": "4",
    "▘": "1",
    "▙": "134",
    "▚": "14",
    "▛": "123",
    "▜": "124",
    "▝": "2",
    "▞": "23",
    "▟": "234",
}
_STAND_INS = {"✅": "✔", "❌": "✘", "⚠️": "⚠"}  # the font has no emoji
_SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}


def draw(
    cells: Sequence[Sequence[tuple[str, int]]],
    looks: Mapping[int, Mapping[str, Any]],
    foreground: int,
    background: int,
    cursor: tuple[int, int] | None,
    size: int,
) -> Image.Image:
    """``cells`` are rows of (text, key of ``looks``); a cell without text belongs to the wide one before it.

    ``size`` of the font in pixels. ``cursor`` (row, column) is a block; None leaves it out.
    """
    width, height = round(_font(size, False, False).getlength("M")), round(size * 1.25)
    image = Image.new("RGB", (len(cells[0]) * width, len(cells) * height))
    pen = ImageDraw.Draw(image)
    written: list[tuple[Box, str, Mapping[str, Any], int, int]] = []
    for y, row in enumerate(cells):
        for x, (text, key) in enumerate(row):
            if not text and x:
                continue
            look = looks.get(key, {})
            ink, paper = look.get("foreground", foreground), look.get("background", background)
            if look.get("reverse", False) != ((y, x) == cursor):
                ink, paper = paper, ink
            cells_wide = 2 if x + 1 < len(row) and not row[x + 1][0] else 1
            box = (x * width, y * height, (x + cells_wide) * width, (y + 1) * height)
            pen.rectangle(_filled(box), fill=_rgb(paper))
            written.append((box, text, look, ink, paper))
    for cell in written:  # after all backgrounds: a letter may reach below its cell
        _cell(pen, *cell, size)
    return image


def _cell(
    pen: ImageDraw.ImageDraw, box: Box, text: str, look: Mapping[str, Any], ink: int, paper: int, size: int
) -> None:
    left, top, right, bottom = box
    colour, line = _rgb(ink), max(1, size // 14)
    if shape := _shape(text):
        shape(pen, box, colour, _rgb(_between(paper, ink, _SHADES.get(text, 1.0))), line)
    elif text.strip():
        font = _font(size, bool(look.get("bold")), bool(look.get("italic")))
        pen.text((left, top + round(size * 0.04)), _STAND_INS.get(text, text), font=font, fill=colour)
    below = bottom - line - max(1, size // 12)
    special = _rgb(look.get("special", ink))
    if any(look.get(name) for name in ("underline", "undercurl", "underdouble", "underdotted", "underdashed")):
        pen.rectangle((left, below, right - 1, below + line - 1), fill=special)
    if look.get("strikethrough"):
        middle = (top + bottom) // 2
        pen.rectangle((left, middle, right - 1, middle + line - 1), fill=colour)


Shape = Callable[[ImageDraw.ImageDraw, Box, str, str, int], None]


@cache
def _shape(text: str) -> Shape | None:
    """How ``text`` is drawn if it is a block or a line, None for a letter."""
    if text in _ARMS:
        return lambda pen, box, ink, _, line: _lines(pen, box, ink, line, _ARMS[text])
    if text in _ARCS:
        return lambda pen, box, ink, _, line: _arc(pen, box, ink, line, *_ARCS[text])
    if text != "⏸" and (len(text) != 1 or not 0x2580 <= ord(text) <= 0x259F):
        return None
    parts = _blocks(text)

    def fill(pen: ImageDraw.ImageDraw, box: Box, ink: str, shade: str, line: int) -> None:
        left, top, right, bottom = box
        for x1, y1, x2, y2 in parts:
            part = (
                left + round(x1 * (right - left)), top + round(y1 * (bottom - top)),
                left + round(x2 * (right - left)), top + round(y2 * (bottom - top)),
            )  # fmt: skip
            pen.rectangle(_filled(part), fill=shade)

    return fill


def _blocks(text: str) -> list[tuple[float, float, float, float]]:
    """The rectangles of a block element, in parts of its cell."""
    code = ord(text)
    if text == "⏸":  # which the font lacks
        return [(0.15, 0.3, 0.4, 0.8), (0.6, 0.3, 0.85, 0.8)]
    if text in _QUADRANTS:
        corners = {"1": (0.0, 0.0), "2": (0.5, 0.0), "3": (0.0, 0.5), "4": (0.5, 0.5)}
        return [(x, y, x + 0.5, y + 0.5) for x, y in (corners[n] for n in _QUADRANTS[text])]
    if text in _SHADES or text == "█":
        return [(0, 0, 1, 1)]
    if code == 0x2580:
        return [(0, 0, 1, 0.5)]
    if code <= 0x2587:
        return [(0, 1 - (code - 0x2580) / 8, 1, 1)]
    if code <= 0x258F:
        return [(0, 0, (0x2590 - code) / 8, 1)]
    return [{0x2590: (0.5, 0, 1, 1), 0x2594: (0, 0, 1, 1 / 8), 0x2595: (7 / 8, 0, 1, 1)}[code]]


def _lines(pen: ImageDraw.ImageDraw, box: Box, ink: str, line: int, arms: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    x, y = (left + right) // 2, (top + bottom) // 2
    half = [weight * line // 2 for weight in arms]
    thick = [max(1, weight * line) for weight in arms]
    to_left, to_right, up, down = arms
    if to_left:
        pen.rectangle((left, y - half[0], x + max(half[2:]), y - half[0] + thick[0] - 1), fill=ink)
    if to_right:
        pen.rectangle((x - max(half[2:]), y - half[1], right - 1, y - half[1] + thick[1] - 1), fill=ink)
    if up:
        pen.rectangle((x - half[2], top, x - half[2] + thick[2] - 1, y + max(half[:2])), fill=ink)
    if down:
        pen.rectangle((x - half[3], y - max(half[:2]), x - half[3] + thick[3] - 1, bottom - 1), fill=ink)


def _arc(pen: ImageDraw.ImageDraw, box: Box, ink: str, line: int, rightwards: int, downwards: int) -> None:
    left, top, right, bottom = box
    x, y, radius = (left + right) // 2, (top + bottom) // 2, (right - left) // 2
    half = line // 2
    centre = (x + radius if rightwards else x - radius, y + radius if downwards else y - radius)
    start = {(1, 1): 180, (0, 1): 270, (1, 0): 90, (0, 0): 0}[rightwards, downwards]
    reach = (centre[0] - radius - half, centre[1] - radius - half, centre[0] + radius + half, centre[1] + radius + half)
    pen.arc(reach, start, start + 90, fill=ink, width=line)
    ends = (centre[1], bottom - 1) if downwards else (top, centre[1])
    pen.rectangle((x - half, ends[0], x - half + line - 1, ends[1]), fill=ink)


def _filled(box: Box) -> Box:
    """Pillow counts the last pixel in; a rectangle never turns inside out."""
    left, top, right, bottom = box
    return left, top, max(left, right - 1), max(top, bottom - 1)


@cache
def _font(size: int, bold: bool, italic: bool) -> ImageFont.FreeTypeFont:
    found = importlib.util.find_spec("matplotlib")  # which brings the font along, so that pictures look alike anywhere
    assert found is not None and found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"DejaVuSansMono{_STYLES[bold, italic]}.ttf", size)


def _rgb(colour: int) -> str:
    return f"#{colour:06x}"


def _between(paper: int, ink: int, part: float) -> int:
    channels = [(paper >> shift & 255, ink >> shift & 255) for shift in (16, 8, 0)]
    mixed = [round(a + (b - a) * part) for a, b in channels]
    return mixed[0] << 16 | mixed[1] << 8 | mixed[2]
