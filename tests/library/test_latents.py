"""The latent store: what is kept, found, pinned and swept, and what survives what."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from support.made_latents import committed, record, staged
from support.made_tracks import committed as committed_track

from lofi_daemon.errors import LofiError
from lofi_daemon.library.changes import LibraryChanged
from lofi_daemon.library.index import _MIGRATIONS, APPLICATION_ID
from lofi_daemon.library.latents.file import examine
from lofi_daemon.library.latents.sweeper import Sweeper
from lofi_daemon.library.tracks import Tracks
from lofi_daemon.model import UNSET

HOUR = 3600.0


def refused(call, *args):
    with pytest.raises(LofiError) as caught:
        call(*args)
    return caught.value


def ids(tracks, pinned=None):
    return [found.id for found in tracks.latents.page(pinned, 50, 0)[0]]


def lose_index(tracks, root):
    tracks.close()
    for path in root.glob("index.sqlite3*"):
        path.unlink()


@pytest.fixture
def now(clock):
    """The test's clock as a record's created_at."""
    from datetime import UTC, datetime

    return lambda: datetime.fromtimestamp(clock.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# kept and found


def test_a_committed_latent_is_found_whole_and_private(tracks, root):
    of = record()
    made, path = staged(tracks.staging(), of)
    path.chmod(0o644)
    kept = tracks.latents.commit(made, path)
    assert kept == msgspec.structs.replace(of, path=str(root / "latents" / f"{of.id}.safetensors"))
    found = tracks.latents.get(of.id)
    assert (found.record, found.sha256) == (kept, made.sha256)
    assert examine(Path(kept.path)).sha256 == made.sha256
    assert Path(kept.path).stat().st_mode & 0o777 == 0o600
    assert Path(kept.path).parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


def test_they_may_lie_in_a_folder_of_their_own(root, folder, clock):
    tracks = Tracks(root, clock=clock, latent_dir=folder / "elsewhere")
    kept = committed(tracks)
    assert kept.path == str(folder / "elsewhere" / f"{kept.id}.safetensors")
    tracks.close()
    again = Tracks(root, clock=clock, latent_dir=folder / "elsewhere")
    assert again.latents.get(kept.id).record == kept
    again.close()


def test_a_unique_beginning_is_enough_with_dashes_or_without(tracks):
    kept = committed(tracks)
    bare = kept.id.replace("-", "")
    for name in (kept.id, kept.id.upper(), kept.id[:6], kept.id[:9], kept.id[:15], bare, bare[:12], f" {kept.id[:8]} "):
        assert tracks.latents.get(name).record == kept
    alike = [committed(tracks, id="abcdef00-0000-4000-8000-00000000000" + last).id for last in "12"]
    error = refused(tracks.latents.get, "abcdef")
    assert (error.name, error.details["candidates"]) == ("LATENT_NOT_FOUND", alike)


@pytest.mark.parametrize(
    "name", ["", "abcde", "../../../etc/passwd", "x" * 36, "-abcdef", "abcde-f", "a" * 33, "abcdef%", "abc def", "．ａ"]
)
def test_what_is_no_id_is_refused_and_reaches_no_file(tracks, name):
    for call in (tracks.latents.get, tracks.latents.delete, lambda name: tracks.latents.pin(name, True)):
        error = refused(call, name)
        assert (error.name, error.field) == ("LATENT_NOT_FOUND", "latent_id")


def test_an_id_from_the_worker_that_is_no_uuid_is_refused(tracks, root):
    made, path = staged(tracks.staging(), record(id="abc"))
    evil = msgspec.structs.replace(made, record=msgspec.structs.replace(made.record, id="../../../evil"))
    assert refused(tracks.latents.commit, evil, path).name == "LATENT_NOT_FOUND"
    assert not (root / "latents").exists()


def test_pages_are_the_newest_first_and_by_pin(tracks):
    made = [committed(tracks, created_at=f"2027-01-15T0{hour}:00:00.000Z").id for hour in range(5)]
    tracks.latents.pin(made[1], True)
    assert ids(tracks) == made[::-1]
    assert ids(tracks, True) == [made[1]]
    assert ids(tracks, False) == [made[4], made[3], made[2], made[0]]
    page, total = tracks.latents.page(None, 2, 1)
    assert ([found.id for found in page], total) == ([made[3], made[2]], 5)


# damage


def test_damage_is_said_with_its_reason_and_can_be_deleted(tracks, root):
    flipped, cut, gone, swapped = (committed(tracks) for _ in range(4))
    data = bytearray(Path(flipped.path).read_bytes())
    data[-100] ^= 1
    Path(flipped.path).write_bytes(data)
    os.truncate(cut.path, 3000)
    Path(gone.path).unlink()
    shutil.copy(staged(tracks.staging(), record(id=swapped.id))[1], swapped.path)
    reasons = {"checksum": flipped, "cut short": cut, "lost its file": gone}
    for reason, kept in reasons.items():
        error = refused(tracks.latents.get, kept.id)
        assert error.name == "LATENT_NOT_FOUND"
        assert reason in error.message and kept.id in error.message
    assert ids(tracks).count(gone.id) == 0
    assert tracks.latents.delete(cut.id[:8]) == cut.id
    assert not Path(cut.path).exists()
    lose_index(tracks, root)
    assert "checksum" in refused(tracks.latents.get, flipped.id).message, "nor does the loss of the index make it sound"
    assert tracks.latents.delete(flipped.id) == flipped.id
    assert not Path(flipped.path).exists()


def test_another_whole_latent_in_its_place_is_not_taken_for_it(tracks):
    kept = committed(tracks)
    _, other = staged(tracks.staging(), msgspec.structs.replace(kept, model_variant="base", path=""))
    shutil.copy(other, kept.path)
    assert "not the file that was kept" in refused(tracks.latents.get, kept.id).message


# restart and loss


def test_a_restart_and_the_loss_of_the_index_change_nothing(tracks, root):
    made = [committed(tracks, created_at=f"2027-01-15T0{hour}:00:00.000Z") for hour in range(3)]
    tracks.latents.pin(made[0].id, True)
    before, _ = tracks.latents.page(None, 50, 0)
    found = [tracks.latents.get(one.id) for one in made]
    tracks.close()
    assert tracks.latents.page(None, 50, 0)[0] == before
    lose_index(tracks, root)
    assert tracks.latents.page(None, 50, 0)[0] == before
    assert [tracks.latents.get(one.id) for one in made] == found


def test_reindex_takes_in_what_came_and_leaves_out_what_is_damaged(tracks, root):
    kept, hurt = committed(tracks), committed(tracks)
    os.truncate(hurt.path, 100)
    came, path = staged(tracks.staging(), record())
    shutil.copy(path, root / "latents")
    assert "reindex" in refused(tracks.latents.get, came.record.id).message
    tracks.rebuild()
    assert sorted(ids(tracks)) == sorted([kept.id, came.record.id])


def test_a_latent_under_another_s_name_is_not_taken_in(tracks, root):
    kept = committed(tracks)
    other = root / "latents" / "00000000-0000-4000-8000-000000000000.safetensors"
    shutil.copy(kept.path, other)
    tracks.close()
    assert ids(tracks) == [kept.id]
    assert kept.id in refused(tracks.latents.get, other.stem).message


def test_an_index_from_before_latents_keeps_its_tracks(tracks, root):
    kept = committed_track(tracks)
    tracks.close()
    (row,) = sqlite3.connect(root / "index.sqlite3").execute(
        "SELECT id, file, bytes, words, duration_sec, created_at, last_used, favorite, track FROM tracks"
    )
    lose_index(tracks, root)
    with sqlite3.connect(root / "index.sqlite3") as db:
        db.executescript(f"{_MIGRATIONS[0]} PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID};")
        db.execute("INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.close()
    assert tracks.find(kept.id) == kept
    assert tracks.take_notices() == []
    assert committed(tracks).id in ids(tracks)


# two daemons on one library


def test_what_one_daemon_keeps_pins_and_deletes_the_other_one_knows(tracks, root, clock):
    other = Tracks(root, clock=clock)
    kept, gone = committed(tracks), committed(tracks)
    track = committed_track(tracks, latent_id=gone.id, latent_index=0)
    assert set(ids(other)) == {kept.id, gone.id}
    assert other.latents.pin(kept.id, True).pinned
    assert tracks.latents.get(kept.id).record.pinned
    assert other.latents.delete(gone.id) == gone.id
    assert "not in the store" in refused(tracks.latents.get, gone.id).message
    assert tracks.get(track.id).latent_id is UNSET
    other.close()


def test_two_daemons_that_sweep_at_once_take_what_is_old_and_leave_what_is_pinned(tracks, root, clock, now):
    old = [committed(tracks, created_at=now()).id for _ in range(20)]
    pinned = committed(tracks, created_at=now())
    tracks.latents.pin(pinned.id, True)
    swept = []

    def sweep():
        other = Tracks(root, clock=clock)
        swept.extend(other.latents.sweep(0).ids)
        other.close()

    daemons = [threading.Thread(target=sweep) for _ in range(2)]
    for daemon in daemons:
        daemon.start()
    for daemon in daemons:
        daemon.join()
    assert set(swept) == set(old)
    assert ids(tracks) == [pinned.id]


# tracks that point to latents


def test_a_track_points_to_its_latent_for_as_long_as_that_is_there(tracks):
    final, checkpoint = committed(tracks), committed(tracks, is_checkpoint=True, checkpoint_step=3)
    kept = committed_track(
        tracks, latent_id=final.id, latent_index=1, latent_checkpoint_id=checkpoint.id, checkpoint_step=3
    )
    assert (kept.latent_id, kept.latent_index) == (final.id, 1)
    tracks.take_changes()
    tracks.latents.delete(final.id)
    left = tracks.get(kept.id)
    assert (left.latent_id, left.latent_index) == (UNSET, UNSET)
    assert (left.latent_checkpoint_id, left.checkpoint_step) == (checkpoint.id, 3)
    assert tracks.take_changes() == LibraryChanged(changed=(left,))


def test_a_favourite_pins_its_latents_and_lets_go_of_them(tracks, clock, now):
    final, checkpoint, pinned = (committed(tracks, created_at=now()) for _ in range(3))
    one = committed_track(tracks, 1, latent_id=final.id, latent_index=0, latent_checkpoint_id=checkpoint.id)
    two = committed_track(tracks, 2, latent_id=pinned.id, latent_index=0)
    tracks.latents.pin(pinned.id, True)
    for track in (one, two):
        tracks.set_favorite(track.id, True)
    clock.now += 100 * HOUR
    assert tracks.latents.sweep(24).ids == ()
    assert all(tracks.latents.get(latent.id).record.pinned for latent in (final, checkpoint, pinned))
    error = refused(tracks.latents.pin, final.id, False)
    assert (error.name, error.field) == ("INVALID_PARAMS", "pinned")
    for track in (one, two):
        tracks.set_favorite(track.id, False)
    assert sorted(tracks.latents.sweep(24).ids) == sorted([final.id, checkpoint.id])
    assert ids(tracks) == [pinned.id], "a pin of one's own outlives the favourite"


# the sweep


def test_the_sweep_takes_what_is_as_old_as_the_ttl_and_nothing_else(tracks, clock, now, root):
    old, pinned, used = (committed(tracks, created_at=now()) for _ in range(3))
    tracks.latents.pin(pinned.id, True)
    clock.now += 23 * HOUR
    young = committed(tracks, created_at=now())
    assert tracks.latents.sweep(24, {used.id}).ids == ()
    clock.now += HOUR
    size = Path(old.path).stat().st_size
    swept = tracks.latents.sweep(24, {used.id})
    assert (swept.ids, swept.freed, swept.count) == ((old.id,), size, 3)
    assert swept.bytes == sum(path.stat().st_size for path in (root / "latents").glob("*.safetensors"))
    assert not Path(old.path).exists()
    assert set(ids(tracks)) == {pinned.id, used.id, young.id}


def test_a_ttl_of_zero_takes_every_unpinned_one_and_minus_one_none(tracks, clock, now):
    kept, pinned = committed(tracks, created_at=now()), committed(tracks, created_at=now())
    tracks.latents.pin(pinned.id, True)
    clock.now += 10_000 * HOUR
    assert tracks.latents.sweep(-1).ids == ()
    assert tracks.latents.sweep(0).ids == (kept.id,)
    assert ids(tracks) == [pinned.id]


def test_a_clock_that_was_ahead_keeps_nothing_for_years(tracks, clock):
    kept = committed(tracks, created_at="2099-01-01T00:00:00.000Z")
    clock.now += 25 * HOUR
    assert tracks.latents.sweep(24).ids == (kept.id,)


def test_the_sweep_takes_damaged_files_and_stale_temporaries_but_nothing_foreign(tracks, root, clock):
    committed(tracks)
    latents = root / "latents"
    damaged = latents / "00000000-0000-4000-8000-000000000000.safetensors"
    stale, notes, other = latents / ".lofi-x.tmp", latents / "notes.txt", latents / "model.safetensors"
    for path in (damaged, stale, notes, other):
        path.write_bytes(b"x")
        os.utime(path, (clock.now - 48 * HOUR,) * 2)
    tracks.latents.sweep(24)
    assert [path.exists() for path in (damaged, stale, notes, other)] == [False, False, True, True]


def test_a_sweep_of_nothing_opens_no_index(tracks, root):
    assert tracks.latents.sweep(0) is None
    assert not root.exists()


def test_it_sweeps_at_the_start_and_again_and_a_full_disk_does_not_end_it():
    calls = []

    async def sweep():
        calls.append(1)
        if len(calls) == 1:
            raise LofiError("CACHE_WRITE_ERROR", "full")
        if len(calls) == 3:
            done.set()

    async def scene():
        sweeper = Sweeper(sweep, every_sec=0.01)
        sweeper.begin()
        await done.wait()
        sweeper.close()

    done = asyncio.Event()
    asyncio.run(scene())


def test_what_a_job_starts_from_cannot_be_deleted(tracks):
    kept = committed(tracks)
    error = refused(tracks.latents.delete, kept.id, {kept.id})
    assert (error.name, error.field) == ("INVALID_PARAMS", "latent_id")
    assert tracks.latents.delete(kept.id) == kept.id


# a disk that refuses


def test_a_folder_that_cannot_be_written_is_said_and_does_not_hide_the_tracks(root, folder, clock):
    (folder / "elsewhere").write_bytes(b"")
    tracks = Tracks(root, clock=clock, latent_dir=folder / "elsewhere")
    made, path = staged(tracks.staging(), record())
    error = refused(tracks.latents.commit, made, path)
    assert error.name == "CACHE_WRITE_ERROR"
    assert str(folder / "elsewhere") in error.message and "latent_dir" in error.message
    assert committed_track(tracks).id
    (folder / "elsewhere").unlink()
    assert tracks.latents.commit(made, path).id == made.record.id
    tracks.close()


def test_a_refused_row_leaves_no_file(tracks, root, monkeypatch):
    made, path = staged(tracks.staging(), record())
    full = LofiError("CACHE_WRITE_ERROR", "full")
    monkeypatch.setattr(tracks._index.opened().latents, "put", lambda rows: (_ for _ in ()).throw(full))
    assert refused(tracks.latents.commit, made, path) is full
    assert list((root / "latents").glob("*.safetensors")) == []


def test_the_front_needs_neither_torch_nor_numpy_nor_safetensors_for_it(tracks, root):
    kept = committed(tracks)
    tracks.close()
    script = (
        "import sys; from pathlib import Path; from lofi_daemon.library.tracks import Tracks;"
        "import lofi_daemon.protocol.methods.latents;"
        "tracks = Tracks(Path(sys.argv[1])); tracks.latents.get(sys.argv[2]); tracks.rebuild();"
        "tracks.latents.sweep(0);"
        "print(sorted({'numpy', 'safetensors', 'torch'} & set(sys.modules)))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(root), kept.id], capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == "[]"
