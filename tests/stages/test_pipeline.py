"""What a stage takes from its pipeline: the rule of null and "", the precedence of sources, and the text of it all."""

from pathlib import Path

import msgspec
import pytest

from lofi_daemon.backends import registry
from lofi_daemon.backends.base import Latent, Origin
from lofi_daemon.config import Settings
from lofi_daemon.engine.link import Made
from lofi_daemon.errors import LofiError
from lofi_daemon.library.identity import track_id
from lofi_daemon.model import LatentFile, LatentRecord, StageParams, Track
from lofi_daemon.stages import restoring, toml
from lofi_daemon.stages.request import STAGE_FIELDS, Pipeline, StageRequest
from lofi_daemon.stages.resolve import resolve
from lofi_daemon.stages.sources import origin, parent_ids, settled

ACE = {"backend": "ace_step_15"}
EVERYTHING = {
    "stage_type": "repaint", "backend": "ace_step_15", "model": "base", "prompt": 'rain, "soft"\t\\ café 夜',
    "duration_sec": 61.5, "seed": "18446744073709551615", "batch_size": 2, "lyrics": '[verse]\nla """la\r\n\\n"',
    "vocal_language": "en", "instrumental": False, "bpm": 80, "keyscale": "D minor", "timesignature": "4/4",
    "inference_steps": 30, "guidance_scale": 7.5, "scheduler": "heun", "shift": 2.0, "guidance": "apg",
    "cfg_interval": [0.0, 0.9], "temperature": 0.9, "top_k": 40, "top_p": 0.95, "init_latent_id": "abcdef",
    "t_start": 0.5, "resume_sample_index": 1, "checkpoint_step": 4, "src_latent_id": "abcdee", "src_stage": 0,
    "src_audio_id": "abcded", "overlap_sec": 2, "reference_audio_id": "abcdec", "cover_strength": 0.7,
    "cover_noise_strength": 0.1, "repaint_start": 3.5, "repaint_end": 9.0, "repaint_strength": 0.6,
    "track_name": "drums", "track_classes": ["drums", "bass"],
    "lora": [{"path": "/a b/c.safetensors", "scale": 0.8}], "preview": True,
}  # fmt: skip


@pytest.fixture(autouse=True)
def stages_of_ace_step(monkeypatch):
    """All of them, whichever the engine can run."""
    info = msgspec.structs.replace(registry.BACKENDS["ace_step_15"], stage_types=("generate", "refine", "cover"))
    monkeypatch.setitem(registry.BACKENDS, "ace_step_15", info)


def params(stage, shared=None, index=1):
    of = msgspec.convert({"shared": shared or {}, "stages": [stage]}, Pipeline)
    return resolve(of.stages[0], Settings(), lambda: 42, of.shared, index).params


def refused(stage, shared=None, index=1):
    with pytest.raises(LofiError) as caught:
        params(stage, shared, index)
    return caught.value.name, caught.value.field


# absent and null = shared; "" = explicitly empty; text = this text

REFINE = ACE | {"stage_type": "refine", "src_audio_id": "abcdef"}


@pytest.mark.parametrize(
    ("field", "shared", "stage", "used"),
    [
        ("prompt", "rain", {}, "rain"),
        ("prompt", "rain", {"prompt": None}, "rain"),
        ("prompt", "rain", {"prompt": ""}, ""),
        ("prompt", "rain", {"prompt": "sun"}, "sun"),
        ("prompt", "", {"prompt": "sun"}, "sun"),
        ("keyscale", "D minor", {}, "D minor"),
        ("keyscale", "D minor", {"keyscale": None}, "D minor"),
        ("keyscale", "D minor", {"keyscale": ""}, None),
        ("keyscale", "D minor", {"keyscale": "C major"}, "C major"),
        ("keyscale", "", {}, None),
        ("scheduler", "heun", {}, "heun"),
        ("scheduler", "heun", {"scheduler": ""}, "euler"),  # its default
        ("scheduler", None, {}, "euler"),
        ("bpm", 80, {}, 80),
        ("bpm", 80, {"bpm": None}, 80),
        ("bpm", 80, {"bpm": 90}, 90),
        ("instrumental", False, {"instrumental": True}, True),
        ("instrumental", True, {"instrumental": False}, False),
        ("preview", True, {"preview": False}, False),
        ("seed", 7, {"seed": 0}, 0),
        ("seed", 7, {}, 7),
        ("t_start", 0.9, {"t_start": 0.0}, 0.0),
        ("src_audio_id", "aaaaaa", {"src_audio_id": "", "src_stage": 0}, None),
    ],
)
def test_what_a_stage_leaves_open_is_shared_and_nothing_else_is(field, shared, stage, used):
    stage = ({} if field == "prompt" else {"prompt": "x"}) | REFINE | stage
    assert getattr(params(stage, {field: shared}), field) == used


