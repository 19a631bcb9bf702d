"""Latents through the whole daemon: made, listed, pinned, started from, swept, and gone on from after a death."""

import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from support.raw_daemon import RawDaemon

COMMAND = (sys.executable, str(Path(__file__).parents[1] / "support" / "puppet_latents.py"))


def daemon_in(folder, **env):
    return RawDaemon(folder / "cache", COMMAND, env={"LOFI_PUPPET_DEATHS": str(folder / "deaths"), **env})


@pytest.fixture
def daemon(tmp_path):
    with daemon_in(tmp_path) as daemon:
        yield daemon


def made(daemon, prompt="latent", **more):
    """The first track of a finished job."""
    reply = daemon.result("generate", {"prompt": prompt, "backend": "ace_step_15", "seed": 1, **more})
    done = daemon.end_of(reply["job_id"])
    assert done["method"] == "generation_complete", done
    return done["params"]["tracks"][0]


def values(record):
    return safetensors.numpy.load_file(record["path"])["latent"]


def test_a_job_s_latent_is_listed_read_pinned_and_deleted(daemon):
    track = made(daemon, batch_size=2)
    assert track["latent_index"] == 0
    record = daemon.result("latent_get", {"latent_id": track["latent_id"][:8]})
    assert daemon.result("latent_list") == {"latents": [record], "total": 1}
    assert (record["id"], record["shape"], record["dtype"]) == (track["latent_id"], [2, 128, 64], "float32")
    assert (record["batch_size"], record["pinned"], record["is_checkpoint"]) == (2, False, False)
    assert set(record) == {
        "id", "path", "shape", "dtype", "model_variant", "stage_type", "is_checkpoint", "checkpoint_step",
        "total_steps", "schedule", "params", "lm_metadata", "batch_size", "created_at", "pinned", "pipeline_id",
        "stage_index", "track_ids", "heard", "parent_ids",
    }  # fmt: skip
    assert Path(record["path"]).name == f"{record['id']}.safetensors"
    pinned = daemon.result("latent_pin", {"latent_id": record["id"], "pinned": True})
    assert pinned == record | {"pinned": True}
    assert daemon.result("latent_list", {"pinned": False})["total"] == 0
    assert daemon.result("latent_delete", {"latent_id": record["id"]}) == {"deleted": record["id"]}
    assert not Path(record["path"]).exists()
    assert "latent_id" not in daemon.result("cache_get", {"track_id": track["id"]})


@pytest.mark.parametrize(
    ("method", "params", "name", "field"),
    [
        ("latent_get", {}, "INVALID_PARAMS", "latent_id"),
        ("latent_get", {"latent_id": "../../../etc/passwd"}, "LATENT_NOT_FOUND", "latent_id"),
        ("latent_delete", {"latent_id": "abcdef"}, "LATENT_NOT_FOUND", "latent_id"),
        ("latent_pin", {"latent_id": "abcdef", "pinned": "yes"}, "INVALID_PARAMS", "pinned"),
        ("latent_list", {"offset": -1}, "INVALID_PARAMS", "offset"),
        ("latent_list", {"limit": 201}, "INVALID_PARAMS", "limit"),
        ("latent_list", {"sort": "newest"}, "INVALID_PARAMS", "sort"),
        ("generate", {"prompt": "x", "backend": "ace_step_15", "init_latent_id": "1" * 32}, "LATENT_NOT_FOUND",
         "init_latent_id"),
    ],
)  # fmt: skip
def test_bad_input_gets_its_named_error(daemon, method, params, name, field):
    error = daemon.error(method, params)
    assert (error["data"]["code"], error["data"]["field"]) == (name, field)


def test_a_job_starts_from_the_latent_it_names_also_after_a_restart(tmp_path):
    with daemon_in(tmp_path) as daemon:
        first = made(daemon, seed=5)
        wanted = values(daemon.result("latent_get", {"latent_id": first["latent_id"]}))
        hot = made(daemon, seed=6, init_latent_id=first["latent_id"][:7], t_start=0.5)
        assert hot["params"]["init_latent_id"] == first["latent_id"]
    with daemon_in(tmp_path) as daemon:
        cold = made(daemon, seed=7, init_latent_id=first["latent_id"], t_start=0.5)
        for track in (hot, cold):
            found = values(daemon.result("latent_get", {"latent_id": track["latent_id"]}))
            np.testing.assert_array_equal(found, wanted)


