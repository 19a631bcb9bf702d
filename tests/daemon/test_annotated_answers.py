"""What a daemon answers and tells is what lua/lofi/meta/wire.lua says: every member, its type, and whether it may be
missing."""

import sys

import pytest
from support.fake_hub import FakeHub, musicgen_files
from support.luacats import misfits, parse, read, read_folder
from support.neovim import ROOT
from support.raw_daemon import RawDaemon
from support.sound_card import SoundCards

PUPPET = (sys.executable, str(ROOT / "tests" / "support" / "puppet_latents.py"))
KNOWN = read_folder(ROOT, "lua")
PLAYS = "lofi.PlayerState"
LIST = "lofi.Playlist"
RADIO = "lofi.RadioState"
FOCUS = "lofi.FocusState"

# In this order, for what is asked first makes what is asked later more than empty.
ASKED = (
    ("toggle", {}, PLAYS),
    ("pause", {}, PLAYS),
    ("cache_list", {}, "{ tracks: lofi.Track[], total: integer }"),
    ("cache_get", {"track_id": "ID"}, "lofi.Track"),
    ("track_favorite", {"track_id": "ID"}, "lofi.Track"),
    ("cache_get", {"track_id": "FROM LATENT"}, "lofi.Track"),
    ("latent_list", {}, "{ latents: lofi.Latent[], total: integer }"),
    ("latent_get", {"latent_id": "LATENT"}, "lofi.Latent"),
    ("latent_pin", {"latent_id": "LATENT"}, "lofi.Latent"),
    ("track_waveform", {"track_id": "ID", "columns": 7}, "lofi.Waveform"),
    ("queue_status", {}, "lofi.Queue"),
    ("queue_move", {"job_id": "waits", "position": 1}, "lofi.Queue"),
    (
        "download_backend",
        {"backend": "musicgen"},
        "{ started: boolean, already_installed: boolean, backend: string, model: string, bytes_total: integer }",
    ),
    ("get_backends", {}, "{ backends: lofi.Backend[], default_backend: string }"),
    ("play", {"track_id": "ID"}, PLAYS),
    ("seek", {"position_sec": 1.5}, PLAYS),
    ("pause", {}, PLAYS),
    ("playlist_add", {"track_id": "ID"}, LIST),
    ("playlist_mode", {"loop": "all", "shuffle": True}, LIST),
    ("audio_devices", {}, "lofi.Devices"),
    ("audio_device_set", {"device": ""}, "lofi.Devices"),
    ("stage_fields", {}, "{ fields: lofi.StageField[] }"),
    (
        "pipeline_check",
        {"toml": '[[stages]]\nprompt = ""\nbpm = "x"'},
        "{ problems: lofi.PipelineProblem[], stages: (table|nil)[] }",
    ),
    ("pipeline_text", {"track_id": "ID"}, "{ toml: string, shared: table, stages: table[] }"),
    ("pipeline_run", {"stages": [{"prompt": "steps 1", "seed": 9}]}, "lofi.PipelineReply"),
    ("lineage", {"track_id": "FROM LATENT"}, "{ id: string, nodes: lofi.LineageNode[] }"),
    ("presets_list", {}, "{ presets: lofi.Preset[] }"),
    ("focus_start", {"work_min": 25, "break_min": 5, "rounds": 2}, FOCUS),
    ("focus_stop", {}, FOCUS),
    ("radio_start", {"strategy": "library"}, RADIO),
    ("radio_stop", {}, RADIO),
    ("diagnose", {}, "{ findings: lofi.Finding[] }"),
    ("stop", {}, PLAYS),
    ("playlist_clear", {}, LIST),
    ("playlist_get", {}, LIST),
)
TOLD = {
    "generation_complete": "lofi.Generated",
    "stage_complete": "lofi.StageComplete",
    "library_changed": "lofi.LibraryChange",
    "playlist_changed": LIST,
    "radio_changed": RADIO,
    "focus_changed": FOCUS,
    "download_progress": "lofi.Download",
    "backend_status": "lofi.BackendStatus",
}


def problems(value, text, name):
    kind, rest = parse(text)
    assert rest == ""
    return list(misfits(value, kind, KNOWN, name))


@pytest.fixture(scope="module")
def heard(tmp_path_factory, isolated_session):
    """(method, params, result) of everything in ASKED, and every notification that came meanwhile."""
    folder = tmp_path_factory.mktemp("answers")
    cards = SoundCards(folder, "speakers")
    with (
        FakeHub({"facebook/musicgen-small": musicgen_files()}) as hub,
        RawDaemon(
            folder / "cache", PUPPET, "player.output=sounddevice", env=cards.env | {"HF_ENDPOINT": hub.url}
        ) as daemon,
    ):
        made = daemon.end_of(daemon.result("generate", {"prompt": "long", "seed": str(2**60)})["job_id"])["params"]
        asked = {"prompt": "latent", "backend": "ace_step_15", "seed": str(2**60), "checkpoint_step": 1}
        latent = daemon.end_of(daemon.result("generate", asked)["job_id"])["params"]
        daemon.end_of(daemon.result("pipeline_run", {"stages": [asked | {"seed": 8}]})["job_id"])
        daemon.result("generate", {"prompt": "deaf"})
        daemon.result("generate", {"prompt": "steps 1", "job_id": "waits"})
        answers = []
        ids = {"ID": made["track_id"], "FROM LATENT": latent["track_id"], "LATENT": latent["latent_id"]}
        for method, params, _ in ASKED:
            ready = {name: ids.get(str(value), value) for name, value in params.items()}
            answers.append(daemon.result(method, ready))
        daemon.wait(lambda m: m.get("method") == "backend_status" and m["params"]["status"] != "downloading")
        told = daemon.notifications()
    cards.close()
    return answers, told


@pytest.mark.parametrize("index", range(len(ASKED)), ids=[method for method, _, _ in ASKED])
def test_an_answer_is_of_the_annotated_type(heard, index):
    method, _, kind = ASKED[index]
    assert problems(heard[0][index], kind, method) == []


@pytest.mark.parametrize("method", TOLD)
def test_a_notification_is_of_the_annotated_type(heard, method):
    params = [message["params"] for message in heard[1] if message["method"] == method]
    assert params
    assert [problem for value in params for problem in problems(value, TOLD[method], method)] == []


def test_the_comparison_has_something_to_compare(heard):
    answers = dict(zip([method for method, _, _ in ASKED], heard[0], strict=True))
    assert answers["play"]["state"] == "playing"
    assert answers["queue_status"]["current"] and answers["queue_status"]["pending"]
    assert answers["playlist_add"]["tracks"] and answers["audio_devices"]["devices"]
    assert isinstance(answers["cache_get"]["seed"], str), "a large seed"


def test_every_class_of_the_wire_is_compared():
    wire = read({"wire.lua": (ROOT / "lua/lofi/meta/wire.lua").read_text()}).classes
    answered = {name for name in wire if not name.endswith("Opts")}  # those are asked
    seen: set[str] = set()
    kinds = [*TOLD.values(), *(kind for _, _, kind in ASKED)]
    left = [name for text in kinds for name in parse(text)[0].names()]
    while left:
        name = left.pop()
        if name in KNOWN.classes and name not in seen:
            seen.add(name)
            left += [inner for _, kind in KNOWN.classes[name].fields.values() for inner in kind.names()]
    assert sorted(answered - seen) == []
