"""The playlist alone: what follows what."""

import itertools
import random

import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.player import playlist as room
from lofi_daemon.player.playlist import Item, Playlist


def items(names):
    return [Item(name, f"/{name}.flac", duration_sec=10.0) for name in names]


def listed(names, current=None, seed=1, **mode):
    playlist = Playlist(random.Random(seed))
    playlist.add(items(names))
    if current:
        playlist.jump(current)
    if mode:
        playlist.set_mode(**mode)
    return playlist


def names(playlist):
    return "".join(item.track_id for item in playlist.items)


def step(playlist, **how):
    """To the track that follows; its name, or None."""
    item = playlist.after(**how)
    if item is None:
        playlist.end()
        return None
    playlist.jump(item.track_id)
    return item.track_id


def steps(playlist, count, **how):
    return [step(playlist, **how) for _ in range(count)]


def test_tracks_follow_one_another_to_the_end_and_the_list_begins_anew():
    playlist = listed("abc")
    assert playlist.current is None and playlist.index is None
    assert steps(playlist, 5) == ["a", "b", "c", None, "a"]


def test_a_list_that_loops_goes_round():
    assert steps(listed("ab", loop="all"), 5) == ["a", "b", "a", "b", "a"]


def test_a_track_that_loops_is_left_by_skipping_only_and_the_list_goes_round_then():
    playlist = listed("ab", "b", loop="one")
    assert steps(playlist, 2) == ["b", "b"]
    assert steps(playlist, 2, skipping=True) == ["a", "b"]


def test_asking_what_follows_changes_nothing():
    playlist = listed("abcdef", "a", shuffle=True, loop="all")
    for _ in range(30):
        asked = {playlist.after().track_id for _ in range(5)}
        assert asked == {step(playlist)}


def test_next_puts_tracks_after_the_current_one_in_their_order():
    playlist = listed("abc", "b")
    playlist.add(items("xy"), next=True)
    assert names(playlist) == "abxyc"
    assert steps(playlist, 4) == ["x", "y", "c", None]


def test_a_track_is_listed_once_and_moves_where_it_is_added_again():
    playlist = listed("abcd", "b")
    playlist.add(items("a"))
    assert (names(playlist), playlist.index) == ("bcda", 0)
    playlist.add(items("db"), next=True)  # the current one stays
    assert names(playlist) == "bdca"
    assert steps(playlist, 3) == ["d", "c", "a"]


def test_playing_a_listed_track_goes_there_and_an_unlisted_one_comes_after_the_current():
    playlist = listed("abcd", "a")
    playlist.play(items("c")[0])
    assert (names(playlist), playlist.index) == ("abcd", 2)
    playlist.play(items("x")[0])
    assert (names(playlist), playlist.index) == ("abcxd", 3)
    assert step(playlist) == "d"


def test_removing_the_current_track_leaves_what_followed_it():
    playlist = listed("abcd", "b")
    playlist.remove("b")
    assert (playlist.current, playlist.index, names(playlist)) == (None, None, "acd")
    assert playlist.before().track_id == "a"
    assert step(playlist) == "c"
    playlist.remove("a")
    assert (playlist.index, step(playlist)) == (0, "d")


def test_clearing_leaves_nothing_to_follow():
    playlist = listed("abc", "b", loop="all")
    playlist.clear()
    assert (len(playlist), playlist.after(), playlist.before(), playlist.index) == (0, None, None, None)
    playlist.add(items("x"))
    assert step(playlist) == "x"


def test_before_is_the_track_played_before():
    playlist = listed("abc", "c")
    assert playlist.before().track_id == "b"
    playlist.jump("a")
    assert playlist.before() is None
    playlist.set_mode(loop="all")
    assert playlist.before().track_id == "c"


def test_before_in_a_shuffled_list_is_what_was_heard_before():
    playlist = listed("abcdefgh", "a", shuffle=True)
    heard = ["a", *steps(playlist, 7)]
    back = []
    while (item := playlist.before()) is not None:
        playlist.jump(item.track_id)
        back.append(item.track_id)
    assert back == heard[-2::-1]


