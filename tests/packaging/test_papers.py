"""The papers say what the program does, and go on saying it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.raw_daemon import RawDaemon

from lofi_daemon import config
from lofi_daemon.cli import exits, parser
from lofi_daemon.errors import CODES

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "doc" / "PROTOCOL.md").read_text()
README = (ROOT / "README.md").read_text()


def names(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", text))


def test_the_protocol_lists_exactly_the_methods_that_are_there(tmp_path):
    table = PROTOCOL.partition("## Requests")[2].partition("**generate.**")[0]
    documented = {name for row in table.splitlines() if row.startswith("| `") for name in names(row.split("|")[1])}
    with RawDaemon(tmp_path) as daemon:
        known = set(daemon.error("no_such_method")["data"]["details"]["expected"])
    assert documented == known


def test_methods_of_later_versions_are_named_as_such_and_not_there(tmp_path):
    later = names(PROTOCOL.partition("## Not there yet")[2]) - {"backend_status", "download_progress"}
    assert later
    with RawDaemon(tmp_path) as daemon:
        for method in sorted(later):
            assert daemon.error(method)["data"]["code"] == "METHOD_NOT_FOUND", method


def test_the_protocol_has_every_error_with_its_number():
    rows = {name: -int(number) for number, name in re.findall(r"−(\d+) \| ([A-Z_]+)", PROTOCOL)}
    assert rows == dict(CODES)


def test_the_readme_has_every_setting_and_every_variable():
    for name in (*config.load(environ={}).sources, *config.ENVIRONMENT):
        assert f"`{name}`" in README, name


def test_the_readme_has_every_command_and_exit_code():
    commands = next(action for action in parser.build()._actions if action.dest == "COMMAND" or action.choices)
    for name in commands.choices or ():
        assert f"`lofi {name}" in README, name
    for code, text in exits.MEANING.items():
        assert f"| {code.value} | {text} |" in README


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md", "doc/PROTOCOL.md"])
def test_links_to_files_lead_somewhere(paper):
    path = ROOT / paper
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_readme_has_every_command_of_the_plugin():
    names = re.findall(r"^com (?:-\S+ )*(\w+) ", (ROOT / "plugin" / "lofi.vim").read_text(), re.MULTILINE)
    assert "LofiStop" in names
    assert [name for name in names if f"`:{name}" not in README] == []
