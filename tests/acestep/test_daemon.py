"""ACE-Step 1.5 through the whole daemon, in raw lines: a tiny turbo in the published layout, a tiny base in that of
diffusers. A worker takes seconds to import torch, so one daemon makes a few tracks, and another one, on the same
library, does all the rest."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from support.made_latents import blob, record
from support.neovim import ROOT
from support.raw_daemon import RawDaemon

from lofi_daemon.library.latents.file import seal

MORTAL = (sys.executable, str(ROOT / "tests" / "support" / "mortal_daemon.py"))
LONG = 120.0
"""Seconds: torch is imported, on a machine that has other things to do."""
MODELS = ("turbo", "base")
SECONDS = 5
CHANNELS = 64
KEPT_AT = 1
STEPS = {"turbo": 8, "base": 4}
SHORTEST = 128
"""Frames: five seconds are a little less."""
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A models folder as other programs fill it, and an sft whose weights are damaged in a way that nobody sees."""
    import torch
    from diffusers.models.autoencoders import autoencoder_oobleck
    from safetensors.torch import load_file, save_file
    from support import tiny_acestep

    root, work = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder_oobleck, "OobleckEncoder", tiny_acestep.wide_encoder())
        tiny_acestep.published(root)
        tiny_acestep.published(work, variant="base")
        tiny_acestep.diffusers(root, work, "base")
    shutil.copytree(root / "acestep-v15-turbo", root / "acestep-v15-sft")
    config = json.loads((root / "acestep-v15-sft" / "config.json").read_text())
    (root / "acestep-v15-sft" / "config.json").write_text(json.dumps(config | {"is_turbo": False}))
    weights = load_file(root / "acestep-v15-sft" / "model.safetensors")
    weights["decoder.norm_out.weight"] = torch.full_like(weights["decoder.norm_out.weight"], torch.nan)
    save_file(weights, root / "acestep-v15-sft" / "model.safetensors")
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def env(home, models):
    return {
        "LOFI_ACE_STEP_MODEL_PATH": str(models),
        "XDG_CACHE_HOME": str(home / "cache"),
        "LOFI_DEATHS": str(home / "deaths"),
        "LOFI_CODEC": str(home / "codec"),
    }


def ask(daemon, model, **more):
    params = {"prompt": "lofi rain", "backend": "ace_step_15", "model": model, "seed": 7}
    if model == "base":
        params["inference_steps"] = STEPS[model]
    if "init_latent_id" not in more:
        params["duration_sec"] = SECONDS
    return daemon.result("generate", params | more)


def made(daemon, model, **more):
    """The tracks of a finished job."""
    end = daemon.end_of(ask(daemon, model, **more)["job_id"], LONG)
    assert end["method"] == "generation_complete", end
    return end["params"]["tracks"]


def failed(daemon, model, **more):
    end = daemon.end_of(ask(daemon, model, **more)["job_id"], LONG)
    assert end["method"] == "generation_error", end
    return end["params"]


def refused(daemon, model, **more):
    params = {"prompt": "lofi rain", "backend": "ace_step_15", "model": model} | more
    error = daemon.error("generate", params)
    return error["data"]["code"], error["data"]["field"], error["message"]


def values(daemon, latent_id):
    path = daemon.result("latent_get", {"latent_id": latent_id})["path"]
    return safetensors.numpy.load_file(path)["latent"]


def latent_of(daemon, track):
    return values(daemon, track["latent_id"])


def left_on_the_way(library):
    return [name for _, _, names in os.walk(library) for name in names if name.startswith("checkpoint")]


def notices(daemon):
    return "\n".join(m["params"]["message"] for m in daemon.notifications("engine_notice"))


@pytest.fixture(scope="module")
def first(home, env):
    """What the first daemon made of each model, a batch of two with a checkpoint; that daemon is gone."""
    found = {}
    with RawDaemon(home / "library", MORTAL, "worker_nice=0", env=env) as daemon:
        backend = next(one for one in daemon.result("get_backends")["backends"] if one["type"] == "ace_step_15")
        for model in MODELS:
            tracks = made(daemon, model, batch_size=2, checkpoint_step=KEPT_AT, lyrics="[verse]\nrain", bpm=80)
            record = daemon.result("latent_get", {"latent_id": tracks[0]["latent_id"]})
            found[model] = SimpleNamespace(tracks=tracks, record=record, latent=latent_of(daemon, tracks[0]))
        daemon.result("latent_pin", {"latent_id": found["base"].record["id"]})
        latents = daemon.result("latent_list")["latents"]
        progress = [m["params"] for m in daemon.notifications("generation_progress")]
        log = daemon.log.decode()
    return SimpleNamespace(**found, backend=backend, latents=latents, progress=progress, log=log)


