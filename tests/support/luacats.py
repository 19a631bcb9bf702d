"""LuaCATS annotations, read as far as this project uses them: which types there are, and whether a value fits one.

No checker of Lua types comes with a package manager everywhere, and none of them could compare an annotation with what
a daemon really answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUILTIN = frozenset({
    "any", "boolean", "function", "integer", "nil", "number", "string", "table", "thread", "unknown", "userdata",
    "self",
})  # fmt: skip

_TOKEN = re.compile(r'\s*("[^"]*"|\'[^\']*\'|`[\w.]+`|\.\.\.|-?\d+(?:\.\d+)?|[\w.*-]*\w|[][(){}<>|?:,])')
_ANNOTATION = re.compile(r"^\s*---\s?@(\w+)\s*(.*)$")
_TRAILING = re.compile(r"---@type (.*)$|--\[\[@as (.*?)\]\]")
_FUNCTION = re.compile(
    r"^\s*(?:local\s+)?function\s+([\w.:]+)\s*\(([^)]*)\)|^\s*(return|(?:local\s+)?[\w.]+\s*=)\s*function\s*\(([^)]*)\)"
)
_NAME = re.compile(r"(\.\.\.|\w+|\[[^]]*\])(\?)?\s+(.*)")


class AnnotationError(Exception):
    pass


@dataclass(frozen=True)
class Type:
    """``kind``: name, literal, union, array, table, tuple, record, function; ``parts`` are the types inside."""

    kind: str
    text: str = ""
    parts: tuple[Type, ...] = ()
    members: tuple[tuple[str, bool, Type], ...] = ()
    """Of a record or a function's parameters: name, whether it may be missing, type."""

    def names(self) -> Iterator[str]:
        if self.kind == "name":
            yield self.text
        for part in (*self.parts, *(kind for _, _, kind in self.members)):
            yield from part.names()


@dataclass
class Class:
    name: str
    parents: tuple[str, ...] = ()
    fields: dict[str, tuple[bool, Type]] = field(default_factory=dict)
    """Name → whether it may be missing, type."""


@dataclass
class Function:
    where: str
    name: str
    parameters: list[str]
    documented: list[str]
    described: bool
    """Whether a comment stands before it."""


@dataclass
class Annotations:
    classes: dict[str, Class] = field(default_factory=dict)
    aliases: dict[str, Type] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    uses: list[tuple[str, str]] = field(default_factory=list)
    """(where, name of a type) of everything that was named."""
    problems: list[str] = field(default_factory=list)


