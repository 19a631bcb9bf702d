import stat
import subprocess
import sys
from pathlib import Path

from lofi_daemon.library.tracks import Tracks

CHILD = """
import sys
from pathlib import Path
from lofi_daemon.library.tracks import Tracks
tracks = Tracks(Path(sys.argv[1]))
folder = tracks.staging()
(folder / "half.flac").write_bytes(b"half")
print(folder, flush=True)
sys.stdin.read()
"""


def child(root):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def end(process):
    process.kill()
    process.communicate()


def test_each_folder_is_fresh_private_and_on_the_library_s_own_disk(tracks, root):
    one, two = tracks.staging(), tracks.staging()
    assert one != two
    for folder in (one, two):
        assert list(folder.iterdir()) == []
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.is_relative_to(root / "staging")


def test_what_the_living_write_stays_and_what_the_dead_left_goes(tracks, root):
    process, folder = child(root)
    try:
        assert tracks.sweep_staging() == 0
        assert (folder / "half.flac").exists()
    finally:
        end(process)
    assert tracks.sweep_staging() == 1
    assert not folder.parent.exists()


def test_the_next_start_sweeps_by_itself_but_never_its_own(root):
    process, folder = child(root)
    end(process)
    tracks = Tracks(root)
    mine = tracks.staging()
    assert not folder.exists()
    assert tracks.sweep_staging() == 0
    assert mine.exists()
    tracks.close()
    assert list((root / "staging").iterdir()) == []


def test_staging_removed_by_hand_is_made_again(tracks, root):
    first = tracks.staging()
    for folder in (first, first.parent):
        for path in folder.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    assert tracks.staging().is_dir()
