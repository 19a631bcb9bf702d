"""The LuaCATS annotations are true: of the code that they describe, and of what a daemon answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.luacats import BUILTIN, misfits, parse, read, read_folder
from support.neovim import ROOT, Neovim

FOUND = read_folder(ROOT, "lua", "plugin")


def test_every_annotation_can_be_read():
    assert FOUND.problems == []
    assert len(FOUND.classes) > 40 and len(FOUND.functions) > 200, "the reader finds what is there"


def test_every_param_names_a_real_one_in_order():
    wrong = []
    for function in FOUND.functions:
        if not function.documented:
            continue
        real = [name for name in function.parameters if not name.startswith("_")]
        told = [name for name in function.documented if not name.startswith("_")]
        if told != real:
            wrong.append(f"{function.where}: {function.name}({', '.join(real)}) is annotated as ({', '.join(told)})")
    assert wrong == []


def test_every_type_that_is_named_is_defined():
    ours = FOUND.classes.keys() | FOUND.aliases.keys() | BUILTIN
    foreign = {name for _, name in FOUND.uses if name not in ours and name.startswith("vim.")}
    unknown = [f"{where}: {name}" for where, name in FOUND.uses if name not in ours | foreign and name[:6] != "uv.uv_"]
    assert unknown == []
    theirs = neovims_types()
    assert [name for name in sorted(foreign) if name not in theirs] == []


def neovims_types() -> set[str]:
    """What the annotations of Neovim's own runtime define."""
    with Neovim("--clean") as editor:
        runtime = Path(editor.lua("return vim.env.VIMRUNTIME"))
    text = "\n".join(path.read_text() for path in (runtime / "lua").rglob("*.lua"))
    return set(re.findall(r"@(?:class|alias)\s+(?:\(\w+\)\s*)?([\w.]+)", text))


def test_every_public_function_is_described_with_all_its_parameters():
    api = [f for f in FOUND.functions if f.where.startswith("lua/lofi/init.lua:") and f.name.startswith("M.")]
    assert len(api) > 20
    assert [f.where for f in api if not f.described or len(f.documented) != len(f.parameters)] == []


# the reader itself


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("string words after it", ["string"], " words after it"),
        ('"a"|"b"|lofi.X?', ["lofi.X", "nil"], ""),
        ("(string|integer)[] list", ["string", "integer"], " list"),
        ("table<string, fun(e: lofi.E?, n?: integer): boolean>", ["string", "lofi.E", "nil", "integer", "boolean"], ""),
        ("{ a: integer, b?: lofi.B[] }[]", ["integer", "lofi.B"], ""),
        ("[string, string][] pairs", ["string", "string"], " pairs"),
    ],
)  # fmt: skip
def test_a_type_ends_where_its_words_begin(text, names, rest):
    kind, left = parse(text)
    assert sorted(kind.names()) == sorted(names)
    assert left == rest


def test_what_is_wrong_is_found():
    found = read({
        "a.lua": """
---@class lofi.A
---@field x integer
---@field y? "a"|"b"
---@field z lofi.Nowhere
---@param b string
---@param a string
local function f(a, b) end
---@param lonely string
local x = 1
---@field homeless string
local y = 2
"""
    })  # fmt: skip
    assert [problem.split(":")[1] for problem in found.problems] == ["10", "11"]
    assert found.functions[0].documented == ["b", "a"]
    assert ("a.lua:5", "lofi.Nowhere") in found.uses
    kind = parse("lofi.A")[0]
    value = {"x": 1.5, "y": "c", "new": True}
    assert len(list(misfits(value, kind, found))) == 4
    del found.classes["lofi.A"].fields["z"]
    assert list(misfits({"x": 1}, kind, found)) == []