def test_lyrics_that_are_explicitly_empty_are_not_the_shared_ones():
    sung = ACE | {"prompt": "x", "instrumental": False}
    assert params(sung, {"lyrics": "la la"}).lyrics == "la la"
    assert not params(sung | {"lyrics": ""}, {"lyrics": "la la"}).lyrics


def test_what_is_shared_serves_the_stages_that_have_a_use_for_it():
    shared = {"prompt": "x", "scheduler": "heun", "src_audio_id": "abcdef", "temperature": 0.5}
    assert params({"backend": "synth"}, shared).scheduler is None
    assert params(ACE, shared).src_audio_id is None, "it starts from noise"
    assert refused({"backend": "synth", "scheduler": "heun"}, shared) == ("INVALID_SCHEDULER", "scheduler")
    assert refused(ACE | {"temperature": 0.5}, shared) == ("INVALID_PARAMS", "temperature")


def test_an_overlap_is_shared_by_those_that_go_on():
    shared = {"prompt": "x", "backend": "musicgen", "overlap_sec": 3}
    assert params({}, shared).overlap_sec is None
    assert params({"stage_type": "continue", "src_stage": 0}, shared).overlap_sec == 3


def test_only_a_stage_with_a_source_may_have_no_words():
    assert refused(ACE | {"prompt": ""}, {"prompt": "x"}) == ("INVALID_PROMPT", "prompt")
    assert refused(REFINE) == ("INVALID_PROMPT", "prompt"), "left open is not empty"
    assert params(REFINE | {"prompt": " "}).prompt == ""
    assert params(REFINE | {"prompt": ""}).title == "(refine without words)"


# src_latent_id > src_stage > src_audio_id > noise


def record(name="L0", backend="ace_step_15", **more):
    made = StageParams(backend=backend, prompt="x", duration_sec=5, seed=1)
    return LatentRecord(
        id=name, shape=(2, 1, 1), dtype="float32", model_variant="turbo", stage_type="generate", total_steps=1,
        params=made, batch_size=2, created_at="", **more,
    )  # fmt: skip


class Latents:
    def latent(self, latent_id):
        if latent_id == "gone":
            raise LofiError("LATENT_NOT_FOUND", f"The latent {latent_id} is gone.", field="latent_id")
        return Latent(record(latent_id), b"")


FILES = {"t0": "/t0.flac", "t1": "/t1.flac", "other": "/other.flac"}
HEARD = Made((("t0", "/t0.flac"), ("t1", "/t1.flac")))
BOTH = msgspec.structs.replace(HEARD, latent=LatentFile(record(), "sum"))
OF_ANOTHER = msgspec.structs.replace(HEARD, latent=LatentFile(record(backend="ace_step"), "sum"))


@pytest.mark.parametrize("audio", [None, "other"])
@pytest.mark.parametrize(
    ("latent", "stage", "index", "made", "expected"),
    [
        ("L9", 0, None, BOTH, ("L9", 0)),
        ("L9", None, 1, BOTH, ("L9", 1)),
        (None, 0, None, BOTH, ("L0", 0)),
        (None, 0, 1, BOTH, ("L0", 1)),
        (None, 0, None, HEARD, "/t0.flac"),
        (None, 0, 1, HEARD, "/t1.flac"),
        (None, 0, None, OF_ANOTHER, "/t0.flac"),
        (None, None, None, BOTH, None),
    ],
)
def test_the_first_source_that_is_named_counts(audio, latent, stage, index, made, expected):
    asked = StageParams(
        stage_type="refine", backend="ace_step_15", prompt="x", duration_sec=5, seed=1, src_latent_id=latent,
        src_stage=stage, src_audio_id=audio, resume_sample_index=index,
    )  # fmt: skip
    used = settled(asked, [made])
    found = origin(used, Latents(), FILES)
    if expected is None:
        assert found == (Origin(audio=Path("/other.flac")) if audio else None)
    elif isinstance(expected, tuple):
        assert (found.latent.record.id, found.latent_index, found.audio) == (*expected, None)
        assert (used.src_latent_id, used.src_stage, used.src_audio_id) == (expected[0], None, None)
    else:
        assert (str(found.audio), found.latent) == (expected, None)


