"""The library on real files and a real index."""

import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.made_tracks import committed, made_track, staged

from lofi_daemon.audio.files import read_track
from lofi_daemon.errors import LofiError
from lofi_daemon.library import lock
from lofi_daemon.library.index import SORTS, Row
from lofi_daemon.library.tracks import Tracks


def ids(tracks, *args):
    return [track.id for track in tracks.page(*args)[0]]


def files(root):
    return sorted(path.name for path in (root / "tracks").rglob("*") if path.is_file())


def insert(tracks, *made, **more):
    """Rows without files, for questions that only the index answers."""
    rows = [Row(track.id, f"tracks/{track.id[:2]}/{track.id}.flac", 1000, 1.0, False, track) for track in made]
    tracks._index.opened().put([msgspec.structs.replace(row, **more) for row in rows])


def refused(call, *args):
    with pytest.raises(LofiError) as caught:
        call(*args)
    return caught.value


# commit


def test_a_committed_track_is_found_whole_and_private(tracks, root):
    made = made_track(1)
    path = staged(tracks, made)
    path.chmod(0o644)
    kept = tracks.commit(made, path)
    assert kept == msgspec.structs.replace(made, path=str(root / f"tracks/{made.id[:2]}/{made.id}.flac"))
    assert tracks.find(made.id) == tracks.get(made.id[:6]) == kept
    assert read_track(Path(kept.path)) == made
    assert not path.exists()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
    assert {mode for name, mode in modes.items() if (root / name).is_dir()} == {0o700}
    assert modes["index.sqlite3"] == modes["index.sqlite3-wal"] == modes[Path(kept.path).name] == 0o600


def test_it_is_still_there_for_the_next_daemon(tracks, root):
    kept = committed(tracks)
    tracks.close()
    again = Tracks(root)
    assert again.find(kept.id) == kept
    assert again.take_notices() == []
    again.close()


def test_the_library_can_be_moved(tracks, root, folder):
    kept = committed(tracks)
    tracks.close()
    root.rename(folder / "moved")
    moved = Tracks(folder / "moved")
    assert moved.find(kept.id).path == str(folder / "moved" / Path(kept.path).relative_to(root))
    moved.close()


def test_a_track_committed_twice_is_there_once_with_its_favourite(tracks, root):
    kept = committed(tracks, 1)
    tracks.set_favorite(kept.id, True)
    again = committed(tracks, 1, generation_time_sec=9.0)
    assert (again.favorite, again.generation_time_sec) == (True, 9.0)
    assert tracks.find(kept.id) == again
    assert files(root) == [f"{kept.id}.flac"]
    assert tracks.stats().count == 1


def test_in_another_format_the_new_file_takes_the_place_of_the_old(tracks, root):
    kept = committed(tracks, 1)
    again = committed(tracks, 1, audio_format="ogg")
    assert files(root) == [f"{kept.id}.ogg"]
    assert tracks.find(kept.id) == again


def test_a_refused_row_leaves_no_file(tracks, root, monkeypatch):
    made = made_track(1)
    path = staged(tracks, made)
    full = LofiError("CACHE_WRITE_ERROR", "full")
    index = tracks._index.opened()
    monkeypatch.setattr(index, "put", lambda rows: (_ for _ in ()).throw(full))
    assert refused(tracks.commit, made, path) is full
    assert files(root) == []
    assert tracks.find(made.id) is None


def test_a_vanished_staged_file_is_a_named_error(tracks, folder):
    error = refused(tracks.commit, made_track(1), folder / "gone.flac")
    assert error.name == "CACHE_WRITE_ERROR"
    assert str(folder / "gone.flac") in error.message


# which track is meant


@pytest.mark.parametrize("prefix", ["", "abcde", "xyzxyz", "../../etc", "g" * 64, "a" * 65, "abc def", "％２Ｅ"])
def test_what_is_no_id_is_refused_with_the_rule(tracks, prefix):
    for call in (tracks.get, tracks.resolve, tracks.delete, lambda p: tracks.set_favorite(p, True)):
        error = refused(call, prefix)
        assert (error.name, error.field) == ("INVALID_TRACK_ID", "track_id")
        assert "6 to 64 hex digits" in error.message


