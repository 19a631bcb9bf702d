"""A pipeline as text, in a `*.lofi.toml`: a table [shared] and a [[stages]] for each stage."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import LofiError
from ..model import MAX_JSON_INT, Lora
from .request import Pipeline, StageRequest, convert_error
from .resolve import asked

MAX_TEXT = 1 << 18
"""Characters; tomllib takes its time."""

_SYNTAX = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"' -]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w.-]+|\"[^\"]*\"|'[^']*')\s*=")
_STRINGS = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*|[\[\]{}]')


def read(text: str) -> tuple[dict[str, Any], Lines]:
    """The document, and where its fields stand. Raises INVALID_PARAMS with ``line`` and ``column`` in the details."""
    if len(text) > MAX_TEXT:
        raise LofiError(
            "INVALID_PARAMS", f"A pipeline's text may have {MAX_TEXT} characters, not {len(text)}.", field="toml",
            expected=MAX_TEXT, got=len(text),
        )  # fmt: skip
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _syntax_error(str(error), text) from None
    for stage in (document.get("shared"), *_list(document.get("stages"))):
        seed = stage.get("seed") if isinstance(stage, dict) else None
        if type(seed) is int and seed > MAX_JSON_INT:  # exact here, unlike in JSON
            stage["seed"] = str(seed)
    return document, Lines(text)


def pipeline(text: str) -> Pipeline:
    """Raises INVALID_PARAMS naming line and field."""
    document, lines = read(text)
    try:
        return msgspec.convert(document, Pipeline)
    except msgspec.ValidationError as error:
        raise lines.located(convert_error(error, ("shared", "stages"))) from None


def write(of: Pipeline) -> str:
    """The text that ``read`` takes for ``of``; fields in the order in which a stage is read."""
    parts = ["[shared]\n" + _fields(of.shared)] if asked(of.shared) else []
    parts += ["[[stages]]\n" + _fields(stage) for stage in of.stages]
    return "\n".join(parts)


class Lines:
    """Where the fields of a pipeline stand in its text."""

    def __init__(self, text: str) -> None:
        self._at = _scan(text)

    def find(self, field: str | None) -> tuple[int, int] | None:
        """Line and column, both from 1, of "stages[1].scheduler"; where the stage took it from [shared], of that one;
        else of the stage."""
        if not field:
            return None
        names = [field]
        while "." in names[-1]:
            names.append(names[-1].rpartition(".")[0])
        own = [re.sub(r"(\.\w+)\[\d+\]$", r"\1", name) for name in names]
        for name in own:
            inherited = re.sub(r"^stages\[\d+\]\.", "shared.", name)
            for candidate in (name, inherited):
                if candidate in self._at:
                    return self._at[candidate]
        return None

    def located(self, error: LofiError) -> LofiError:
        """``error`` with the line in its sentence, and line and column in its details."""
        if at := self.find(error.field):
            error.details |= {"line": at[0], "column": at[1]}
            error.message = f"Line {at[0]}: {error.message}"
            error.args = (error.message,)
        return error


def _scan(text: str) -> dict[str, tuple[int, int]]:
    """By lines, as TOML is: what is inside of a text or a list of several lines is passed over."""
    at: dict[str, tuple[int, int]] = {}
    section, stages, open_text, depth = "", -1, "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not open_text and depth == 0:
            if header := _HEADER.match(line):
                name = header[2].replace('"', "").replace("'", "").replace(" ", "")
                stages += name == "stages" and header[1] == "[["
                section = re.sub(r"^stages\b", f"stages[{stages}]", name)
                at.setdefault(section, (number, header.start(1) + 1))
                continue
            if key := _KEY.match(line):
                name = f"{section}.{key[1].strip(chr(34) + chr(39))}".lstrip(".")
                at.setdefault(name, (number, key.start(1) + 1))
                line = line[key.end() :]
        open_text, depth = _left_open(line, open_text, depth)
    return at


def _left_open(line: str, open_text: str, depth: int) -> tuple[str, int]:
    """The mark of the text of several lines that is still open at the end of ``line``, and how many brackets are."""
    place = 0
    while place < len(line):
        if open_text:
            end = line.find(open_text, place)
            if end < 0:
                return open_text, depth
            place, open_text = end + 3, ""
            continue
        found = _STRINGS.search(line, place)
        if not found:
            break
        mark, place = found[0], found.end()
        if mark in ('"""', "'''"):
            open_text = mark
        elif mark in "[{":
            depth += 1
        elif mark in "]}":
            depth = max(0, depth - 1)
    return open_text, depth


def _syntax_error(message: str, text: str) -> LofiError:
    where = _SYNTAX.search(message)
    lines = text.split("\n")
    line, column = (int(where[1]), int(where[2])) if where and where[1] else (len(lines), len(lines[-1]) + 1)
    said = _SYNTAX.sub("", message)
    return LofiError(
        "INVALID_PARAMS", f"Line {line}, column {column}: this is no TOML: {said[:1].lower()}{said[1:]}.",
        field="toml", line=line, column=column,
    )  # fmt: skip


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _fields(request: StageRequest) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in asked(request).items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < MAX_JSON_INT else repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Lora):
        return f"{{ path = {_text(value.path)}, scale = {_value(value.scale)} }}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return str(value)


_ESCAPES: Mapping[str, str] = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\f": "\\f", "\r": "\\r"}


def _text(text: str) -> str:
    escaped = "".join(
        _ESCAPES.get(c) or (c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") if c != "\n" else c for c in text
    )
    if "\n" not in text:
        return '"' + escaped.replace('"', '\\"') + '"'
    return '"""\n' + re.sub(r'"(?="|\Z)', r"\"", escaped) + '"""'
