"""Latents in the worker: what an engine hands over, finds again, and goes on from."""

import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from support.made_latents import blob

from lofi_daemon.audio.files import read_track
from lofi_daemon.backends.base import Equipment, LatentMade, Rendering
from lofi_daemon.engine.link import Done, LeftOff, Run
from lofi_daemon.errors import LofiError
from lofi_daemon.library.latents.file import examine, examine_bytes, seal
from lofi_daemon.model import UNSET, LatentFile, StageParams
from lofi_daemon.stages.executor import Engines, run_job
from lofi_daemon.stages.latents import AUTOSAVE, AUTOSAVE_EVERY_SEC, Latents, StageLatents

RATE = 1000
PARAMS = StageParams(backend="synth", prompt="x", duration_sec=2.0, seed=1, batch_size=2, checkpoint_step=3)
FINAL = LatentMade(blob(1), "turbo", (1.0, 0.5, 0.0), 2, lm_metadata={"bpm": 75})
CHECKPOINT = LatentMade(blob(2, momentum=np.ones(3, np.float32)), "turbo", (1.0, 0.5, 0.0), 2, checkpoint_step=1)


class Diffusion:
    """An engine that does what the test says with its context."""

    device = "test"

    def __init__(self, work):
        self.work = work

    def render(self, params, context):
        self.work(context)
        return [Rendering(np.zeros((RATE, 1), np.float32), RATE, -16.0)] * params.batch_size


@pytest.fixture
def run(tmp_path):
    """Runs ``work`` as a job; what was told."""

    def run(work, latents=None, named=()):
        staging = tmp_path / f"job{len(list(tmp_path.glob('job*')))}"
        staging.mkdir()
        engines, told = Engines(), []
        engines._made["synth"] = Diffusion(work)
        job = Run("job", (PARAMS,), (("a", "b"),), (Equipment("1"),), str(staging), "wav", latents=named)
        run_job(job, engines, told.append, lambda *_: None, latents or Latents())
        return staging, told

    return run


@pytest.fixture
def own(tmp_path):
    """StageLatents of one job, with a clock of the test's own in ``own.now``."""

    class Own(StageLatents):
        now = 0.0

    told = []
    job = Run("job", (PARAMS,), (("a", "b"),), (Equipment("1"),), str(tmp_path))
    own = Own(job, 0, told.append, lambda: datetime(2027, 1, 15, tzinfo=UTC), lambda: Own.now)
    own.told, own.clock = told, Own
    return own


def kept(staging, told):
    """The latents of a job as the front knows them after taking them in."""
    (done,) = [message for message in told if isinstance(message, Done)]
    return [
        LatentFile(msgspec.structs.replace(file.record, path=str(staging / file.record.path)), file.sha256)
        for file in done.latents
    ]


def test_a_job_hands_over_one_file_for_its_batch_and_each_track_points_into_it(run):
    staging, told = run(lambda context: context.keep(FINAL))
    (file,) = kept(staging, told)
    record = file.record
    assert (record.shape, record.dtype, record.batch_size) == ((2, 25, 64), "float32", 2)
    assert (record.model_variant, record.total_steps, record.schedule) == ("turbo", 2, (1.0, 0.5, 0.0))
    assert (record.is_checkpoint, record.checkpoint_step, record.pipeline_id) == (False, None, None)
    assert (record.params, record.lm_metadata) == (PARAMS, {"bpm": 75})
    assert examine(Path(record.path)).sha256 == file.sha256
    assert stat.S_IMODE(Path(record.path).stat().st_mode) == 0o600
    for item, track in enumerate(told[-1].tracks):
        assert (track.latent_id, track.latent_index, track.latent_checkpoint_id) == (record.id, item, UNSET)
        embedded = read_track(staging / track.path)
        assert (embedded.latent_id, embedded.latent_index) == (record.id, item), "or a new index would not know it"


def test_a_checkpoint_is_a_latent_of_its_own(run):
    def work(context):
        context.keep(CHECKPOINT)
        context.keep(FINAL)

    staging, told = run(work)
    checkpoint, final = kept(staging, told)
    assert (checkpoint.record.is_checkpoint, checkpoint.record.checkpoint_step) == (True, 1)
    track = told[-1].tracks[0]
    assert (track.latent_id, track.latent_checkpoint_id) == (final.record.id, checkpoint.record.id)
    assert track.checkpoint_step == 1