def test_an_unknown_id_is_refused(tracks):
    assert "not in the library" in refused(tracks.get, "abcdef").message


def test_six_digits_of_any_case_are_enough_while_they_are_unique(tracks):
    kept = committed(tracks)
    assert tracks.resolve(f" {kept.id[:6].upper()} ") == kept.id
    assert tracks.get(kept.id) == kept


def test_an_ambiguous_prefix_lists_the_candidates_told_apart(tracks):
    alike = ["abcdef" + "0" * 10 + last + "0" * 47 for last in "012"]
    insert(tracks, *(made_track(1, id=track_id) for track_id in alike))
    error = refused(tracks.resolve, "ABCDEF")
    assert error.name == "INVALID_TRACK_ID"
    assert error.details["candidates"] == alike
    shown = error.message.split(": ")[1].split(";")[0].split(", ")
    assert len(set(shown)) == 3
    assert all(track_id.startswith(text) for track_id, text in zip(alike, shown, strict=True))
    assert tracks.resolve(alike[1][:17]) == alike[1]


def test_a_whole_id_is_never_ambiguous(tracks):
    insert(tracks, *(made_track(1, id="f" * 63 + last) for last in "0f"))
    assert tracks.resolve("f" * 64) == "f" * 64


def test_a_track_whose_file_has_vanished_is_said_once_then_unknown(tracks):
    kept = committed(tracks)
    Path(kept.path).unlink()
    assert "lost its file" in refused(tracks.get, kept.id).message
    assert "not in the library" in refused(tracks.get, kept.id).message


def test_find_forgets_a_track_whose_file_has_vanished(tracks):
    kept = committed(tracks)
    Path(kept.path).unlink()
    assert tracks.find(kept.id) is None
    assert tracks.stats().count == 0


def test_find_takes_whole_ids_only(tracks):
    kept = committed(tracks)
    assert tracks.find(kept.id[:12]) is None


# pages


def test_every_sort_has_its_order(tracks, clock):
    made = [committed(tracks, seed, prompt) for seed, prompt in ((1, "b"), (2, "A"), (3, "c"))]
    made.append(committed(tracks, 4, "d", seconds=0.25))
    first, second, third, fourth = (track.id for track in made)
    tracks.set_favorite(second, True)
    clock.now += 1000
    tracks.touch(first)
    assert {sort: ids(tracks, None, sort, 10, 0) for sort in SORTS} == {
        "newest": [fourth, third, second, first],
        "oldest": [first, second, third, fourth],
        "title": [second, first, third, fourth],
        "duration": [fourth, first, second, third],
        "played": [first, fourth, third, second],
        "favorites": [second, fourth, third, first],
    }


def test_pages_join_without_gap_or_overlap(tracks):
    made = [made_track(seed, created_at="2026-11-21T06:00:00.000Z") for seed in range(10)]
    insert(tracks, *made)
    for sort in SORTS:
        joined = [track_id for offset in range(0, 12, 3) for track_id in ids(tracks, None, sort, 3, offset)]
        assert sorted(joined) == sorted(track.id for track in made)


def test_search_wants_every_word_in_the_prompt_the_backend_or_the_id(tracks):
    rain = made_track(1, "Rainy night, ÉTÉ, 100% vinyl")
    sun = made_track(2, "Sunny day")
    other = made_track(3, "rainy day", backend="musicgen")
    insert(tracks, rain, sun, other)

    def found(query):
        page, total = tracks.page(query, "oldest", 10, 0)
        assert total == len(page)
        return [track.seed for track in page]

    assert found("RAINY") == [1, 3]
    assert found("day rainy") == [3]
    assert found("été") == [1]
    assert found("synth day") == [2]
    assert found(sun.id[:12]) == [2]
    assert found("100%") == [1]
    assert found("_") == found("' OR 1=1 --") == []
    assert found("  ") == found("") == found(None) == [1, 2, 3]


