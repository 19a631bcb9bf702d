"""The index can be lost, broken or foreign: the files say what it said."""

import os
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from support.made_tracks import committed, made_track, staged, tone

from lofi_daemon.audio.files import FORMATS, write_track
from lofi_daemon.errors import LofiError
from lofi_daemon.library.index import SCHEMA_VERSION
from lofi_daemon.library.reindex import ReindexReport, reindex
from lofi_daemon.model import UNSET, Lora


def everything(tracks):
    return tracks.page(None, "newest", 50, 0)[0]


def lose_index(root):
    for path in root.glob("index.sqlite3*"):
        path.unlink()


@pytest.fixture
def library(tracks):
    """One track per format, one of them a favourite, one with every optional field."""
    for seed, audio_format in enumerate(FORMATS):
        committed(tracks, seed, audio_format=audio_format)
    params = msgspec.structs.replace(
        made_track(9).params, seed=str(2**63), lora=(Lora("é", 0.5),), lyrics="la ☂ " * 900
    )
    full = committed(
        tracks,
        9,
        "quotes \" and ' and\nlines ☂",
        params=params,
        latent_id="11111111-2222",
        latent_index=0,
        checkpoint_step=UNSET,
        lm_metadata={"bpm": 75, "sections": [1.5, None, {"a": True}]},
        parent_ids=("a" * 64,),
        lufs=None,
    )
    tracks.set_favorite(full.id, True)
    tracks.close()
    return everything(tracks)


def test_a_deleted_index_comes_back_equal_favourites_included(library, tracks, root):
    tracks.close()
    lose_index(root)
    assert everything(tracks) == library
    assert sum(track.favorite for track in library) == 1
    assert tracks.take_notices() == [f"The library took in {len(library)} tracks that its index did not know."]
    assert tracks.take_notices() == []


def test_reindex_of_a_sound_library_changes_nothing(library, tracks):
    assert reindex(tracks) == ReindexReport(found=len(library), added=0, updated=0, dropped=0, damaged=())
    assert everything(tracks) == library


def test_reindex_keeps_the_last_use_and_the_favourite_of_a_known_track(library, tracks, clock):
    clock.now += 5000
    tracks.touch(library[-1].id)
    order = [track.id for track in tracks.page(None, "played", 50, 0)[0]]
    reindex(tracks)
    assert [track.id for track in tracks.page(None, "played", 50, 0)[0]] == order
    assert everything(tracks) == library


