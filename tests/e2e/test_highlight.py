"""Colours that can be read, and that are the user's to change."""

from __future__ import annotations

from typing import Any

import pytest
from support.neovim import ROOT

HELP = (ROOT / "doc/lofi.txt").read_text(encoding="utf-8")

SCHEMES = [
    ("default", "dark"), ("default", "light"), ("habamax", "dark"), ("retrobox", "light"), ("desert", "dark"),
    ("vim", "light"), ("lunaperche", "light"), ("quiet", "dark"),
]  # fmt: skip

COLORS = """
local found = {}
for group in pairs(require('lofi.ui.highlight').LINKS) do
  found[group] = vim.api.nvim_get_hl(0, { name = group, link = false })
  found[group].known = vim.fn.hlexists(vim.api.nvim_get_hl(0, { name = group }).link) == 1
end
return { found, vim.api.nvim_get_hl(0, { name = 'Normal' }) }
"""


def luminance(color: int) -> float:
    """Relative luminance of sRGB, WCAG 2.2."""
    shares = [(color >> shift & 255) / 255 for shift in (16, 8, 0)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(ink: int, paper: int) -> float:
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("scheme", "background"), SCHEMES)
def test_every_group_can_be_read(open_editor, scheme, background):
    editor = open_editor()
    editor.command(f"set background={background}")
    editor.command(f"colorscheme {scheme}")
    editor.lua("require('lofi.ui.highlight').define()")
    groups, normal = editor.lua(COLORS)
    groups: dict[str, dict[str, Any]]
    for group, look in groups.items():
        assert look.pop("known"), f"{group} links to nothing"
        paper = look.get("bg", normal.get("bg", 0xFFFFFF if background == "light" else 0x000000))
        ink = look.get("fg", normal.get("fg", 0x000000 if background == "light" else 0xFFFFFF))
        least = 1.2 if group == "LofiBarRest" else 2.5  # what is left of a bar is no text
        assert contrast(ink, paper) >= least, f"{group}: {look}"


def test_the_waveform_has_as_many_colours_as_it_says_and_they_differ(open_editor):
    editor = open_editor()
    editor.lua("require('lofi.ui.highlight').define()")
    groups, _ = editor.lua(COLORS)
    waves = [group for group in groups if group.startswith("LofiWave")]
    assert len(waves) == editor.lua("return require('lofi.ui.highlight').WAVES")
    assert len({groups[group]["fg"] for group in waves}) == len(waves)


def test_what_the_user_set_is_kept_and_another_scheme_brings_the_links_back(open_editor):
    editor = open_editor()
    editor.command("highlight LofiTitle guifg=#123456")
    editor.lua("require('lofi.ui.highlight').define()")
    assert editor.lua("return vim.api.nvim_get_hl(0, { name = 'LofiTitle' }).fg") == 0x123456
    assert editor.lua("return vim.api.nvim_get_hl(0, { name = 'LofiKey' }).link") == "Special"
    editor.command("autocmd ColorScheme * highlight LofiError guifg=#654321")
    for scheme in ("habamax", "default"):
        editor.command(f"colorscheme {scheme}")
        assert editor.lua("return vim.api.nvim_get_hl(0, { name = 'LofiTitle' }).link") == "Title"
        assert editor.lua("return vim.api.nvim_get_hl(0, { name = 'LofiError' }).fg") == 0x654321


def test_the_help_lists_every_group_with_its_link(open_editor):
    links = open_editor().lua("return require('lofi.ui.highlight').LINKS")
    section = HELP.split("*lofi-highlights*")[1].split("=====")[0]
    listed = dict(line.split()[:2] for line in section.splitlines() if line.startswith("Lofi"))
    assert listed == links
    assert [group for group in links if f"*hl-{group}*" not in section] == []