def test_total_counts_what_the_page_leaves_out(tracks):
    insert(tracks, *(made_track(seed) for seed in range(7)))
    page, total = tracks.page("rainy", "newest", 3, 6)
    assert (len(page), total) == (1, 7)


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ((None, "loudest", 10, 0), "sort"),
        ((None, "newest", 0, 0), "limit"),
        ((None, "newest", 201, 0), "limit"),
        ((None, "newest", 10, -1), "offset"),
        ((None, "newest", 10, 2**63), "offset"),
        (("x " * 300, "newest", 10, 0), "query"),
    ],
)
def test_bad_pages_are_refused_by_field(tracks, args, field):
    error = refused(tracks.page, *args)
    assert (error.name, error.field) == ("INVALID_PARAMS", field)


def test_ten_thousand_tracks_are_paged_through_an_index(tracks):
    made = [made_track(seed, f"rainy night {seed}") for seed in range(10_000)]
    insert(tracks, *made)
    index = tracks._index.opened()
    for sort in SORTS:
        for words in ((), ("rainy",)):
            plan = " ".join(index.explain(sort, words))
            assert "USING INDEX" in plan
            assert "TEMP B-TREE" not in plan
    page, total = tracks.page("night 99", "newest", 50, 0)
    assert len(page) == 50
    assert total == sum("99" in track.id or "99" in track.prompt for track in made)


def test_a_row_of_a_newer_version_is_left_out_but_not_lost(tracks):
    kept = committed(tracks, 1)
    committed(tracks, 2)
    text = msgspec.json.encode(msgspec.structs.replace(kept, path="")).decode().replace('"synth"', "[7]", 1)
    tracks._index.opened()._db.execute("UPDATE tracks SET track = ? WHERE id = ?", (text, kept.id))
    assert len(tracks.page(None, "newest", 10, 0)[0]) == 1
    assert tracks.find(kept.id) is None
    assert "another version" in refused(tracks.get, kept.id).message
    assert Path(kept.path).exists()


# delete, clear, stats, favourites


def test_delete_removes_file_row_and_mark(tracks, root):
    kept, other = committed(tracks, 1), committed(tracks, 2)
    tracks.set_favorite(kept.id, True)
    assert tracks.delete(kept.id[:8]) == kept.id
    assert files(root) == [f"{other.id}.flac"]
    assert list((root / "favorites").iterdir()) == []
    assert "not in the library" in refused(tracks.delete, kept.id).message


def test_delete_all_passes_over_what_is_not_there(tracks, root):
    one, two, three = (committed(tracks, seed) for seed in range(3))
    assert tracks.delete_all([one.id[:16], "f" * 64, three.id, one.id]) == [one.id, three.id]
    assert files(root) == [f"{two.id}.flac"]
    assert ids(tracks, None, "newest", 10, 0) == [two.id]


def test_clear_keeps_favourites_if_asked(tracks, root):
    kept, one, two = (committed(tracks, seed) for seed in range(3))
    tracks.set_favorite(kept.id, True)
    size, kept_size = (sum(Path(t.path).stat().st_size for t in made) for made in ((one, two), (kept,)))
    assert tracks.clear(keep_favorites=True) == (2, size)
    assert ids(tracks, None, "newest", 10, 0) == [kept.id]
    assert tracks.clear(keep_favorites=False) == (1, kept_size)
    assert files(root) == []


def test_stats_count_the_bytes_on_the_disk(root):
    tracks = Tracks(root, max_bytes=5_000_000)
    empty = tracks.stats()
    assert (empty.count, empty.bytes, empty.oldest, empty.newest) == (0, 0, None, None)
    made = [committed(tracks, seed) for seed in (3, 1, 2)]
    stats = tracks.stats()
    assert stats.bytes == sum(Path(track.path).stat().st_size for track in made)
    assert (stats.count, stats.max_bytes) == (3, 5_000_000)
    assert (stats.oldest, stats.newest) == (made[1].created_at, made[0].created_at)
    tracks.close()