def test_reindex_adds_updates_drops_and_lists_the_damaged(library, tracks, root):
    gone, cut, foreign, changed = library[:4]
    Path(gone.path).unlink()
    whole = Path(cut.path).read_bytes()
    Path(cut.path).write_bytes(whole[: len(whole) // 2])
    Path(foreign.path).write_bytes(b"no audio")
    said = msgspec.structs.replace(changed, path="", generation_time_sec=99.0)
    Path(changed.path).unlink()
    audio = tone(said)
    write_track(Path(changed.path), audio, said.sample_rate, said, Path(changed.path).suffix[1:])
    new = made_track(50)
    (root / "tracks" / "zz").mkdir()
    write_track(root / "tracks" / "zz" / "any name.flac", tone(new), new.sample_rate, new, "flac")
    before = sorted(path for path in (root / "tracks").rglob("*"))

    report = reindex(tracks)

    assert (report.found, report.added, report.updated, report.dropped) == (len(library), 1, 1, 3)
    assert sorted(path for path, _ in report.damaged) == sorted([cut.path, foreign.path])
    assert all(why for _, why in report.damaged)
    assert sorted(path for path in (root / "tracks").rglob("*")) == before
    assert tracks.get(changed.id).generation_time_sec == 99.0
    assert tracks.get(new.id).path == str(root / "tracks" / "zz" / "any name.flac")
    assert tracks.find(cut.id) is None


def test_links_and_other_files_are_left_alone(library, tracks, root, folder):
    Path(folder / "outside.flac").write_bytes(Path(library[0].path).read_bytes())
    (root / "tracks" / "aa").mkdir(exist_ok=True)
    (root / "tracks" / "aa" / "link.flac").symlink_to(folder / "outside.flac")
    (root / "tracks" / "aa" / "notes.txt").write_text("mine")
    (root / "tracks" / "cover.jpg").write_text("mine")
    assert reindex(tracks).found == len(library)
    assert (root / "tracks" / "aa" / "notes.txt").exists()


def test_a_track_made_again_after_its_file_was_lost_is_a_favourite_again(tracks):
    kept = committed(tracks, 1)
    tracks.set_favorite(kept.id, True)
    Path(kept.path).unlink()
    assert tracks.find(kept.id) is None
    assert committed(tracks, 1).favorite


def test_an_orphan_of_a_crash_is_adopted_at_the_next_start(tracks, root):
    made = made_track(1)
    path = staged(tracks, made)
    target = root / "tracks" / made.id[:2] / path.name
    target.parent.mkdir()
    path.rename(target)
    tracks.close()
    assert tracks.find(made.id) == msgspec.structs.replace(made, path=str(target))


def test_the_second_file_of_a_half_done_change_of_format_goes_at_the_next_start(tracks, root):
    kept = committed(tracks, 1, audio_format="ogg")
    shutil.copy(kept.path, Path(kept.path).with_suffix(".flac"))
    tracks.close()
    assert tracks.find(kept.id) == kept
    assert [path.name for path in (root / "tracks").rglob("*.*")] == [f"{kept.id}.ogg"]


def test_rows_of_files_deleted_by_hand_go_at_the_next_start(library, tracks):
    Path(library[0].path).unlink()
    tracks.close()
    assert everything(tracks) == library[1:]


def test_old_temporary_files_are_swept_and_young_ones_not(tracks, root, clock):
    kept = committed(tracks)
    old, young = (Path(kept.path).with_name(f".lofi-{name}.tmp") for name in ("old", "young"))
    for path, age in ((old, 4000), (young, 10)):
        path.touch()
        os.utime(path, (clock.now - age, clock.now - age))
    tracks.close()
    tracks.stats()
    assert (old.exists(), young.exists()) == (False, True)


# broken indexes


def overwrite(start, data):
    def breaking(path):
        with path.open("r+b") as file:
            file.seek(start)
            file.write(data)

    return breaking


def truncate(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def foreign(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE tracks (id TEXT)")
    db.close()


def without_a_column(path):
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE tracks RENAME COLUMN last_used TO used")
    db.close()


BREAKINGS = {
    "no database": lambda path: path.write_bytes(b"this was an index once\n" * 1000),
    "header lost": overwrite(0, b"\0" * 100),
    "pages lost": overwrite(4096, b"\xa5" * 40_000),
    "cut short": truncate,
    "of another program": foreign,
    "of another shape": without_a_column,
}


@pytest.mark.parametrize("breaking", BREAKINGS.values(), ids=BREAKINGS)
def test_a_broken_index_is_kept_aside_and_made_again(library, tracks, root, clock, breaking):
    tracks.close()
    for path in root.glob("index.sqlite3-*"):
        path.unlink()
    breaking(root / "index.sqlite3")
    broken = (root / "index.sqlite3").read_bytes()
    assert everything(tracks) == library
    aside = [path for path in root.glob("index.sqlite3.broken-*") if path.name.endswith("Z")]
    assert [path.read_bytes() for path in aside] == [broken]
    (notice,) = tracks.take_notices()
    assert str(aside[0]) in notice
    assert committed(tracks, 77) in everything(tracks)


def test_an_index_that_breaks_at_work_is_made_again_too(library, tracks, root):
    tracks._index.opened()._db.execute("PRAGMA shrink_memory")  # or SQLite would answer from its cache
    overwrite(0, b"\xa5" * 60_000)(root / "index.sqlite3")
    for path in root.glob("index.sqlite3-wal"):
        overwrite(0, b"\xa5" * path.stat().st_size)(path)
    assert {track.id for track in everything(tracks)} == {track.id for track in library}
    assert "could not be read" in tracks.take_notices()[0]


def test_damage_that_only_one_question_meets_is_mended_too(library, tracks, root):
    tracks.close()
    db = sqlite3.connect(root / "index.sqlite3")
    (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'tracks_by_words'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    overwrite((page - 1) * size, b"\xa5" * size)(root / "index.sqlite3")
    assert everything(tracks) == library
    assert tracks.take_notices() == []
    by_title, _ = tracks.page(None, "title", 50, 0)
    assert {track.id for track in by_title} == {track.id for track in library}
    assert "could not be read" in tracks.take_notices()[0]


def test_an_index_removed_at_work_is_noticed(library, tracks, root):
    lose_index(root)
    kept = committed(tracks, 77)
    assert {track.id for track in everything(tracks)} == {track.id for track in library} | {kept.id}


def test_the_index_of_a_newer_version_is_refused_and_left_untouched(library, tracks, root):
    tracks.close()
    db = sqlite3.connect(root / "index.sqlite3")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    before = (root / "index.sqlite3").read_bytes()
    for call in (tracks.stats, lambda: reindex(tracks)):
        with pytest.raises(LofiError) as caught:
            call()
        assert caught.value.name == "CACHE_WRITE_ERROR"
        assert "upgrade" in caught.value.message
    assert (root / "index.sqlite3").read_bytes() == before
    assert list(root.glob("*broken*")) == []


def test_an_index_half_made_by_a_crash_is_finished(library, tracks, root):
    tracks.close()
    lose_index(root)
    (root / "index.sqlite3").touch()
    assert everything(tracks) == library
