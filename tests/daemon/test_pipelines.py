"""Pipelines through the whole daemon: what each stage starts from, what is decoded and kept, and going on after a
failure."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.raw_daemon import RawDaemon

from lofi_daemon.stages.request import STAGE_FIELDS

COMMAND = (sys.executable, str(Path(__file__).parents[1] / "support" / "puppet_stages.py"))
ACE = {"backend": "ace_step_15"}
LATENT = ACE | {"duration_sec": 6}


def daemon_in(folder):
    env = {"LOFI_PUPPET_LOG": str(folder / "log"), "LOFI_PUPPET_DEATHS": str(folder / "deaths")}
    return RawDaemon(folder / "cache", COMMAND, env=env)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory, isolated_session):
    return tmp_path_factory.mktemp("pipelines")


@pytest.fixture(scope="module")
def daemon(shared_folder):
    with daemon_in(shared_folder) as daemon:
        yield daemon


@pytest.fixture
def did(shared_folder):
    """What the puppet did since the test began."""
    log = shared_folder / "log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    return lambda: [json.loads(line) for line in log.read_text().splitlines()[before:]]


def run(daemon, *stages, end="generation_complete", **more):
    """The reply, each stage's end and the job's."""
    reply = daemon.result("pipeline_run", {"stages": list(stages), **more})
    done = daemon.end_of(reply["job_id"])
    assert done["method"] == end, done["params"]
    ends = [m["params"] for m in daemon.notifications("stage_complete") if m["params"]["job_id"] == reply["job_id"]]
    return reply, ends, done["params"]


REFINE = {"stage_type": "refine", "prompt": "two"}


def code(error):
    return error["data"]["code"], error["data"].get("field")


def test_a_stage_goes_on_from_the_latent_before_it_and_only_what_is_heard_is_decoded(daemon, did):
    shared = LATENT | {"seed": 5}
    reply, ends, done = run(daemon, {"prompt": "one"}, REFINE | {"src_stage": 0}, shared=shared)
    assert [(d["from"], d["decoded"]) for d in did()] == [(None, False), ("latent", True)]
    assert (ends[0]["tracks"], len(ends[0]["latent_ids"])) == ([], 1)
    (track,) = ends[1]["tracks"]
    assert (track["id"], done["tracks"]) == (reply["track_id"], [track])
    assert track["params"] == ends[1]["params"], "what was really used"
    assert track["params"]["src_latent_id"] == ends[0]["latent_ids"][0] and "src_stage" not in track["params"]
    assert track["parent_ids"] == ends[0]["latent_ids"]
    latent = daemon.result("latent_get", {"latent_id": ends[0]["latent_ids"][0]})
    assert (latent["pipeline_id"], latent["stage_index"], latent["heard"]) == (reply["job_id"], 0, False)
    (alone,) = daemon.result("pipeline_text", {"track_id": track["id"]})["stages"]
    assert daemon.result("generate", alone)["track_id"] == track["id"], "the same music by another way"
    order = [m["method"] for m in daemon.notifications() if m["params"].get("job_id") == reply["job_id"]]
    assert order[-2:] == ["stage_complete", "generation_complete"]


def test_a_preview_is_heard_and_the_music_after_it_is_the_same(daemon, did):
    shared = LATENT | {"seed": 6}
    quiet, *_ = run(daemon, {"prompt": "one"}, REFINE | {"src_stage": 0}, shared=shared)
    daemon.result("cache_delete", {"track_id": quiet["track_id"]})
    loud, ends, _ = run(daemon, {"prompt": "one", "preview": True}, REFINE | {"src_stage": 0}, shared=shared)
    assert [d["decoded"] for d in did()] == [False, True, True, True]
    assert did()[3]["from"] == "latent", "its latent is nearer than its sound"
    assert loud["track_id"] == quiet["track_id"]
    (preview,) = ends[0]["tracks"]
    assert ends[1]["tracks"][0]["parent_ids"] == [preview["id"], ends[0]["latent_ids"][0]]
    assert Path(preview["path"]).exists()


def test_another_backend_goes_on_from_the_sound(daemon, did):
    reply, ends, _ = run(
        daemon,
        {"prompt": "rain", "backend": "synth", "duration_sec": 5, "seed": 1},
        {"stage_type": "cover", "src_stage": 0, "backend": "ace_step_15", "prompt": "", "seed": 2},
    )
    assert did() == [{"stage": "", "from": "audio", "decoded": True, "again": False}]
    source = ends[0]["tracks"][0]
    (cover,) = ends[1]["tracks"]
    assert (cover["params"]["src_audio_id"], cover["parent_ids"]) == (source["id"], [source["id"]])
    assert (cover["params"]["prompt"], cover["prompt"]) == ("", "(cover without words)")
    assert cover["params"]["duration_sec"] == source["duration_sec"], "as long as its source"
    alone = {"prompt": "", "stage_type": "cover", "backend": "ace_step_15", "seed": 2, "src_audio_id": source["id"]}
    assert daemon.result("generate", alone)["track_id"] == reply["track_id"], "the same request by another way"


def test_what_was_made_before_is_not_made_again(daemon, did):
    stages = [{"prompt": "one", "preview": True}, REFINE | {"src_stage": 0}]
    run(daemon, *stages, shared=LATENT | {"seed": 8})
    reply, ends, done = run(daemon, *stages, shared=LATENT | {"seed": 8})
    assert (reply["status"], done["cached"], [len(end["tracks"]) for end in ends]) == ("cached", True, [1, 1])
    assert len(did()) == 2


def test_a_failing_stage_keeps_what_came_before_and_the_pipeline_goes_on_from_it(daemon, did):
    stages = [{"prompt": "one", "preview": True}, REFINE | {"src_stage": 0, "prompt": "fail"}]
    reply, ends, error = run(daemon, *stages, shared=LATENT, end="generation_error")
    assert (error["code"], error["stage_index"], error["stages"]) == ("MODEL_INFERENCE_FAILED", 1, 2)
    assert error["message"].startswith("stages[1]: ") and "from_stage=1" in error["message"]
    kept = ends[0]["tracks"][0]
    assert daemon.result("cache_get", {"track_id": kept["id"]})["latent_id"] == ends[0]["latent_ids"][0]

    _, more, _ = run(daemon, stages[0], REFINE | {"src_stage": 0}, shared=LATENT, from_stage=1)
    assert [d["stage"] for d in did()] == ["one", "fail", "two"], "the seed was drawn: this is the very same run"
    assert more[0]["params"]["src_latent_id"] == ends[0]["latent_ids"][0]
    record = daemon.result("pipeline_get", {"pipeline_id": reply["job_id"]})
    assert (record["state"], [bool(left) for left in record["results"]]) == ("failed", [True, False])


def test_a_pipeline_is_run_again_by_its_id_after_a_restart(tmp_path):
    with daemon_in(tmp_path) as daemon:
        reply, ends, _ = run(
            daemon,
            {"prompt": "one"},
            REFINE | {"src_stage": 0, "prompt": "fail"},
            shared=LATENT,
            end="generation_error",
        )
    with daemon_in(tmp_path) as daemon:
        again = daemon.result("pipeline_run", {"pipeline_id": reply["pipeline_id"]})
        assert again["from_stage"] == 1, "the first that left nothing"
        assert again["stages"][0]["params"] == reply["stages"][0]["params"]
        error = daemon.end_of(again["job_id"])["params"]
        assert error["from_stage"] == 1
        daemon.result("latent_delete", {"latent_id": ends[0]["latent_ids"][0]})
        refused = daemon.error("pipeline_run", {"pipeline_id": reply["pipeline_id"]})
        assert code(refused) == ("LATENT_NOT_FOUND", "stages[0].latent_id")
        assert ends[0]["latent_ids"][0] in refused["message"]


def test_a_worker_that_dies_in_a_later_stage_costs_only_that_stage(daemon, did):
    run(daemon, {"prompt": "one"}, REFINE | {"src_stage": 0, "prompt": "die 1"}, shared=LATENT)
    assert [(d["stage"], d["again"]) for d in did()] == [("one", False), ("die 1", False), ("die 1", True)]


def test_cancelled_in_a_later_stage_what_came_before_is_kept(daemon):
    stages = [{"prompt": "one"}, REFINE | {"src_stage": 0, "prompt": "hold"}]
    reply = daemon.result("pipeline_run", {"stages": stages, "shared": LATENT})
    daemon.wait(lambda m: m.get("method") == "stage_complete" and m["params"]["job_id"] == reply["job_id"])
    daemon.result("cancel", {"job_id": reply["job_id"]})
    done = daemon.end_of(reply["job_id"])
    assert (done["method"], done["params"]["stage_index"]) == ("generation_cancelled", 1)
    left = [m["params"] for m in daemon.notifications("stage_complete") if m["params"]["job_id"] == reply["job_id"]]
    assert daemon.result("latent_get", {"latent_id": left[0]["latent_ids"][0]})


def test_progress_counts_all_stages_and_never_falls(daemon):
    reply, *_ = run(daemon, {"prompt": "steps"}, REFINE | {"src_stage": 0, "prompt": "steps"}, shared=LATENT)
    told = [
        m["params"] for m in daemon.notifications("generation_progress") if m["params"]["job_id"] == reply["job_id"]
    ]
    assert [p["percent"] for p in told] == sorted(p["percent"] for p in told)
    assert {p["stages"] for p in told} == {2} and {p["stage_index"] for p in told} == {0, 1}
    assert all(p["percent"] < 51 for p in told if p["stage_index"] == 0)
    assert all(p["percent"] >= 49 for p in told if p["stage_index"] == 1)


@pytest.mark.parametrize(
    ("stages", "name", "field"),
    [
        ([{"prompt": "x"}, {"prompt": "x", "tempo": 3}], "INVALID_PARAMS", "stages[1].tempo"),
        ([{"prompt": "x"}, {"prompt": "x", "bpm": "slow"}], "INVALID_PARAMS", "stages[1].bpm"),
        ([{"prompt": "x"}, {"prompt": "x", "scheduler": "warp"}], "INVALID_SCHEDULER", "stages[1].scheduler"),
        ([{"prompt": "x"}, {"prompt": "x", "stage_type": "continue"}], "INVALID_STAGE", "stages[1].stage_type"),
        ([{"prompt": "x"}, {"prompt": ""}], "INVALID_PROMPT", "stages[1].prompt"),
        ([{"prompt": "x"}, REFINE], "INVALID_PARAMS", "stages[1].src_audio_id"),
        ([{"prompt": "x"}, REFINE | {"src_stage": 1}], "INVALID_PARAMS", "stages[1].src_stage"),
        ([{"prompt": "x"}, REFINE | {"src_stage": -1}], "INVALID_PARAMS", "stages[1].src_stage"),
        ([{"prompt": "x"}, {"prompt": "x", "src_stage": 0}], "INVALID_PARAMS", "stages[1].src_stage"),
        ([REFINE | {"src_latent_id": "0" * 36}], "LATENT_NOT_FOUND", "stages[0].src_latent_id"),
        ([REFINE | {"src_audio_id": "abcdef"}], "INVALID_TRACK_ID", "stages[0].src_audio_id"),
        ([{"prompt": "x"}, REFINE | {"src_stage": 0, "resume_sample_index": 1}], "INVALID_PARAMS",
         "stages[1].resume_sample_index"),
        ([{"prompt": "x"}, {"prompt": "x", "backend": "musicgen"}], "BACKEND_NOT_INSTALLED", "stages[1].backend"),
        ([], "INVALID_PARAMS", "stages"),
    ],
)  # fmt: skip
def test_a_wrong_stage_is_refused_before_anything_is_queued(daemon, did, stages, name, field):
    error = daemon.error("pipeline_run", {"stages": stages, "shared": LATENT})
    assert code(error) == (name, field)
    assert daemon.result("queue_status")["current"] is None and did() == []


TEXT = """[shared]
backend = "ace_step_15"
bpm = 8000