@pytest.fixture(scope="module")
def daemon(home, env, first):
    """On the library of ``first``, whose index was lost meanwhile."""
    for path in (home / "library").glob("index.sqlite3*"):
        path.unlink()
    with RawDaemon(home / "library", MORTAL, "worker_nice=0", env=env) as daemon:
        yield daemon


# made once, and there after a restart


def test_both_layouts_are_ready_where_other_programs_put_them(first, models):
    assert first.backend["status"] == "ready"
    status = {one["model"]: (one["status"], one["path"]) for one in first.backend["weights"]}
    assert status["turbo"] == ("ready", str(models))
    assert status["base"] == ("ready", str(models / "acestep-v15-base-diffusers"))
    assert status["xl-turbo"] == ("absent", None)


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_becomes_tracks_that_point_into_one_latent(first, model):
    found = getattr(first, model)
    one, two = found.tracks
    assert (one["latent_index"], two["latent_index"], one["latent_id"]) == (0, 1, two["latent_id"])
    assert one["checkpoint_step"] == KEPT_AT and one["latent_checkpoint_id"] == two["latent_checkpoint_id"]
    assert (one["duration_sec"], one["sample_rate"], one["channels"]) == (SECONDS, 48_000, 2)
    assert (one["params"]["lyrics"], one["params"].get("instrumental")) == ("[verse]\nrain", False)
    assert f"acestep-v15-{model}@" in one["model_version"]
    kept = found.record
    assert (kept["shape"], kept["dtype"]) == ([2, SHORTEST, CHANNELS], "float32")
    assert (kept["model_variant"], kept["stage_type"], kept["batch_size"]) == (model, "generate", 2)
    assert (kept["total_steps"], len(kept["schedule"]), kept["schedule"][-1]) == (STEPS[model], STEPS[model] + 1, 0)
    assert found.latent.shape == (2, SHORTEST, CHANNELS) and np.isfinite(found.latent).all()
    assert not np.array_equal(*found.latent)


def test_progress_never_falls_and_ends_with_the_job(first):
    for job_id in {one["job_id"] for one in first.progress}:
        percents = [one["percent"] for one in first.progress if one["job_id"] == job_id]
        assert percents == sorted(percents) and percents[-1] <= 99


def test_a_lost_index_is_made_again_from_the_latents_with_their_pins(daemon, first):
    again = daemon.result("latent_list")
    assert sorted(again["latents"], key=lambda one: one["id"]) == sorted(first.latents, key=lambda one: one["id"])
    assert [one["id"] for one in daemon.result("latent_list", {"pinned": True})["latents"]] == [first.base.record["id"]]
    track = daemon.result("cache_get", {"track_id": first.turbo.tracks[1]["id"]})
    assert (track["latent_id"], track["latent_index"]) == (first.turbo.record["id"], 1)


# resumed


@pytest.mark.parametrize("model", MODELS)
def test_a_latent_of_another_daemon_is_taken_up_again_the_same_way_each_time(daemon, first, model):
    found = getattr(first, model)
    asked = {"init_latent_id": found.record["id"][:8], "t_start": 0.5, "resume_sample_index": 1, "seed": 21}
    (track,) = made(daemon, model, **asked)
    assert track["duration_sec"] == SECONDS
    assert track["params"]["init_latent_id"] == found.record["id"]
    assert found.record["id"] in track["parent_ids"]
    latent = latent_of(daemon, track)
    total = daemon.result("latent_get", {"latent_id": track["latent_id"]})["total_steps"]
    assert 0 < total < STEPS[model], "the part of the way that is left"
    near, far = (np.linalg.norm(latent[0] - found.latent[item]) for item in (1, 0))
    assert 0 < near < far, "it is a variation of the item that was named"
    daemon.result("cache_delete", {"track_id": track["id"]})
    (again,) = made(daemon, model, **asked)
    assert again["id"] == track["id"]
    assert np.array_equal(latent_of(daemon, again), latent)


