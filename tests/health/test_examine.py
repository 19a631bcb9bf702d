"""All sections together, within a time; and the commands as they have to be typed here."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lofi_daemon import config
from lofi_daemon.health.child import Answer
from lofi_daemon.health.circumstances import Circumstances
from lofi_daemon.health.commands import Installation, shown
from lofi_daemon.health.examine import examine
from lofi_daemon.health.finding import Finding
from lofi_daemon.health.libraries import look as look_at_libraries


def circumstances(within_sec: float) -> Circumstances:
    return Circumstances(config.load(environ={}, file=Path("/nowhere/config.toml")), within_sec)


def test_sections_are_looked_into_at_the_same_time_and_told_in_order():
    both = threading.Barrier(2)

    def section(name):
        def look(_):
            both.wait(60)
            yield Finding(name, "ok", "fine")

        return look

    found = examine(circumstances(60), {"first": section("first"), "second": section("second")})
    assert [finding.section for finding in found] == ["first", "second"]


def test_a_section_that_hangs_is_given_up_and_the_others_are_told():
    release = threading.Event()

    def hang(_):
        yield Finding("disk", "ok", "a beginning")
        release.wait(60)

    def breaks(_):
        raise ValueError("no such thing")
        yield

    sections = {"disk": hang, "broken": breaks, "fine": lambda _: iter([Finding("fine", "ok", "fine")])}
    found = list(examine(circumstances(1.0), sections))
    release.set()
    assert [(finding.section, finding.level) for finding in found] == [
        ("disk", "ok"), ("disk", "warn"), ("broken", "warn"), ("fine", "ok"),
    ]  # fmt: skip
    assert "within 1 s" in found[1].text
    assert "ValueError: no such thing" in found[2].text


def test_a_library_that_does_not_load_is_an_error_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "soxr.py").write_text("raise ImportError('libsoxr.so.0: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = list(look_at_libraries(Installation(None, Path("/env"), Path("/env/bin/python")), 60))
    assert found[-1].level == "error"
    assert "soxr: ImportError: libsoxr.so.0" in found[-1].text
    assert found[-1].advice == ("Install them again: /env/bin/python -m pip install --force-reinstall lofi-daemon",)


def test_libraries_that_take_too_long_are_not_called_broken():
    def late(*words):
        return Answer("", "it took more than 7 s", is_late=True)

    *_, found = look_at_libraries(Installation(None, Path("/env"), Path("/env/bin/python")), 7, late)
    assert found.level == "warn" and "did not load within 7 s" in found.text


def test_commands_are_those_of_the_way_it_was_installed(tmp_path):
    root, venv = tmp_path / "lofi.nvim", tmp_path / "lofi.nvim" / ".venv"
    venv.mkdir(parents=True)
    here = Installation(root, venv, venv / "bin" / "python")
    assert here.with_extra("musicgen") == f"{venv}/bin/python -m pip install --editable '{root}[musicgen]'"
    (venv / ".installed").touch()
    assert here.with_extra("musicgen") == f"make -C {root} install EXTRAS=musicgen"
    assert here.with_torch("default") == f"make -C {root} install TORCH=default"
    (venv / ".extras").write_text("musicgen mpris\n")
    assert here.again() == f"make -C {root} clean install EXTRAS=musicgen,mpris"
    elsewhere = tmp_path / "venv"
    elsewhere.mkdir()
    (elsewhere / ".installed").touch()
    there = Installation(root, elsewhere, elsewhere / "bin" / "python")
    assert there.again() == f"make -C {root} clean install VENV={elsewhere}"


@pytest.mark.parametrize(
    ("path", "text"), [("~/a/b", "~/a/b"), ("/opt/x", "/opt/x"), ("/a b/c", "'/a b/c'"), ("~/a b", None)]
)
def test_paths_are_shown_as_one_types_them(path, text):
    full = Path(path).expanduser()
    assert shown(full) == (text or f"'{full}'")
