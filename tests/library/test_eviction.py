from pathlib import Path

import pytest
from support.made_tracks import committed

from lofi_daemon.library.eviction import to_evict
from lofi_daemon.library.index import Entry
from lofi_daemon.library.tracks import USE_RESOLUTION_SEC, Tracks


@pytest.fixture
def four(root, clock):
    """Four tracks of one size, used a day apart in the order they were made, in a library that holds three."""
    tracks = Tracks(root, clock=clock)
    made = []
    for seed in range(4):
        clock.now += 86_400
        made.append(committed(tracks, seed))
    sizes = {Path(track.path).stat().st_size for track in made}
    tracks.close()
    limited = Tracks(root, max_bytes=3 * max(sizes), clock=clock)
    clock.now += 86_400
    yield limited, made
    limited.close()


def left(tracks):
    return {track.seed for track in tracks.page(None, "newest", 10, 0)[0]}


def test_the_longest_unused_goes_first_file_and_row(four):
    tracks, made = four
    assert tracks.evict() == [made[0].id]
    assert left(tracks) == {1, 2, 3}
    assert not Path(made[0].path).exists()
    assert tracks.evict() == []


def test_use_saves_a_track(four):
    tracks, made = four
    tracks.touch(made[0].id)
    assert tracks.evict() == [made[1].id]


def test_favourites_and_what_is_protected_stay(four):
    tracks, made = four
    tracks.set_favorite(made[0].id, True)
    assert tracks.evict({made[1].id}) == [made[2].id]
    assert left(tracks) == {0, 1, 3}


def test_without_a_limit_nothing_goes(four, root):
    _, _ = four
    unlimited = Tracks(root)
    assert unlimited.evict() == []
    unlimited.close()


def test_favourites_alone_may_exceed_the_limit(root, clock):
    tracks = Tracks(root, max_bytes=1, clock=clock)
    for seed in range(2):
        tracks.set_favorite(committed(tracks, seed).id, True)
    assert tracks.evict() == []
    stats = tracks.stats()
    assert stats.bytes > stats.max_bytes
    tracks.close()


def test_a_track_is_never_evicted_by_its_own_arrival(root, clock):
    tracks = Tracks(root, max_bytes=1, clock=clock)
    committed(tracks, 1)
    second = committed(tracks, 2)
    assert len(tracks.evict()) == 1
    assert tracks.find(second.id) == second
    tracks.close()


def test_use_is_written_once_a_minute_at_most(tracks, clock):
    kept = committed(tracks)
    used = [tracks._index.opened().get(kept.id).last_used]
    for seconds in (USE_RESOLUTION_SEC - 1, 2, 1):
        clock.now += seconds
        tracks.touch(kept.id)
        used.append(tracks._index.opened().get(kept.id).last_used)
    start = used[0]
    assert used == [start, start, start + USE_RESOLUTION_SEC + 1, start + USE_RESOLUTION_SEC + 1]


def test_no_more_than_needed_leaves():
    entries = [Entry(name, "", 10) for name in "abcd"]
    assert [entry.id for entry in to_evict(entries, 40, 25, {"a"})] == ["b", "c"]
    assert to_evict(entries, 40, 40, ()) == []
    assert to_evict(entries, 40, 0, set("abcd")) == []