@pytest.mark.parametrize("model", MODELS)
def test_a_checkpoint_of_another_daemon_goes_on_to_the_same_bits(daemon, first, model):
    found = getattr(first, model)
    asked = {"init_latent_id": found.tracks[0]["latent_checkpoint_id"], "batch_size": 2}
    tracks = made(daemon, model, lyrics="[verse]\nrain", bpm=80, **asked)
    assert np.array_equal(latent_of(daemon, tracks[0]), found.latent)
    sounds = [[Path(track["path"]).read_bytes()[-2000:] for track in one] for one in (tracks, found.tracks)]
    assert sounds[0] == sounds[1], "and to the same sound"


WAYS = [
    ("turbo", {"scheduler": "pingpong"}),
    ("turbo", {"scheduler": "sde"}),
    ("base", {"scheduler": "heun"}),
    ("base", {"guidance": "adg"}),
    ("base", {"guidance": "cfg", "cfg_interval": [0.3, 0.9]}),
]


@pytest.mark.parametrize(("model", "way"), WAYS, ids=str)
def test_every_way_of_walking_is_gone_on_with_bit_for_bit(daemon, model, way):
    (whole,) = made(daemon, model, checkpoint_step=KEPT_AT, seed=31, **way)
    (rest,) = made(daemon, model, init_latent_id=whole["latent_checkpoint_id"], seed=31, **way)
    assert rest["id"] != whole["id"]
    assert np.array_equal(latent_of(daemon, rest), latent_of(daemon, whole))


def test_another_seed_solver_or_grid_branches_from_a_checkpoint(daemon):
    (trunk,) = made(daemon, "base", checkpoint_step=KEPT_AT, scheduler="sde", seed=41)
    start = {"init_latent_id": trunk["latent_checkpoint_id"], "seed": 41, "scheduler": "sde"}
    ways = ({"seed": 42}, {"scheduler": "euler"}, {"guidance": "cfg"}, {"inference_steps": 6})
    ends = [latent_of(daemon, trunk)]
    for way in ways:
        (branch,) = made(daemon, "base", **(start | way))
        ends.append(latent_of(daemon, branch))
    for i, one in enumerate(ends):
        assert not any(np.array_equal(one, other) for other in ends[:i])


def test_a_checkpoint_of_a_resumed_run_is_gone_on_with_too(daemon, first):
    asked = {"init_latent_id": first.base.record["id"], "t_start": 0.8, "seed": 51}
    (whole,) = made(daemon, "base", checkpoint_step=KEPT_AT, **asked)
    (rest,) = made(daemon, "base", init_latent_id=whole["latent_checkpoint_id"], seed=51)
    assert np.array_equal(latent_of(daemon, rest), latent_of(daemon, whole))


# what cannot be


def test_what_cannot_be_resumed_is_refused_by_name_before_it_waits(daemon, first):
    latent, checkpoint = first.turbo.record["id"], first.turbo.tracks[0]["latent_checkpoint_id"]
    unknown = "00000000-0000-4000-8000-000000000000"
    half = {"t_start": 0.5}
    code, field, message = refused(daemon, "turbo", init_latent_id=unknown, **half)
    assert (code, field, unknown in message) == ("LATENT_NOT_FOUND", "init_latent_id", True)
    code, field, message = refused(daemon, "base", init_latent_id=latent, **half)
    assert (code, field) == ("LATENT_MISMATCH", "init_latent_id")
    assert "generated with turbo, current model is base" in message
    code, field, message = refused(daemon, "turbo", init_latent_id=latent, duration_sec=20, **half)
    assert (code, field, "5 seconds" in message) == ("LATENT_MISMATCH", "duration_sec", True)
    code, field, message = refused(daemon, "turbo", init_latent_id=latent, resume_sample_index=2, **half)
    assert (code, field, "0 to 1" in message) == ("INVALID_PARAMS", "resume_sample_index", True)
    code, field, message = refused(daemon, "turbo", init_latent_id=checkpoint, **half)
    assert (code, field, "is a checkpoint" in message) == ("INVALID_PARAMS", "t_start", True)
    code, field, _ = refused(daemon, "turbo", duration_sec=SECONDS, checkpoint_step=8)
    assert (code, field) == ("INVALID_PARAMS", "checkpoint_step")