def test_a_harmed_latent_is_refused_with_its_reason_and_the_daemon_goes_on(daemon):
    track = made(daemon)
    path = Path(daemon.result("latent_get", {"latent_id": track["latent_id"]})["path"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    params = {"prompt": "latent", "backend": "ace_step_15", "init_latent_id": track["latent_id"]}
    for method, asked in (("latent_get", {"latent_id": track["latent_id"]}), ("generate", params)):
        error = daemon.error(method, asked)
        assert error["data"]["code"] == "LATENT_NOT_FOUND"
        assert "checksum" in error["message"]
    made(daemon, seed=2)


def test_one_that_a_waiting_job_starts_from_stays(daemon):
    track = made(daemon)
    daemon.result("generate", {"prompt": "deaf", "job_id": "runs"})
    asked = {"prompt": "latent", "backend": "ace_step_15", "seed": 9, "t_start": 0.5}
    waiting = daemon.result("generate", asked | {"init_latent_id": track["latent_id"]})["job_id"]
    error = daemon.error("latent_delete", {"latent_id": track["latent_id"]})
    assert (error["data"]["code"], error["data"]["field"]) == ("INVALID_PARAMS", "latent_id")
    daemon.result("cancel", {"job_id": waiting})
    assert daemon.result("latent_delete", {"latent_id": track["latent_id"]})


def test_the_start_sweeps_what_is_neither_pinned_nor_a_favourite_s_and_logs_the_size(tmp_path):
    with daemon_in(tmp_path, ACE_LATENT_TTL_HOURS="0") as daemon:
        gone, pinned, favorite = (made(daemon, seed=seed) for seed in (1, 2, 3))
        daemon.result("latent_pin", {"latent_id": pinned["latent_id"]})
        daemon.result("track_favorite", {"track_id": favorite["id"]})
    with daemon_in(tmp_path, ACE_LATENT_TTL_HOURS="-1") as daemon:
        assert daemon.result("latent_list")["total"] == 3
    with daemon_in(tmp_path, ACE_LATENT_TTL_HOURS="0") as daemon:
        left = daemon.result("latent_list")["latents"]
        assert {record["id"] for record in left} == {pinned["latent_id"], favorite["latent_id"]}
        assert all(record["pinned"] for record in left)
        assert "latent_id" not in daemon.result("cache_get", {"track_id": gone["id"]})
        size = sum(Path(record["path"]).stat().st_size for record in left)
    assert f"latents: 1 swept ({size / 2 / 1000:.1f} kB), 2 left ({size / 1000:.1f} kB)" in daemon.log.decode()


def test_they_lie_where_the_setting_says(tmp_path):
    with daemon_in(tmp_path, ACE_LATENT_DIR=str(tmp_path / "elsewhere")) as daemon:
        track = made(daemon)
        assert [path.name for path in (tmp_path / "elsewhere").glob("*.*")] == [f"{track['latent_id']}.safetensors"]


def test_a_latent_that_cannot_be_kept_costs_the_latent_and_not_the_music(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"")
    with daemon_in(tmp_path, ACE_LATENT_DIR=str(tmp_path / "elsewhere")) as daemon:
        track = made(daemon)
        assert "latent_id" not in track
        (notice,) = [m["params"]["message"] for m in daemon.notifications("engine_notice")]
        assert str(tmp_path / "elsewhere") in notice and "latent_dir" in notice


def test_a_checkpoint_that_was_asked_for_is_made_again_once_it_is_gone(daemon):
    track = made(daemon, checkpoint_step=1)
    checkpoint = daemon.result("latent_get", {"latent_id": track["latent_checkpoint_id"]})
    assert (checkpoint["is_checkpoint"], checkpoint["checkpoint_step"], track["checkpoint_step"]) == (True, 1, 1)
    assert made(daemon, checkpoint_step=1)["latent_checkpoint_id"] == checkpoint["id"], "from the library"
    daemon.result("latent_delete", {"latent_id": checkpoint["id"]})
    assert made(daemon, checkpoint_step=1)["latent_checkpoint_id"] not in (None, checkpoint["id"])


# automatic checkpoints


def runs(tmp_path):
    """How each worker of the job began: "-" from the start, else the step it went on from."""
    return (tmp_path / "deaths").read_text()


def test_a_job_whose_worker_died_goes_on_once_where_it_was(daemon, tmp_path):
    track = made(daemon, "latent die 1")
    assert runs(tmp_path) == "-1"
    assert len(daemon.notifications("generation_started")) == 1
    assert any("goes on" in m["params"]["message"] for m in daemon.notifications("engine_notice"))
    assert Path(track["path"]).exists()
    daemon.close()
    assert [path.name for path in (tmp_path / "cache").rglob("checkpoint*")] == []


def test_a_second_death_fails_it_and_the_next_job_is_made(daemon, tmp_path):
    job = daemon.result("generate", {"prompt": "latent die 9", "backend": "ace_step_15"})["job_id"]
    done = daemon.end_of(job)
    assert (done["method"], done["params"]["code"]) == ("generation_error", "MODEL_INFERENCE_FAILED")
    assert runs(tmp_path) == "-1"
    assert made(daemon, "latent", seed=4)


def test_a_job_that_the_user_cancelled_never_goes_on_whenever_its_worker_dies(daemon, tmp_path):
    job = daemon.result("generate", {"prompt": "latent die 1 cancelled", "backend": "ace_step_15"})["job_id"]
    daemon.wait(lambda m: m.get("method") == "generation_started")
    assert daemon.result("cancel", {"job_id": job})["was_generating"]
    assert daemon.end_of(job)["method"] == "generation_cancelled"
    assert made(daemon, "latent", seed=4)
    assert runs(tmp_path) == "-"
    daemon.close()
    assert list((tmp_path / "cache").rglob("checkpoint*")) == []


def test_a_job_that_left_no_checkpoint_fails_at_its_first_death(daemon):
    job = daemon.result("generate", {"prompt": "crash", "backend": "ace_step_15"})["job_id"]
    assert daemon.end_of(job)["params"]["code"] == "MODEL_INFERENCE_FAILED"
    assert len(daemon.notifications("generation_started")) == 1