class _Parser:
    """A recursive descent over the tokens of one type; ``rest`` is what follows it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    @property
    def rest(self) -> str:
        return self.text[self.at :]

    def _peek(self) -> str:
        match = _TOKEN.match(self.text, self.at)
        return match[1] if match else ""

    def _take(self, wanted: str | None = None) -> str:
        match = _TOKEN.match(self.text, self.at)
        if not match or (wanted and match[1] != wanted):
            raise AnnotationError(f"expected {wanted or 'a type'} at “{self.rest}”")
        self.at = match.end()
        return match[1]

    def _touches(self, token: str) -> bool:
        """Whether ``token`` follows without a space: `T[]`, `T?`."""
        return self.text.startswith(token, self.at)

    def union(self) -> Type:
        parts = [self._postfix()]
        while self._peek() == "|":
            self._take("|")
            parts.append(self._postfix())
        return parts[0] if len(parts) == 1 else Type("union", parts=tuple(parts))

    def _postfix(self) -> Type:
        kind = self._primary()
        while True:
            if self._touches("[]"):
                self.at += 2
                kind = Type("array", parts=(kind,))
            elif self._touches("?"):
                self.at += 1
                kind = Type("union", parts=(kind, Type("name", "nil")))
            else:
                return kind

    def _primary(self) -> Type:
        token = self._take()
        if token == "(":
            kind = self.union()
            self._take(")")
            return kind
        if token == "{":
            return self._record()
        if token == "[":
            parts = [self.union()]
            while self._peek() == ",":
                self._take(",")
                parts.append(self.union())
            self._take("]")
            return Type("tuple", parts=tuple(parts))
        if token == "fun":
            return self._function()
        if token[0] in "\"'":
            return Type("literal", token[1:-1])
        if token == "table" and self._touches("<"):
            self._take("<")
            key = self.union()
            self._take(",")
            value = self.union()
            self._take(">")
            return Type("table", parts=(key, value))
        if token in ("true", "false") or token.lstrip("-").isdigit():
            return Type("literal", token)
        if re.fullmatch(r"`?[\w.*-]+`?", token):
            return Type("name", token.strip("`"))
        raise AnnotationError(f"no type begins with “{token}”")

    def _record(self) -> Type:
        members = []
        while self._peek() != "}":
            if self._peek() == "[":
                self._take("[")
                self.union()
                self._take("]")
                name, optional = "[]", True
            else:
                name = self._take()
                optional = self._peek() == "?" and bool(self._take("?"))
            self._take(":")
            members.append((name, optional, self.union()))
            if self._peek() == ",":
                self._take(",")
        self._take("}")
        return Type("record", members=tuple(members))

    def _function(self) -> Type:
        members, results = [], []
        self._take("(")
        while self._peek() != ")":
            name = self._take()
            optional = self._touches("?") and bool(self._take("?"))
            kind = Type("name", "any")
            if self._peek() == ":":
                self._take(":")
                kind = self.union()
            members.append((name, optional, kind))
            if self._peek() == ",":
                self._take(",")
        self._take(")")
        if self._touches(":"):
            self._take(":")
            results.append(self.union())
            while self._touches(","):
                self._take(",")
                results.append(self.union())
        return Type("function", parts=tuple(results), members=tuple(members))


def parse(text: str) -> tuple[Type, str]:
    """The type that ``text`` begins with, and what follows it. Raises AnnotationError."""
    parser = _Parser(text)
    return parser.union(), parser.rest


def read(files: Mapping[str, str]) -> Annotations:
    """Everything annotated in ``files`` (name → text)."""
    found = Annotations()
    for name, text in files.items():
        _Reader(found, name).read(text)
    return found


def read_folder(root: Path, *folders: str) -> Annotations:
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.lua"))
    return read({str(path.relative_to(root)): path.read_text() for path in paths})


class _Reader:
    def __init__(self, found: Annotations, name: str) -> None:
        self._found, self._name, self._line = found, name, 0
        self._class: Class | None = None
        self._params: list[str] = []
        self._generics: set[str] = set()
        self._described = False

    @property
    def _where(self) -> str:
        return f"{self._name}:{self._line}"

    def read(self, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            self._line = number
            try:
                if annotation := _ANNOTATION.match(line):
                    self._annotation(annotation[1], annotation[2])
                elif line.lstrip().startswith("--"):
                    self._described |= line.lstrip().startswith("---")
                else:
                    params, self._params = self._params, []
                    described, self._described = self._described, False
                    self._class, self._generics = None, set()
                    self._code(line, params, described)
            except AnnotationError as error:
                self._found.problems.append(f"{self._where}: {error}")

    def _type(self, text: str) -> tuple[Type, str]:
        kind, rest = parse(text)
        self._found.uses += [(self._where, name) for name in kind.names() if name not in self._generics]
        return kind, rest

    def _annotation(self, tag: str, text: str) -> None:
        self._described = True
        if tag == "class":
            match = re.match(r"(?:\((?:exact|partial)\)\s*)?([\w.]+)(?:\s*:\s*([\w., ]+))?", text)
            if not match:
                raise AnnotationError(f"no class is named in “{text}”")
            parents = tuple(parent.strip() for parent in (match[2] or "").split(",") if parent.strip())
            self._class = self._found.classes.setdefault(match[1], Class(match[1]))
            self._class.parents += parents
            self._found.uses += [(self._where, parent) for parent in parents]
        elif tag == "field":
            match = _NAME.match(re.sub(r"^(private|protected|public|package)\s+", "", text))
            if not match or not self._class:
                raise AnnotationError(f"“@field {text}” belongs to no class or has no type")
            self._class.fields[match[1]] = (bool(match[2]), self._type(match[3])[0])
        elif tag == "alias":
            name, _, definition = text.partition(" ")
            self._found.aliases[name] = self._type(definition)[0]
        elif tag == "generic":
            self._generics |= {part.split(":")[0].strip() for part in text.split(",")}
        elif tag == "param":
            match = _NAME.match(text)
            if not match:
                raise AnnotationError(f"“@param {text}” has no type")
            self._params.append(match[1])
            self._type(match[3])
        elif tag in ("return", "type", "cast"):
            rest = "," + re.sub(r"^\w+\s+", "", text) if tag == "cast" else "," + text
            while rest.startswith(","):
                _, rest = self._type(rest[1:])
                rest = re.sub(r"^\s+\w+(?=,)", "", rest)  # a result's name
        elif tag not in ("meta", "private", "overload", "deprecated", "nodiscard", "see", "async", "diagnostic"):
            raise AnnotationError(f"@{tag} is not known here")

    def _code(self, line: str, params: list[str], described: bool) -> None:
        for match in _TRAILING.finditer(line):
            rest = "," + (match[1] or match[2])
            while rest.startswith(","):
                _, rest = self._type(rest[1:])
        match = _FUNCTION.match(line)
        if match:
            parameters = [word.strip() for word in (match[2] or match[4] or "").split(",") if word.strip()]
            name = match[1] or match[3].removesuffix("=").strip()
            self._found.functions.append(Function(self._where, name, parameters, params, described))
        elif params:
            raise AnnotationError(f"@param {params[0]} stands before no function")


def misfits(value: Any, kind: Type, known: Annotations, where: str = "") -> Iterator[str]:
    """Why the JSON ``value`` is not of type ``kind``: a sentence for each place. An absent member is None."""
    if kind.kind == "union":
        problems = [list(misfits(value, part, known, where)) for part in kind.parts]
        if all(problems):
            yield from min(problems, key=len)
    elif kind.kind == "literal":
        if value != kind.text and str(value).lower() != kind.text:
            yield f"{where} is {value!r}, not “{kind.text}”"
    elif kind.kind in ("array", "tuple"):
        if not isinstance(value, list):
            yield f"{where} is {value!r}, no list"
            return
        for i, item in enumerate(value):
            part = kind.parts[0] if kind.kind == "array" else kind.parts[min(i, len(kind.parts) - 1)]
            yield from misfits(item, part, known, f"{where}[{i}]")
    elif kind.kind == "table":
        if not isinstance(value, dict):
            yield f"{where} is {value!r}, no table"
            return
        for key, item in value.items():
            yield from misfits(item, kind.parts[1], known, f"{where}.{key}")
    elif kind.kind == "record":
        yield from _members(value, {name: (optional, part) for name, optional, part in kind.members}, known, where)
    elif kind.text in known.aliases:
        yield from misfits(value, known.aliases[kind.text], known, where)
    elif kind.text in known.classes:
        yield from _members(value, _fields(known.classes[kind.text], known), known, where)
    elif not _is_builtin(value, kind.text):
        yield f"{where} is {value!r}, not {kind.text}"


def _fields(of: Class, known: Annotations) -> dict[str, tuple[bool, Type]]:
    inherited = [_fields(known.classes[parent], known) for parent in of.parents if parent in known.classes]
    return {name: found for fields in [*inherited, of.fields] for name, found in fields.items()}


def _members(value: Any, fields: Mapping[str, tuple[bool, Type]], known: Annotations, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is {value!r}, no table of members"
        return
    for name in value.keys() - fields.keys():
        yield f"{where}.{name} is not annotated"
    for name, (optional, kind) in fields.items():
        member = value.get(name)
        if member is None and optional:
            continue
        if member is None and "nil" not in kind.names():
            yield f"{where}.{name} is missing or null, and not marked with ?"
        elif member is not None:
            yield from misfits(member, kind, known, f"{where}.{name}")


def _is_builtin(value: Any, name: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "any": True,
        "unknown": True,
        "nil": value is None,
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "number": number,
        "integer": number and value == int(value),
        "table": isinstance(value, dict | list),
    }.get(name, False)
