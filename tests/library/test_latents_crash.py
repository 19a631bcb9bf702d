"""The latent store killed at any moment, or out of disk: whole latents or none."""

import errno
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from lofi_daemon.library.latents.file import examine
from lofi_daemon.library.tracks import Tracks

ROUNDS = 12

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.made_latents import committed
from support.made_tracks import committed as committed_track
from lofi_daemon.library.tracks import Tracks
tracks = Tracks(Path(sys.argv[2]))
for seed in range(int(sys.argv[3]), int(sys.argv[3]) + 1000):
    kept = committed(tracks)
    committed_track(tracks, seed, latent_id=kept.id, latent_index=0)
    if seed % 3 == 0:
        tracks.latents.pin(kept.id, True)
        print("+" + kept.id, flush=True)
    elif seed % 3 == 1:
        print(kept.id, flush=True)
    else:
        tracks.latents.delete(kept.id)
        print("-" + kept.id, flush=True)
"""


def test_kill_minus_nine_at_any_moment_loses_nothing_that_was_said(root):
    chance = random.Random(6)
    said, pinned, deleted = set(), set(), set()
    for number in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(Path(__file__).parents[1]), str(root), str(number * 1000)],
            stdout=subprocess.PIPE,
            text=True,
        )
        begun = process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        for line in (begun + process.communicate()[0]).split("\n")[:-1]:
            {"+": pinned, "-": deleted}.get(line[0], said).add(line.lstrip("+-"))
        tracks = Tracks(root)
        there = {found.id: found for found in tracks.latents.page(None, 200, 0)[0]}
        assert said | pinned <= set(there)
        assert not deleted & set(there)
        assert {name for name, found in there.items() if found.pinned} >= pinned
        files = {path.stem for path in (root / "latents").glob("*.safetensors")}
        assert files == set(there)
        for name in there:
            assert tracks.latents.get(name).sha256 == examine(root / "latents" / f"{name}.safetensors").sha256
        for track in tracks.page(None, "newest", 200, 0)[0]:
            assert not track.latent_id or track.latent_id in there
        tracks.close()
    assert said and pinned and deleted


OUT_OF_DISK = """
import errno, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.made_latents import record, staged
from lofi_daemon.errors import LofiError
from lofi_daemon.library.tracks import Tracks
elsewhere = Path(sys.argv[2]) / "elsewhere"
replace = Path.replace
def across_disks(self, target):
    if self.parent != Path(target).parent:
        raise OSError(errno.EXDEV, "Invalid cross-device link")
    return replace(self, target)
Path.replace = across_disks
tracks = Tracks(Path(sys.argv[2]) / "cache", latent_dir=elsewhere)
made, path = staged(tracks.staging(), record())
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
try:
    tracks.latents.commit(made, path)
except LofiError as error:
    print(error.name, error.message, error.details["reason"])
print([found.name for found in elsewhere.iterdir()])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(tracks.latents.commit(made, path).id == made.record.id, path.exists())
print(tracks.latents.get(made.record.id).sha256 == made.sha256)
"""


def test_a_disk_of_its_own_that_is_full_refuses_the_latent_and_takes_it_later(folder):
    child = subprocess.run(
        [sys.executable, "-c", OUT_OF_DISK, str(Path(__file__).parents[1]), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    refused, left, later, whole = child.stdout.splitlines()
    assert refused.startswith(f"CACHE_WRITE_ERROR Could not write {folder / 'elsewhere'}")
    assert refused.endswith(errno.errorcode[errno.EFBIG])
    assert (left, later, whole) == ("[]", "True False", "True")
