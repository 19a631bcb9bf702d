"""Named moods: those that ship with the daemon and the user's own.

The user's are tables ``[presets.NAME]`` in config.toml, or ``[NAME]`` in a presets.toml beside it. One of a name
that ships replaces it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..backends.synth import keyscale as keyscales
from ..errors import LofiError
from ..stages.resolve import MAX_PROMPT

FILE = "presets.toml"
TABLE = "presets"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    prompt: Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT)]
    bpm: Annotated[int, Meta(ge=30, le=300)] | None = None
    keyscale: str | None = None


class Preset(Struct, frozen=True, omit_defaults=True):
    name: str
    prompt: str
    bpm: int | None = None
    keyscale: str | None = None


def load(config_file: Path) -> tuple[tuple[Preset, ...], tuple[str, ...]]:
    """All presets, shipped ones first, and a sentence for each of the user's that does not fit and is left out.

    ``config_file`` is where the user's config.toml is, or would be.
    """
    problems: list[str] = []
    presets = shipped()
    inside = _read(config_file, problems).get(TABLE, {})
    beside = config_file.with_name(FILE)
    for file, tables in ((config_file, inside), (beside, _read(beside, problems))):
        if not isinstance(tables, dict):
            problems.append(f"{file}: “{TABLE}” is a table of presets, [{TABLE}.name]; ignored.")
            continue
        for name, table in tables.items():
            try:
                presets[name] = _preset(name, table)
            except ValueError as error:
                problems.append(f"{file}: the preset “{name}” is left out: {error}.")
    return tuple(presets.values()), tuple(problems)


def shipped() -> dict[str, Preset]:
    """The daemon's own, by name."""
    document = tomllib.loads(Path(__file__).with_name(FILE).read_text(encoding="utf-8"))
    return {name: _preset(name, table) for name, table in document.items()}


def _preset(name: str, table: object) -> Preset:
    """Raises ValueError with the reason."""
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 32 letters, digits, - or _")
    try:
        entry = msgspec.convert(table, _Entry)
        key = None if entry.keyscale is None else keyscales.parse(entry.keyscale).name
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`", "")) from None
    except LofiError as error:
        raise ValueError(error.message.rstrip(".")) from None
    if not entry.prompt.strip():
        raise ValueError("its prompt is empty")
    return Preset(name, entry.prompt.strip(), entry.bpm, key)


def _read(file: Path, problems: list[str]) -> Mapping[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if file.name == FILE:  # config.toml's own faults are said by config
            problems.append(f"{file} could not be read ({error}); its presets are left out until it is mended.")
        return {}
