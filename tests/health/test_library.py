"""The folder of tracks, healthy and not; looking changes nothing in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from lofi_daemon.health import library
from lofi_daemon.library.index import SCHEMA_VERSION
from lofi_daemon.library.tracks import Tracks

ROOMY = 500_000_000_000


def make(root):
    """An empty library, closed."""
    tracks = Tracks(root)
    tracks.stats()
    tracks.close()
    return root / "index.sqlite3"


def change(index, *statements):
    with closing(sqlite3.connect(index)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def add(index, track_id, size):
    change(
        index,
        "INSERT INTO tracks (id, file, bytes, words, duration_sec, created_at, last_used, favorite, track)"
        f" VALUES ('{track_id}', 'f', {size}, 'w', 1, '2026', 0, 1, '{{}}')",
    )


def levels(findings):
    return [finding.level for finding in findings]


def test_a_folder_that_is_a_file_is_an_error_with_both_ways_out(tmp_path):
    (tmp_path / "file").write_text("")
    (found,) = library.look(tmp_path / "file" / "cache", None)
    assert found.level == "error"
    assert "a file is where a folder is needed" in found.text
    assert "LOFI_CACHE_PATH" in found.advice[0]


def test_a_new_folder_is_made_private_and_nothing_is_left_in_it(tmp_path):
    assert levels(library.look(tmp_path / "cache", None, ROOMY)) == ["ok", "ok"]
    assert list((tmp_path / "cache").iterdir()) == []
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def test_little_space_is_a_warning(tmp_path):
    space, _ = library.look(tmp_path, None, 10_000_000)
    assert space.level == "warn" and "10.0 MB" in space.text


def test_tracks_are_counted_against_the_limit(tmp_path):
    index = make(tmp_path)
    add(index, "a", 3_000_000)
    add(index, "b", 1_000_000)
    assert list(library.look(tmp_path, 10_000_000, ROOMY))[1].text == "2 tracks, 4.0 MB of 10.0 MB"
    over = list(library.look(tmp_path, 3_000_000, ROOMY))[1]
    assert over.level == "warn" and "favourites" in over.text


def test_a_limit_that_the_disk_cannot_hold_is_told_with_one_that_it_can(tmp_path):
    add(make(tmp_path), "a", 1_000_000)
    told = list(library.look(tmp_path, 4_000_000_000, 1_000_000_000))[1]
    assert told.level == "info"
    assert told.advice == ("Lower cache.max_mb to 501",)


@pytest.mark.parametrize("damage", [b"no database at all", b"\0" * 8192])
def test_a_damaged_index_is_told_as_what_it_is_and_left_alone(tmp_path, damage):
    index = make(tmp_path)
    data = index.read_bytes()
    index.write_bytes(damage if damage[0] else data[:4096] + damage + data[4096 + len(damage) :])
    before = index.read_bytes()
    told = list(library.look(tmp_path, None, ROOMY))[1]
    assert (told.level, told.advice) == ("warn", ("Make it anew now: lofi reindex",))
    assert index.read_bytes() == before


def test_an_index_of_a_newer_version_is_an_error(tmp_path):
    change(make(tmp_path), f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    told = list(library.look(tmp_path, None, ROOMY))[1]
    assert told.level == "error" and "newer version" in told.text
