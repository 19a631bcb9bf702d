"""Where the socket lies: private, short enough, one for each library."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.shared import place

FALLBACK = f"/tmp/lofi.nvim-{os.getuid()}"


def folder_of(found: place.Place) -> str:
    return str(Path(found.socket).parent)


def test_the_folder_is_private_even_if_it_was_not(short_folder):
    environ = {"XDG_RUNTIME_DIR": str(short_folder)}
    folder = short_folder / "lofi.nvim"
    assert folder_of(place.find("/music", environ)) == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    place.find("/music", environ)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_each_library_has_its_own_socket_and_the_same_one_each_time(short_folder):
    environ = {"XDG_RUNTIME_DIR": str(short_folder)}
    names = [place.find(library, environ).socket for library in ("/a", "/b", "/a")]
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize("runtime", ["/nowhere/at/all", "/run/" + 90 * "x", ""])
def test_a_runtime_folder_that_does_not_serve_gives_way_to_the_next(runtime):
    assert folder_of(place.find("/music", {"XDG_RUNTIME_DIR": runtime})) == FALLBACK
    assert stat.S_IMODE(Path(FALLBACK).stat().st_mode) == 0o700


def test_a_path_fits_into_a_socket_address(tmp_path):
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    assert len(place.find("/music", {"XDG_RUNTIME_DIR": str(deep)}).socket) <= 103


@pytest.mark.parametrize("trap", ["link", "file", "foreign"])
def test_what_somebody_else_put_there_is_not_used(short_folder, monkeypatch, trap):
    folder = short_folder / "lofi.nvim"
    if trap == "link":
        (short_folder / "theirs").mkdir()
        folder.symlink_to(short_folder / "theirs")
    elif trap == "file":
        folder.touch()
    else:
        folder.mkdir()
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(place, "_candidates", lambda environ: [str(folder)])
    with pytest.raises(LofiError, match="does not belong to you"):
        place.find("/music", {})