def test_a_source_that_is_missing_is_named():
    asked = StageParams(stage_type="refine", backend="ace_step_15", prompt="x", duration_sec=5, seed=1)
    with pytest.raises(LofiError) as caught:
        origin(msgspec.structs.replace(asked, src_latent_id="gone"), Latents(), {})
    assert (caught.value.name, caught.value.field) == ("LATENT_NOT_FOUND", "src_latent_id")
    with pytest.raises(LofiError, match="Stage 0 left neither"):
        settled(msgspec.structs.replace(asked, src_stage=0), [Made()])


def test_a_stage_comes_from_the_tracks_and_latents_it_names():
    known = {"L0": record(track_ids=("a", "b")), "L1": record("L1")}
    asked = StageParams(
        backend="ace_step_15", prompt="x", duration_sec=5, seed=1, init_latent_id="L0", resume_sample_index=1,
        reference_audio_id="r",
    )  # fmt: skip
    assert parent_ids(asked, known) == ("r", "b", "L0")
    refined = StageParams(backend="ace_step_15", prompt="x", duration_sec=5, seed=1, src_latent_id="L1")
    assert parent_ids(refined, known) == ("L1",), "it was never heard"


def test_where_a_stage_stands_and_whether_it_is_heard_are_not_part_of_its_track():
    asked = StageParams(backend="ace_step_15", prompt="x", duration_sec=5, seed=1, src_stage=0)
    later = msgspec.structs.replace(asked, src_stage=3, preview=True)
    assert track_id(asked, "v", "source") == track_id(later, "v", "source") != track_id(later, "v", "another")


# as a text, and back


def everything():
    return msgspec.convert({"shared": {"prompt": "x\ny"}, "stages": [EVERYTHING, {}, {"lyrics": '\n"""'}]}, Pipeline)


def test_no_field_is_lost_on_the_way_through_a_text():
    assert set(EVERYTHING) == set(STAGE_FIELDS)
    assert toml.pipeline(toml.write(everything())) == everything()


def test_a_track_becomes_a_stage_and_a_stage_of_a_pipeline_with_every_field():
    used = msgspec.convert(EVERYTHING, StageParams)
    made = Track(
        id="t", path="", prompt="x", duration_sec=1, sample_rate=1, channels=1, seed=1, backend="ace_step_15",
        model_version="v", generation_time_sec=1, created_at="", params=used, latent_id="own", latent_index=1,
    )  # fmt: skip
    custom = restoring.of_track(made)
    pipeline = toml.pipeline(toml.write(Pipeline(stages=(StageRequest(prompt="before"), custom))))
    again = toml.pipeline(toml.write(Pipeline(stages=(pipeline.stages[1],)))).stages[0]
    assert msgspec.convert(msgspec.to_builtins(again), StageParams) == used, "it started from a latent, and still does"
    fresh = msgspec.structs.replace(made, params=msgspec.structs.replace(used, init_latent_id=None, t_start=None))
    taken_up = restoring.of_track(fresh)
    assert (taken_up.init_latent_id, taken_up.t_start) == ("own", 1.0)


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("[shared]\nprompt = \n", 2, "toml"),
        ('[shared]\nbpm = "x"\n[[stages]]', 2, "shared.bpm"),
        ('[[stages]]\nprompt = """\n[[stages]]\nbpm = 3\n"""\n[[stages]]\n  tempo = 3', 7, "stages[1].tempo"),
        ("[[stages]]\nlora = [\n  {path = 3}\n]", 2, "stages[0].lora[0].path"),
        ("[[stages]]\n# bpm = 3\n'bpm' = 2.5", 3, "stages[0].bpm"),
        ("tempo = 1\n[[stages]]", 1, "tempo"),
        ("stages = 3", 1, "stages"),
        ('[[stages]]\nprompt = "a', 2, "toml"),
    ],
)
def test_an_error_in_a_text_names_line_and_field(text, line, field):
    with pytest.raises(LofiError) as caught:
        toml.pipeline(text)
    assert (caught.value.field, caught.value.details["line"]) == (field, line)
    assert caught.value.message.startswith(f"Line {line}")
