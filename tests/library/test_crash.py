"""Several processes on one library, killed at any moment, or out of disk: whole tracks or none."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.made_tracks import committed

from lofi_daemon.audio.files import read_track
from lofi_daemon.library.tracks import Tracks

ROUNDS = 20

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.made_tracks import committed
from lofi_daemon.errors import LofiError
from lofi_daemon.library.tracks import Tracks
root, first, count = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
tracks = Tracks(root)
for seed in range(first, first + count):
    formats = ("flac", "wav")
    kept = committed(tracks, seed, audio_format=formats[seed % 2])
    print(kept.id, flush=True)
    try:
        if seed % 5 == 4:
            tracks.set_favorite(kept.id, True)
        if seed % 7 == 6:
            print("-" + tracks.delete(kept.id), flush=True)
    except LofiError as error:  # the other writer may have deleted it just before
        assert error.name == "INVALID_TRACK_ID"
"""


def writer(root, first, count):
    tests = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tests), str(root), str(first), str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def acknowledged(output):
    """Ids said to be there, less those said to be gone; and those being deleted when the end came are in neither."""
    lines = output.split("\n")[:-1]
    deleted = {line[1:] for line in lines if line.startswith("-")}
    return [line for line in lines if not line.startswith("-") and line not in deleted], deleted


def assert_sound(root):
    """Every file whole and in the index, every row with its file, nothing half-done left."""
    tracks = Tracks(root)
    pages = [tracks.page(None, "oldest", 200, offset)[0] for offset in range(0, 2000, 200)]
    there = {track.id: track for page in pages for track in page}
    assert len(there) == tracks.stats().count
    found = sorted(str(path) for path in (root / "tracks").rglob("*") if path.is_file())
    assert found == sorted(track.path for track in there.values())
    for track in there.values():
        embedded = read_track(Path(track.path))
        assert embedded is not None
        assert embedded.id == track.id
    assert list((root / "staging").iterdir()) == []
    assert list(root.glob("*broken*")) == []
    tracks.close()
    return set(there)


def test_kill_minus_nine_at_any_moment_loses_nothing_that_was_said(root):
    chance = random.Random(4)
    said, deleted = set(), set()
    for number in range(ROUNDS):
        process = writer(root, number * 1000, 1000)
        begun = process.stdout.readline() + process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        more, less = acknowledged(begun + process.communicate()[0])
        # The delete after the last line may have been under way, unsaid.
        said.update(more[:-1])
        deleted.update(less)
        there = assert_sound(root)
        assert said <= there
        assert not deleted & there
    assert len(said) + len(deleted) >= ROUNDS


def test_two_daemons_share_a_library(root):
    processes = [writer(root, 0, 40), writer(root, 20, 40)]  # half of it the same tracks
    outputs = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    kept = [set(acknowledged(output)[0]) for output in outputs]
    gone = {track_id for output in outputs for track_id in acknowledged(output)[1]}
    there = assert_sound(root)
    assert (kept[0] | kept[1]) - gone <= there


def test_one_daemon_sees_at_once_what_another_does(root):
    one, two = Tracks(root), Tracks(root)
    kept = committed(one, 1)
    assert two.find(kept.id) == kept
    two.set_favorite(kept.id, True)
    assert one.get(kept.id).favorite
    one.delete(kept.id)
    assert two.find(kept.id) is None
    one.close()
    two.close()


OUT_OF_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.made_tracks import made_track, staged
from lofi_daemon.errors import LofiError
from lofi_daemon.library.tracks import Tracks
tracks = Tracks(Path(sys.argv[2]))
made = made_track(1, seconds=20.0)
tracks.stats()
if sys.argv[3] == "render":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        staged(tracks, made, sys.argv[4])
    except OSError as error:
        print(error.errno, sorted(path.name for path in (Path(sys.argv[2]) / "staging").rglob("*.*")))
else:
    path = staged(tracks, made, sys.argv[4])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        tracks.commit(made, path)
    except LofiError as error:
        print(error.name, error.message)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    path = staged(tracks, made, sys.argv[4])
    print(tracks.commit(made, path).id == made.id)
"""


def out_of_disk(root, moment, audio_format="flac"):
    tests = Path(__file__).parents[1]
    child = subprocess.run(
        [sys.executable, "-c", OUT_OF_DISK, str(tests), str(root), moment, audio_format],
        capture_output=True,
        text=True,
        check=True,
    )
    return child.stdout.splitlines()


@pytest.mark.parametrize("audio_format", ["flac", "wav", "ogg", "mp3"])
def test_a_rendering_that_does_not_fit_leaves_no_file_and_says_the_reason(root, audio_format):
    import errno

    assert out_of_disk(root, "render", audio_format) == [f"{errno.EFBIG} []"]


def test_an_index_that_cannot_grow_refuses_the_track_and_takes_it_later(root):
    refused, later = out_of_disk(root, "commit")
    assert refused.startswith("CACHE_WRITE_ERROR Could not write")
    assert str(root / "index.sqlite3") in refused
    assert later == "True"
    assert len(assert_sound(root)) == 1