[[stages]]
prompt = "x"
scheduler = "warp"
tempo = 3

[[stages]]
stage_type = "refine"
src_latent_id = "abcdef"
"""


def test_all_that_is_wrong_is_told_with_its_lines_and_nothing_is_run(daemon, did):
    found = daemon.result("pipeline_check", {"toml": TEXT})["problems"]
    assert [(p["line"], p["field"]) for p in found] == [
        (3, "stages[0].bpm"), (7, "stages[0].scheduler"), (8, "stages[0].tempo"), (10, "stages[1].prompt"),
    ]  # fmt: skip
    right = daemon.result("pipeline_check", {"stages": [{"prompt": "x"}], "shared": LATENT})
    assert (right["problems"], right["stages"][0]["duration_sec"]) == ([], 6.0)
    error = daemon.error("pipeline_run", {"toml": TEXT.replace("tempo = 3", "").replace("8000", "80")})
    assert (error["data"]["details"]["line"], error["message"][:7]) == (7, "Line 7:")
    assert daemon.result("pipeline_check", {"toml": "[shared"})["problems"][0]["line"] == 1
    assert did() == []


def test_a_restored_stage_makes_the_same_track_until_its_denoise_is_lowered(daemon):
    _, ends, _ = run(daemon, {"prompt": "to restore", "seed": 3}, shared=LATENT)
    (track,) = ends[0]["tracks"]
    (stage,) = daemon.result("pipeline_text", {"track_id": track["id"]})["stages"]
    assert (stage["init_latent_id"], stage["t_start"]) == (track["latent_id"], 1.0)
    assert {name: stage[name] for name in track["params"]} == track["params"], "no field is lost"
    assert daemon.result("pipeline_run", {"stages": [stage]})["track_id"] == track["id"]
    lower = daemon.result("pipeline_run", {"stages": [stage | {"t_start": 0.4}]})
    assert lower["track_id"] != track["id"]
    made = daemon.end_of(lower["job_id"])["params"]["tracks"][0]
    assert made["parent_ids"] == [track["id"], track["latent_id"]]
    (kept,) = daemon.result("pipeline_text", {"track_id": made["id"]})["stages"]
    assert (kept["init_latent_id"], kept["t_start"]) == (track["latent_id"], 0.4), "it stays what it was"


ROOT = LATENT | {"stage_type": "generate", "prompt": "root", "model": "base", "seed": 1, "preview": True}
COMMON = ACE | {
    "model": "base", "prompt": "every", "duration_sec": 6.0, "seed": "18446744073709551615", "lyrics": "[verse]\nrain",
    "vocal_language": "en", "instrumental": False, "bpm": 80, "keyscale": "D minor", "timesignature": "6/8",
    "inference_steps": 20, "guidance_scale": 3.5, "scheduler": "heun", "shift": 2.5, "guidance": "cfg",
    "cfg_interval": [0.1, 0.9], "checkpoint_step": 1, "preview": True,
}  # fmt: skip
WINDOW = {"repaint_start": 1.0, "repaint_end": 4.5}
OF_TYPE = [
    {"stage_type": "generate", "init_latent_id": "the root's", "t_start": 0.5, "resume_sample_index": 0},
    {"stage_type": "refine", "src_latent_id": "the root's", "t_start": 0.5},
    {"stage_type": "cover", "src_stage": 0, "cover_strength": 0.5, "cover_noise_strength": 0.25, "prompt": ""},
    {"stage_type": "repaint", "src_audio_id": "the root", **WINDOW, "repaint_strength": 0.6},
    {"stage_type": "extract", "src_stage": 0, "track_name": "drums"},
    {"stage_type": "lego", "src_latent_id": "the root's", "track_name": "bass", **WINDOW},
    {"stage_type": "complete", "src_audio_id": "the root", "track_classes": ["drums", "bass"]},
]


def test_the_round_trips_take_every_field_but_those_of_a_batch_and_of_musicgen():
    left_out = {"batch_size", "temperature", "top_k", "top_p", "overlap_sec"}
    assert set(COMMON).union(*OF_TYPE) | {"lora", "reference_audio_id"} == set(STAGE_FIELDS) - left_out


@pytest.mark.parametrize("own", OF_TYPE, ids=lambda own: own["stage_type"])
def test_no_field_is_lost_from_simple_to_custom_to_pipeline_and_back(daemon, shared_folder, own):
    adapter = shared_folder / "x.safetensors"
    adapter.touch()
    _, (made,), _ = run(daemon, ROOT)
    root = {"the root": made["tracks"][0]["id"], "the root's": made["latent_ids"][0]}
    asked = COMMON | {"lora": [{"path": str(adapter), "scale": 0.5}], "reference_audio_id": root["the root"]}
    asked |= {name: root.get(value, value) if isinstance(value, str) else value for name, value in own.items()}
    reply, ends, _ = run(daemon, ROOT, asked)
    (custom,) = daemon.result("pipeline_text", {"track_id": reply["track_id"]})["stages"]
    if asked.pop("src_stage", None) is not None:
        asked["src_latent_id"] = ends[0]["latent_ids"][0]
    assert {name: custom.get(name) for name in asked} == asked

    shared = ACE | {"bpm": 99, "lyrics": "other", "t_start": 0.3, "prompt": "other", "stage_type": "cover"}
    text = daemon.result("pipeline_text", {"shared": shared, "stages": [ROOT, custom, REFINE | {"src_stage": 1}]})
    read = daemon.result("pipeline_text", {"toml": text["toml"]})
    assert read == text and read["stages"][1] == custom
    again, _, _ = run(daemon, *read["stages"], shared=read["shared"])
    assert again["stages"][1]["track_ids"] == [reply["track_id"]], "the same music"
    (restored,) = daemon.result("pipeline_text", {"track_id": reply["track_id"]})["stages"]
    made_once_more = {name: restored[name] for name in ("init_latent_id",) if name in custom}
    assert restored == custom | made_once_more


def test_the_family_is_told_from_its_oldest_and_names_what_is_gone(daemon):
    _, ends, _ = run(
        daemon,
        {"prompt": "root", "preview": True},
        REFINE | {"src_stage": 0},
        REFINE | {"src_stage": 1, "prompt": "leaf"},
        shared=LATENT,
    )
    root, unheard, leaf = ends[0]["tracks"][0]["id"], ends[1]["latent_ids"][0], ends[2]["tracks"][0]["id"]
    other = daemon.result("generate", LATENT | {"prompt": "sister", "stage_type": "cover", "src_audio_id": root})
    daemon.end_of(other["job_id"])
    family = daemon.result("lineage", {"track_id": leaf[:12]})
    assert family["id"] == leaf
    assert [(n["id"], n["kind"], n["parent_ids"]) for n in family["nodes"]] == [
        (root, "track", []),
        (unheard, "latent", [root]),
        (leaf, "track", [unheard]),
        (other["track_id"], "track", [root]),
    ]
    daemon.result("cache_delete", {"track_id": root})
    gone = daemon.result("lineage", {"track_id": other["track_id"]})["nodes"]
    assert gone[0] == {"id": root, "kind": "gone", "parent_ids": []}
    assert {n["id"] for n in gone} == {root, unheard, leaf, other["track_id"]}


def test_a_stage_travels_with_its_latent_in_one_file(daemon, tmp_path):
    _, ends, _ = run(daemon, {"prompt": "to carry", "checkpoint_step": 0}, shared=LATENT)
    (track,) = ends[0]["tracks"]
    packed = daemon.result("stage_export", {"track_id": track["id"], "path": str(tmp_path / "night")})
    assert packed["path"] == str(tmp_path / "night.lofi.zip")
    assert set(packed["latent_ids"]) == {track["latent_id"], track["latent_checkpoint_id"]}
    with daemon_in(tmp_path) as elsewhere:
        brought = elsewhere.result("stage_import", {"path": packed["path"]})
        assert set(brought["latent_ids"]) == set(packed["latent_ids"])
        assert brought["stages"] == daemon.result("pipeline_text", {"track_id": track["id"]})["stages"]
        assert elsewhere.result("latent_get", {"latent_id": track["latent_id"]})["pinned"]
        made = elsewhere.result("pipeline_run", {"stages": [brought["stages"][0] | {"t_start": 0.5}]})
        assert elsewhere.end_of(made["job_id"])["method"] == "generation_complete"
        assert elsewhere.result("stage_import", {"path": packed["path"]}) == brought, "twice is once"
    assert code(daemon.error("stage_export", {"track_id": track["id"], "path": packed["path"]}))[1] == "path"


def test_a_file_of_ones_own_is_a_source(daemon, did, tmp_path):
    soundfile.write(tmp_path / "mine.wav", np.full((16_000, 1), 0.5), 8000)
    mine = daemon.result("track_import", {"path": str(tmp_path / "mine.wav")})
    _, ends, _ = run(daemon, ACE | {"stage_type": "cover", "prompt": "", "src_audio_id": mine["id"], "duration_sec": 6})
    assert did()[0]["from"] == "audio"
    assert ends[0]["tracks"][0]["parent_ids"] == [mine["id"]]
    refused = daemon.error("pipeline_text", {"track_id": mine["id"]})
    assert code(refused) == ("INVALID_PARAMS", "track_id") and "src_audio_id" in refused["message"]


OLD = {
    "generate": {"job_id", "track_id", "track_ids", "status", "position", "seed", "backend"},
    "generation_started": {"job_id", "track_id", "prompt", "duration_sec", "seed", "backend", "device"},
    "generation_progress": {
        "job_id", "track_id", "percent", "current_step", "total_steps", "eta_sec", "stage_index", "stages",
    },
    "generation_complete": {
        "job_id", "tracks", "cached", "track_id", "path", "duration_sec", "sample_rate", "generation_time_sec",
        "backend", "model_version", "prompt", "seed", "latent_id", "latent_checkpoint_id", "checkpoint_step",
    },
    "generation_error": {"job_id", "track_id", "code", "message"},
    "generation_cancelled": {"job_id", "track_id", "at_step", "total_steps"},
    "cache_get": {
        "id", "path", "prompt", "duration_sec", "sample_rate", "channels", "seed", "backend", "model_version",
        "generation_time_sec", "created_at", "params", "parent_ids", "lufs", "favorite", "latent_id", "latent_index",
        "latent_checkpoint_id", "checkpoint_step",
    },
    "latent_get": {
        "id", "path", "shape", "dtype", "model_variant", "stage_type", "is_checkpoint", "checkpoint_step",
        "total_steps", "schedule", "params", "lm_metadata", "batch_size", "created_at", "pinned", "pipeline_id",
        "stage_index",
    },
}  # fmt: skip
"""What a client heard before there were pipelines."""


def test_a_client_from_before_pipelines_hears_all_it_did_and_of_no_stage(daemon):
    since = len(daemon.heard)
    old = {"prompt": "old steps", "bpm": 80, "checkpoint_step": 0} | LATENT
    replies = [daemon.result("generate", old | {"seed": 5, "prompt": prompt}) for prompt in ("steps", "fail")]
    done, failed = (daemon.end_of(reply["job_id"]) for reply in replies)
    assert (done["method"], failed["method"]) == ("generation_complete", "generation_error")
    held = daemon.result("generate", old | {"prompt": "hold"})
    daemon.wait(lambda m: m.get("method") == "generation_started" and m["params"]["job_id"] == held["job_id"])
    daemon.result("cancel", {"job_id": held["job_id"]})
    daemon.end_of(held["job_id"])
    heard = {(m["method"], frozenset(m["params"])) for m in daemon.heard[since:] if "method" in m}
    assert "stage_complete" not in {method for method, _ in heard}
    track = daemon.result("cache_get", {"track_id": replies[0]["track_id"]})
    latent = daemon.result("latent_get", {"latent_id": track["latent_id"]})
    heard |= {("generate", frozenset(replies[0])), ("cache_get", frozenset(track)), ("latent_get", frozenset(latent))}
    assert {method for method, _ in heard} >= set(OLD)
    assert [(method, OLD[method] - names) for method, names in heard if OLD.get(method, set()) - names] == []
    assert set(track["params"]) <= set(STAGE_FIELDS) - {"src_stage", "preview"}