def test_a_full_disk_fails_the_job_by_name_and_leaves_no_half(tmp_path):
    script = """
import resource, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from test_latents import FINAL, PARAMS, Equipment, LofiError, Run, StageLatents, UTC, datetime
job = Run("j", (PARAMS,), (("a", "b"),), (Equipment("1"),), sys.argv[3])
own = StageLatents(job, 0, print, lambda: datetime.now(UTC))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
try:
    own.keep(FINAL)
except LofiError as error:
    print(error.name, error.details["reason"], list(Path(sys.argv[3]).iterdir()), own.made)
"""
    folder = tmp_path / "job"
    folder.mkdir()
    here = Path(__file__).parent
    child = subprocess.run(
        [sys.executable, "-c", script, str(here), str(here.parent), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == "CACHE_WRITE_ERROR EFBIG [] []"


def test_an_engine_without_latents_makes_tracks_without(run):
    _, told = run(lambda context: None)
    assert told[-1].latents == ()
    assert told[-1].tracks[0].latent_id is UNSET


def test_the_latest_generation_comes_from_memory_and_an_older_one_from_its_file(run):
    latents, got = Latents(), []
    first = kept(*run(lambda context: context.keep(FINAL), latents))[0]
    file = Path(first.record.path)
    file.rename(file.with_suffix(".away"))
    ask = lambda context: got.append(context.latent(first.record.id))  # noqa: E731
    run(ask, latents, (first,))
    run(lambda context: context.keep(CHECKPOINT), latents)
    with pytest.raises(LofiError, match="its file is gone"):
        run(ask, latents, (first,))
    file.with_suffix(".away").rename(file)
    run(ask, latents, (first,))
    for found in got:
        assert found.record == first.record
        np.testing.assert_array_equal(
            safetensors.numpy.load(found.blob)["latent"], safetensors.numpy.load(FINAL.blob)["latent"]
        )
    assert len(got) == 2


def harmed(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.write_bytes(harmed(path.read_bytes())), "checksum"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "cut short"),
        (lambda path: path.write_bytes(seal(blob(9), examine_bytes(path.read_bytes()).record)), "not the file"),
        (lambda path: path.unlink(), "gone"),
        (lambda path: (path.unlink(), path.mkdir()), "directory"),
    ],
)
def test_what_is_damaged_between_the_check_and_its_use_is_never_used(run, harm, reason):
    file = kept(*run(lambda context: context.keep(FINAL)))[0]
    harm(Path(file.record.path))
    with pytest.raises(LofiError) as caught:
        run(lambda context: context.latent(file.record.id), named=(file,))
    assert caught.value.name == "LATENT_NOT_FOUND"
    assert reason in caught.value.message.lower() and file.record.id in caught.value.message


def test_an_engine_gets_only_what_its_job_names(run):
    latents = Latents()
    file = kept(*run(lambda context: context.keep(FINAL), latents))[0]
    with pytest.raises(LofiError, match="does not know it"):
        run(lambda context: context.latent(file.record.id), latents)


# automatic checkpoints


def step(own, seconds, made=CHECKPOINT):
    """One step that takes ``seconds``; whether a checkpoint was made."""
    own.clock.now += seconds
    asked = []
    own.checkpoint(lambda: asked.append(1) or made)
    return bool(asked)


def test_a_checkpoint_is_made_every_few_seconds_and_replaces_the_one_before(own, tmp_path):
    assert [step(own, AUTOSAVE_EVERY_SEC / 2) for _ in range(5)] == [False, True, False, True, False]
    assert own.told == [LeftOff("job", AUTOSAVE)] * 2
    assert [path.name for path in tmp_path.glob("*.*")] == [AUTOSAVE]
    found = own.left_off(AUTOSAVE)
    assert found.record.checkpoint_step == 1
    np.testing.assert_array_equal(safetensors.numpy.load(found.blob)["momentum"], np.ones(3))


def test_slow_checkpoints_come_so_rarely_that_they_cost_less_than_a_hundredth(own):
    spent = 0.0
    for _ in range(10_000):

        def slow():
            nonlocal spent
            spent += 1.0
            own.clock.now += 1.0
            return CHECKPOINT

        own.clock.now += 1.0
        own.checkpoint(slow)
    assert 0 < spent < own.clock.now / 100


def test_a_half_written_one_leaves_the_one_before(own, tmp_path, monkeypatch):
    step(own, AUTOSAVE_EVERY_SEC)
    whole = (tmp_path / AUTOSAVE).read_bytes()
    (tmp_path / "checkpoint.half").write_bytes(b"of a worker that died")
    step(own, AUTOSAVE_EVERY_SEC * 2, msgspec.structs.replace(CHECKPOINT, checkpoint_step=2))
    assert (tmp_path / AUTOSAVE).read_bytes() != whole
    whole = (tmp_path / AUTOSAVE).read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lofi_daemon.stages.latents._write", full)
    assert step(own, 10_000)
    assert (tmp_path / AUTOSAVE).read_bytes() == whole


def test_one_that_is_harmed_or_of_another_stage_is_begun_anew(own, tmp_path):
    assert own.left_off(AUTOSAVE) is None
    step(own, AUTOSAVE_EVERY_SEC)
    whole = (tmp_path / AUTOSAVE).read_bytes()
    (tmp_path / AUTOSAVE).write_bytes(harmed(whole))
    assert own.left_off(AUTOSAVE) is None
    (tmp_path / AUTOSAVE).write_bytes(whole)
    assert own.left_off(AUTOSAVE) is not None
    other = Run("job", (msgspec.structs.replace(PARAMS, seed=2),), (("a", "b"),), (Equipment("1"),), str(tmp_path))
    assert StageLatents(other, 0, print, lambda: None).left_off(AUTOSAVE) is None