@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_list_plays_every_track_once_and_stops(seed):
    playlist = listed("abcdefgh", "d", seed, shuffle=True)
    heard = ["d", *steps(playlist, 7)]
    assert sorted(heard) == list("abcdefgh")
    assert step(playlist) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_list_that_loops_repeats_nothing_within_a_round_nor_across_two(seed):
    playlist = listed("abcd", "a", seed, shuffle=True, loop="all")
    heard = ["a", *steps(playlist, 4 * 25 - 1)]
    rounds = [heard[at : at + 4] for at in range(0, len(heard), 4)]
    assert all(sorted(one) == list("abcd") for one in rounds)
    assert all(one != other for one, other in itertools.pairwise(heard))
    assert len({tuple(one) for one in rounds}) > 1


def test_shuffle_is_drawn_from_the_randomness_given():
    assert steps(listed("abcdefgh", "a", 5, shuffle=True), 7) == steps(listed("abcdefgh", "a", 5, shuffle=True), 7)
    assert steps(listed("abcdefgh", "a", 5, shuffle=True), 7) != steps(listed("abcdefgh", "a", 6, shuffle=True), 7)


def test_shuffle_shows_the_list_as_it_was_and_ends_where_the_music_is():
    playlist = listed("abcdefgh", "c", shuffle=True)
    here = steps(playlist, 3)[-1]
    assert names(playlist) == "abcdefgh"
    playlist.set_mode(shuffle=False)
    assert playlist.current.track_id == here
    rest = "abcdefgh".partition(here)[2]
    assert steps(playlist, len(rest) + 1) == [*rest, None]


def test_a_track_added_to_a_shuffled_list_is_heard_in_the_round_and_next_is_next():
    playlist = listed("abcdef", "a", shuffle=True)
    playlist.add(items("x"))
    playlist.add(items("y"), next=True)
    assert names(playlist) == "aybcdefx"
    heard = steps(playlist, 7)
    assert heard[0] == "y" and sorted(heard) == list("bcdefxy")


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_done_the_two_orders_hold_the_same_tracks_and_the_current_one_is_kept(seed):
    draw = random.Random(seed)
    playlist = Playlist(draw)
    for _ in range(200):
        before = playlist.current
        what = draw.randrange(7)
        some = items(draw.sample("abcdefghijkl", draw.randrange(1, 4)))
        if what < 2:
            playlist.add(some, next=draw.random() < 0.5)
            assert playlist.current == before
        elif what == 2:
            playlist.remove(some[0].track_id)
            assert playlist.current == (None if before == some[0] else before)
        elif what == 3:
            playlist.set_mode(draw.choice(["off", "one", "all"]), draw.random() < 0.5)
            assert playlist.current == before
        elif what == 4:
            playlist.play(some[0])
            assert playlist.current == some[0]
        elif what == 5 and playlist.before():
            playlist.jump(playlist.before().track_id)
        else:
            step(playlist, skipping=draw.random() < 0.5)
        shown = [item.track_id for item in playlist.items]
        assert sorted(playlist._order) == sorted(shown) == sorted(set(shown))
        if playlist.current:
            assert playlist._order[playlist._place] == playlist.current.track_id == shown[playlist.index]
        assert 0 <= playlist._place <= len(shown)


def test_a_full_list_lets_go_of_what_was_played_first_and_refuses_when_nothing_was(monkeypatch):
    monkeypatch.setattr(room, "MAX_TRACKS", 5)
    playlist = listed("abcde", "c")
    playlist.add(items("x"))
    assert names(playlist) == "bcdex"
    playlist.add(items("y"))
    assert names(playlist) == "cdexy"
    with pytest.raises(LofiError) as error:
        playlist.add(items("z"))
    assert (error.value.name, error.value.field) == ("INVALID_PARAMS", "track_ids")
    assert names(playlist) == "cdexy"


def test_a_track_is_meant_by_the_beginning_of_its_id():
    playlist = listed([])
    playlist.add(items(["abcdef01", "abcdef02", "1234567890"]))
    assert playlist.meant("123456") == "1234567890"
    assert playlist.meant("ABCDEF01") == "abcdef01"
    for prefix in ("abcdef", "12345", "fedcba", ""):
        with pytest.raises(LofiError) as error:
            playlist.meant(prefix)
        assert (error.value.name, error.value.field) == ("INVALID_TRACK_ID", "track_id")


def test_how_much_music_is_left_after_the_current_track():
    playlist = listed("abc", "a")
    assert playlist.left_sec() == 20.0
    playlist.set_mode(loop="all")
    assert playlist.left_sec() == float("inf")