def test_a_favourite_stays_one_until_it_is_not(tracks):
    kept = committed(tracks)
    assert tracks.set_favorite(kept.id[:7], True) == msgspec.structs.replace(kept, favorite=True)
    assert tracks.get(kept.id).favorite
    assert not tracks.set_favorite(kept.id, False).favorite
    assert not tracks.get(kept.id).favorite


# several daemons


def test_what_moves_files_waits_for_another_daemon_and_says_so_if_it_hangs(tracks, root, monkeypatch):
    kept, made = committed(tracks, 1), made_track(2)
    path = staged(tracks, made)
    monkeypatch.setattr(lock, "TIMEOUT_SEC", 0.01)
    with lock.FileLock(root / "lock"):
        for call in (
            lambda: tracks.commit(made, path),
            lambda: tracks.delete(kept.id),
            lambda: tracks.clear(keep_favorites=False),
            tracks.rebuild,
            tracks.staging,
        ):
            error = refused(call)
            assert error.name == "CACHE_WRITE_ERROR"
            assert "Another lofi daemon" in error.message
        assert tracks.get(kept.id) == kept
    assert tracks.commit(made, path).id == made.id


# a folder that cannot be written


@pytest.mark.parametrize("in_the_way", ["", "tracks", "favorites", "staging"])
def test_an_unwritable_folder_is_said_by_every_call_and_forgotten_when_mended(root, folder, in_the_way):
    blocker = root / in_the_way
    blocker.parent.mkdir(exist_ok=True)
    blocker.write_bytes(b"")
    tracks = Tracks(root)
    calls = [
        tracks.staging,
        tracks.stats,
        tracks.sweep_staging,
        lambda: tracks.get("abcdef"),
        lambda: tracks.find("a" * 64),
        lambda: tracks.page(None, "newest", 1, 0),
        lambda: tracks.clear(True),
        lambda: tracks.commit(made_track(1), folder / "x.flac"),
    ]
    for call in calls:
        error = refused(call)
        assert error.name == "CACHE_WRITE_ERROR"
        assert str(blocker) in error.message
        assert "set cache.dir" in error.message
    tracks.touch("a" * 64)  # best effort
    blocker.unlink()
    kept = committed(tracks)
    assert tracks.get(kept.id) == kept
    tracks.close()


def test_a_folder_in_place_of_the_index_is_said(root):
    (root / "index.sqlite3").mkdir(parents=True)
    error = refused(Tracks(root).stats)
    assert error.name == "CACHE_WRITE_ERROR"
    assert str(root / "index.sqlite3") in error.message


def test_a_library_removed_under_a_running_daemon_begins_anew(tracks, root):
    import shutil

    committed(tracks, 1)
    shutil.rmtree(root)
    assert tracks.stats().count == 0
    kept = committed(tracks, 2)
    assert ids(tracks, None, "newest", 10, 0) == [kept.id]


def open_descriptors():
    return len(list(Path("/dev/fd").iterdir()))


def test_no_descriptor_stays_open(root):
    before = open_descriptors()
    tracks = Tracks(root)
    kept = committed(tracks)
    tracks.export(kept.id, str(root.parent), "ogg")
    tracks.rebuild()
    tracks.close()
    assert open_descriptors() == before


def test_the_front_can_import_and_use_the_library_without_audio_libraries(root):
    script = (
        "import sys; from pathlib import Path; from lofi_daemon.library.tracks import Tracks;"
        "from lofi_daemon.library import identity, offloop, reindex;"
        "tracks = Tracks(Path(sys.argv[1])); tracks.stats(); tracks.page(None, 'newest', 1, 0); tracks.staging();"
        "print(sorted({'numpy', 'scipy', 'soundfile', 'torch'} & set(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
