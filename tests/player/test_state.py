"""What the player remembers: when it is written, and that it comes back."""

import asyncio
import json

import msgspec
import pytest
from support.hearing import all_but_playlist
from support.made_tracks import committed
from support.pulled_output import PulledOutput

from lofi_daemon.library.tracks import Tracks
from lofi_daemon.player.player import Player
from lofi_daemon.player.playlist import item_of
from lofi_daemon.player.state import Saved, StateKeeper, read_state
from lofi_daemon.resume import FILE_NAME, Resume

GAP = 0.01


class Writes:
    """A state the test changes, and what was written of it."""

    def __init__(self, fails=False):
        self.state, self.written, self.fails = Saved(("a", "b"), "a", 1.0), [], fails

    async def write(self, content):
        if self.fails:
            raise OSError("the disk is full")
        self.written.append(msgspec.json.decode(content, type=Saved))

    def change(self, **fields):
        self.state = msgspec.structs.replace(self.state, **fields)


def keep(scene, position_gap_sec=1000 * GAP, **settings):
    async def run():
        writes = Writes(**settings)
        keeper = StateKeeper(lambda: writes.state, writes.write, GAP, position_gap_sec)
        keeper.begin()
        await scene(writes, keeper)
        await keeper.close()

    asyncio.run(run())


def test_what_does_not_change_is_not_written():
    async def scene(writes, keeper):
        await asyncio.sleep(5 * GAP)
        await keeper.close()
        assert writes.written == []

    keep(scene)


def test_many_changes_within_the_gap_are_written_once_as_the_last_one_was():
    async def scene(writes, keeper):
        for volume in (0.1, 0.2, 0.3):
            writes.change(volume=volume)
        await asyncio.sleep(10 * GAP)
        assert writes.written == [writes.state]

    keep(scene)


def test_a_position_that_moves_is_written_more_seldom_and_at_the_end():
    async def scene(writes, keeper):
        for position in range(10):
            writes.change(position_sec=float(position))
            await asyncio.sleep(GAP)
        assert writes.written == []
        await keeper.close()
        assert writes.written == [writes.state]

    keep(scene)


def test_a_position_is_written_after_its_own_gap():
    async def scene(writes, keeper):
        writes.change(position_sec=7.0)
        async with asyncio.timeout(60):
            while not writes.written:  # noqa: ASYNC110  the keeper gives no event
                await asyncio.sleep(GAP)
        assert writes.written == [writes.state]

    keep(scene, position_gap_sec=3 * GAP)


def test_a_disk_that_is_full_is_logged_once_and_tried_again(caplog):
    async def scene(writes, keeper):
        writes.change(volume=0.5)
        await asyncio.sleep(10 * GAP)
        assert len(caplog.records) == 1
        writes.fails = False
        await asyncio.sleep(10 * GAP)
        assert writes.written == [writes.state]

    keep(scene, fails=True)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"volume": 7}', b'{"position_sec": -1}', b'{"loop": "x"}'])
def test_a_file_that_makes_no_sense_is_no_state(tmp_path, content):
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    assert read_state(path) is None


class Shelf:
    """The library's tracks, called as the front calls them."""

    def __init__(self, root):
        self.tracks = Tracks(root)

    async def find_some(self, track_ids):
        return [track for track_id in track_ids if (track := self.tracks.find(track_id)) is not None]


async def life(folder, shelf, scene, **settings):
    """One life of a daemon's player."""
    events, outputs = [], []

    def open_output(say):
        outputs.append(PulledOutput())
        return outputs[-1]

    player = Player(all_but_playlist(events), open_output=open_output, **settings)
    resume = Resume(player, shelf, folder, gap_sec=GAP)
    resume.begin()
    await resume._beginning
    await scene(player, outputs)
    await resume.close()
    await player.close()


def test_the_playlist_the_place_and_the_volume_survive_a_restart(tmp_path):
    shelf = Shelf(tmp_path)
    tracks = [committed(shelf.tracks, seed=seed, seconds=2.0) for seed in range(3)]

    async def first(player, outputs):
        await player.add([item_of(track) for track in tracks])
        await player.start()
        await player.skip()
        await player.set_mode(loop="all")
        await player.set_volume(0.25)
        outputs[0].pull(48_000)

    async def second(player, outputs):
        state = player.state()
        assert (state.state, state.track_id, state.volume, state.loop) == ("paused", tracks[1].id, 0.25, "all")
        assert state.position_sec == pytest.approx(1.0, abs=0.001)
        assert [entry.track_id for entry in player.playlist().tracks] == [track.id for track in tracks]
        assert outputs == []
        assert (await player.resume()).state == "playing"

    asyncio.run(life(tmp_path, shelf, first))
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
    asyncio.run(life(tmp_path, shelf, second))


def test_tracks_that_are_gone_are_left_out(tmp_path):
    shelf = Shelf(tmp_path)
    tracks = [committed(shelf.tracks, seed=seed) for seed in range(2)]
    saved = {"track_ids": [track.id for track in tracks], "current_id": tracks[0].id, "position_sec": 0.25}
    (tmp_path / FILE_NAME).write_text(json.dumps(saved))
    shelf.tracks.delete(tracks[0].id)

    async def scene(player, outputs):
        assert player.state().state == "stopped"
        assert [entry.track_id for entry in player.playlist().tracks] == [tracks[1].id]

    asyncio.run(life(tmp_path, shelf, scene))
