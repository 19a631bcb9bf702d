"""What the library tells of tracks that come, go and change."""

from pathlib import Path

import pytest
from support.made_tracks import committed, made_track

from lofi_daemon.errors import LofiError
from lofi_daemon.library.changes import MAX_TOLD, Changes, LibraryChanged
from lofi_daemon.library.tracks import Tracks

RESET = LibraryChanged(reset=True)


def test_a_track_that_is_kept_is_told_once(tracks):
    kept = committed(tracks)
    assert tracks.take_changes() == LibraryChanged(changed=(kept,))
    assert tracks.take_changes() is None


def test_a_favourite_is_told_with_the_track_as_it_is_now_and_only_when_it_changes(tracks):
    kept = committed(tracks)
    tracks.take_changes()
    marked = tracks.set_favorite(kept.id[:6], True)
    assert tracks.take_changes() == LibraryChanged(changed=(marked,))
    tracks.set_favorite(kept.id, True)
    assert tracks.take_changes() is None


def test_deleting_and_clearing_tell_the_ids(tracks):
    first, second, third = (committed(tracks, seed) for seed in (1, 2, 3))
    tracks.take_changes()
    tracks.delete(first.id)
    assert tracks.take_changes() == LibraryChanged(removed=(first.id,))
    tracks.clear(keep_favorites=True)
    assert set(tracks.take_changes().removed) == {second.id, third.id}


def test_what_is_evicted_is_told(root, clock):
    tracks = Tracks(root, max_bytes=1, clock=clock)
    old = committed(tracks, 1)
    clock.now += 100
    new = committed(tracks, 2)
    tracks.take_changes()
    tracks.evict()
    assert tracks.take_changes() == LibraryChanged(removed=(old.id,))
    assert tracks.find(new.id)
    tracks.close()


@pytest.mark.parametrize("look", ["find", "get"])
def test_a_file_found_missing_is_told(tracks, look):
    kept = committed(tracks)
    tracks.take_changes()
    Path(kept.path).unlink()
    try:
        getattr(tracks, look)(kept.id)
    except LofiError as error:
        assert error.name == "INVALID_TRACK_ID"
    assert tracks.take_changes() == LibraryChanged(removed=(kept.id,))


def test_asking_and_playing_tell_nothing(tracks, clock):
    kept = committed(tracks)
    tracks.take_changes()
    clock.now += 1000
    tracks.touch(kept.id)
    tracks.page(None, "newest", 10, 0)
    tracks.stats()
    assert tracks.take_changes() is None


def test_what_another_process_wrote_is_told_as_ask_again(tracks, root):
    committed(tracks, 1)
    tracks.take_changes()
    other = Tracks(root)
    committed(other, 2)
    other.close()
    assert tracks.take_changes() is None, "nobody has looked yet"
    tracks.stats()
    assert tracks.take_changes() == RESET
    tracks.stats()
    assert tracks.take_changes() is None


def test_an_index_made_again_is_told_as_ask_again(tracks, root):
    kept = committed(tracks)
    tracks.take_changes()
    for path in root.glob("index.sqlite3*"):
        path.unlink()
    assert tracks.find(kept.id)
    assert tracks.take_changes() == RESET


def test_a_rebuild_that_changed_something_is_told_as_ask_again(tracks):
    kept = committed(tracks)
    tracks.take_changes()
    tracks.rebuild()
    assert tracks.take_changes() is None
    Path(kept.path).unlink()
    tracks.rebuild()
    assert tracks.take_changes() == RESET


def test_the_last_thing_that_happened_to_a_track_is_what_is_told():
    changes, track = Changes(), made_track(1)
    changes.came(track)
    changes.went(track.id)
    assert changes.take() == LibraryChanged(removed=(track.id,))
    changes.went(track.id)
    changes.came(track)
    assert changes.take() == LibraryChanged(changed=(track,))


@pytest.mark.parametrize("kind", ["changed", "removed"])
def test_more_than_fits_into_a_message_is_told_as_ask_again(kind):
    def told(count):
        changes = Changes()
        for seed in range(count):
            track = made_track(seed)
            changes.came(track) if kind == "changed" else changes.went(track.id)
        return changes.take()

    assert len(getattr(told(MAX_TOLD), kind)) == MAX_TOLD
    assert told(MAX_TOLD + 1) == RESET