def test_a_latent_harmed_on_the_disk_is_refused_and_never_noise(daemon):
    (track,) = made(daemon, "turbo", seed=61)
    path = Path(daemon.result("latent_get", {"latent_id": track["latent_id"]})["path"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    code, field, message = refused(daemon, "turbo", init_latent_id=track["latent_id"], t_start=0.5)
    assert (code, field) == ("LATENT_NOT_FOUND", "init_latent_id")
    assert "checksum" in message and track["latent_id"] in message


def test_what_is_taken_all_the_same_is_said(daemon, home, first):
    shape = (1, SHORTEST, CHANNELS)
    params = msgspec.structs.replace(record().params, duration_sec=5.12, batch_size=1)
    wide = safetensors.numpy.save({"latent": safetensors.numpy.load(blob(shape=shape))["latent"].astype(np.float64)})
    of = record(model_variant="unknown", shape=shape, dtype="float64", batch_size=1, params=params)
    (home / "library" / "latents" / f"{of.id}.safetensors").write_bytes(seal(wide, of))
    reindexed(home)
    (track,) = made(daemon, "turbo", init_latent_id=of.id, t_start=0.5)
    assert track["duration_sec"] == 5.12
    said = notices(daemon)
    assert "does not say which model made it" in said
    assert "it is cast to float32" in said
    made(daemon, "turbo", init_latent_id=first.turbo.record["id"], t_start=1, seed=71)
    assert "is not used: with t_start = 1" in notices(daemon)
    made(daemon, "turbo", guidance="cfg", guidance_scale=5, seed=72)
    assert "takes no guidance" in notices(daemon)


def reindexed(home):
    from lofi_daemon.library.tracks import Tracks

    tracks = Tracks(home / "library")
    tracks.rebuild()
    tracks.close()


def test_lyrics_beyond_what_the_model_reads_are_refused_with_the_limit(daemon):
    error = failed(daemon, "turbo", lyrics="rain " * 2100, seed=81)
    assert (error["code"], "2048" in error["message"]) == ("INVALID_PARAMS", True)


def test_weights_that_give_nan_fail_the_job_with_the_step_and_nothing_else(daemon):
    error = failed(daemon, "sft", inference_steps=3, seed=91)
    assert error["code"] == "MODEL_INFERENCE_FAILED"
    assert "after step 1 of 3" in error["message"] and "float32" in error["message"]
    assert made(daemon, "turbo", seed=91)
    assert len(daemon.notifications("generation_cancelled")) == 0


# workers that die


def test_a_job_whose_worker_dies_goes_on_once_to_the_same_music(daemon, home):
    (track,) = made(daemon, "turbo", prompt="die 1", scheduler="pingpong", seed=101)
    assert (home / "deaths").read_text() == "0 3 "
    assert "the track goes on where it was" in notices(daemon)
    latent = latent_of(daemon, track)
    daemon.result("cache_delete", {"track_id": track["id"]})
    (again,) = made(daemon, "turbo", prompt="die 1", scheduler="pingpong", seed=101)
    assert np.array_equal(latent_of(daemon, again), latent)
    end = time.monotonic() + LONG
    while left_on_the_way(home / "library") and time.monotonic() < end:  # folders are cleared behind the job's back
        time.sleep(0.02)
    assert left_on_the_way(home / "library") == []


# stages one after the other


def test_a_pipeline_goes_from_model_to_model_and_decodes_what_is_heard(daemon):
    stages = [
        {"model": "base", "inference_steps": STEPS["base"], "duration_sec": SECONDS},
        {"stage_type": "refine", "src_stage": 0, "t_start": 0.3, "prompt": "brushes", "preview": True},
        {"stage_type": "refine", "src_stage": 0, "t_start": 0.9, "prompt": ""},
    ]
    shared = {"backend": "ace_step_15", "model": "turbo", "prompt": "lofi rain", "seed": 9}
    reply = daemon.result("pipeline_run", {"stages": stages, "shared": shared})
    end = daemon.end_of(reply["job_id"], LONG)
    assert end["method"] == "generation_complete", end
    ends = [m["params"] for m in daemon.notifications("stage_complete") if m["params"]["job_id"] == reply["job_id"]]
    assert [len(done["tracks"]) for done in ends] == [0, 1, 1]
    assert [done["params"]["model"] for done in ends] == ["base", "turbo", "turbo"]
    sketch, near, far = (values(daemon, done["latent_ids"][0]) for done in ends)
    assert 0 < np.abs(near - sketch).mean() < np.abs(far - sketch).mean()
    alone = {**shared, **stages[1], "src_stage": None, "src_latent_id": ends[0]["latent_ids"][0]}
    alone = made_of(daemon, "generate", {k: v for k, v in alone.items() if v is not None})
    np.testing.assert_array_equal(latent_of(daemon, alone), near)
    again = daemon.result("pipeline_run", {"stages": stages, "shared": shared, "from_stage": 2})
    assert (again["status"], again["track_id"]) == ("cached", ends[2]["tracks"][0]["id"])


def made_of(daemon, method, params):
    end = daemon.end_of(daemon.result(method, params)["job_id"], LONG)
    assert end["method"] == "generation_complete", end
    return end["params"]["tracks"][0]


def test_every_kind_of_stage_is_run_in_turn_and_only_sound_that_is_needed_is_decoded(daemon, home):
    shared = {"backend": "ace_step_15", "model": "turbo", "prompt": "lofi rain", "seed": 11}
    stages = [
        {"duration_sec": SECONDS},
        {"stage_type": "cover", "src_stage": 0, "prompt": "brushes"},
        {"stage_type": "repaint", "src_stage": 1, "repaint_start": 1.0, "repaint_end": 3.0, "preview": True},
        {"stage_type": "refine", "src_stage": 2, "t_start": 0.5, "prompt": ""},
        {"stage_type": "extract", "src_stage": 0, "track_name": "drums", "model": "base", "inference_steps": 2},
        {"stage_type": "lego", "src_stage": 3, "track_name": "bass", "model": "base", "inference_steps": 2},
        {"stage_type": "complete", "src_stage": 4, "track_classes": ["drums"], "model": "base", "inference_steps": 2},
    ]
    codec = home / "codec"
    codec.unlink()
    reply = daemon.result("pipeline_run", {"stages": stages, "shared": shared})
    end = daemon.end_of(reply["job_id"], LONG)
    assert end["method"] == "generation_complete", end
    ends = [m["params"] for m in daemon.notifications("stage_complete") if m["params"]["job_id"] == reply["job_id"]]
    source, own = ["decode", "encode"], ["decode"]
    assert codec.read_text().split() == [*source, *source, *own, *source, *source, *source, *own], (
        "cover, then repaint, which is heard; refine nothing; extract, lego, and complete, which is heard"
    )
    assert [len(done["tracks"]) for done in ends] == [0, 0, 1, 0, 0, 0, 1]
    latents = [done["latent_ids"][0] for done in ends]
    for stage, done in zip(stages, ends, strict=True):
        used = {name: value for name, value in stage.items() if name != "src_stage"}
        assert used.items() <= done["params"].items()
        if "src_stage" in stage:
            assert done["params"]["src_latent_id"] == latents[stage["src_stage"]]
    every = [values(daemon, latent) for latent in latents]
    assert not any(np.array_equal(one, other) for i, one in enumerate(every) for other in every[:i])
    (repainted,), (completed,) = ends[2]["tracks"], ends[6]["tracks"]
    family = daemon.result("lineage", {"track_id": completed["id"]})["nodes"]
    assert {node["id"]: node["parent_ids"] for node in family} == {
        latents[0]: [], latents[1]: [latents[0]], repainted["id"]: [latents[1]], latents[3]: [repainted["id"]],
        latents[4]: [latents[0]], latents[5]: [latents[3]], completed["id"]: [latents[4]],
    }  # fmt: skip
    codec.unlink()
    again = daemon.result("pipeline_run", {"stages": stages, "shared": shared})
    assert (again["status"], again["track_id"]) == ("cached", completed["id"])
    assert not codec.exists()
