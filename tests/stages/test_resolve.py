"""What a request may be: defaults, ranges, the named error of each bad field, and the order of the checks."""

import msgspec
import pytest

from lofi_daemon.config import Settings
from lofi_daemon.errors import LofiError
from lofi_daemon.stages.request import STAGE_FIELDS, GenerateRequest, StageRequest, convert_error
from lofi_daemon.stages.resolve import resolve

GOING_ON = {"stage_type": "continue", "backend": "musicgen", "src_audio_id": "abcdef"}


def make(**fields):
    fields.setdefault("prompt", "rainy night")
    return resolve(msgspec.convert(fields, StageRequest), Settings(), lambda: 42)


def refusal(**fields):
    with pytest.raises(LofiError) as caught:
        make(**fields)
    return caught.value


def test_a_prompt_is_enough():
    params = make().params
    assert (params.backend, params.duration_sec, params.seed, params.stage_type) == ("synth", 30.0, 42, "generate")
    assert params.instrumental is True


def test_equal_after_defaults_are_equal():
    assert make().params == make(backend="synth", duration_sec=30, seed=42, instrumental=True).params


def test_only_a_continuation_overlaps_two_seconds_unless_told():
    assert make(backend="musicgen").params.overlap_sec is None
    assert (make(**GOING_ON).params.overlap_sec, make(**GOING_ON, overlap_sec=4).params.overlap_sec) == (2, 4)
    assert make(**GOING_ON, model="melody").params.model == "melody", "which does without a melody"


def test_surrounding_blanks_of_a_prompt_do_not_count():
    assert make(prompt="  rain \n").params.prompt == "rain"


def test_keyscale_and_time_signature_get_their_one_form():
    params = make(keyscale="dm", timesignature="4").params
    assert (params.keyscale, params.timesignature) == ("D minor", "4/4")


@pytest.mark.parametrize(
    ("fields", "name", "field"),
    [
        ({"prompt": ""}, "INVALID_PROMPT", "prompt"),
        ({"prompt": " \t"}, "INVALID_PROMPT", "prompt"),
        ({"prompt": "x" * 513}, "INVALID_PROMPT", "prompt"),
        ({"backend": "suno"}, "INVALID_BACKEND", "backend"),
        ({"duration_sec": 4.9}, "INVALID_DURATION", "duration_sec"),
        ({"duration_sec": 601}, "INVALID_DURATION", "duration_sec"),
        ({"duration_sec": -1}, "INVALID_DURATION", "duration_sec"),
        ({"duration_sec": 121, "backend": "musicgen"}, "INVALID_DURATION", "duration_sec"),
        ({"duration_sec": 241, "backend": "ace_step"}, "INVALID_DURATION", "duration_sec"),
        ({"seed": -1}, "INVALID_SEED", "seed"),
        ({"seed": 1.5}, "INVALID_SEED", "seed"),
        ({"seed": 2**53}, "INVALID_SEED", "seed"),
        ({"seed": "2e3"}, "INVALID_SEED", "seed"),
        ({"seed": "٣"}, "INVALID_SEED", "seed"),
        ({"seed": ""}, "INVALID_SEED", "seed"),
        ({"seed": str(2**64)}, "INVALID_SEED", "seed"),
        ({"scheduler": "euler"}, "INVALID_SCHEDULER", "scheduler"),
        ({"scheduler": "warp", "backend": "ace_step"}, "INVALID_SCHEDULER", "scheduler"),
        ({"scheduler": "sde", "backend": "ace_step"}, "INVALID_SCHEDULER", "scheduler"),
        ({"inference_steps": 8}, "INVALID_INFERENCE_STEPS", "inference_steps"),
        ({"inference_steps": 201, "backend": "ace_step"}, "INVALID_INFERENCE_STEPS", "inference_steps"),
        ({"guidance_scale": 0.5, "backend": "ace_step"}, "INVALID_GUIDANCE_SCALE", "guidance_scale"),
        ({"bpm": 29}, "INVALID_PARAMS", "bpm"),
        ({"bpm": 301}, "INVALID_PARAMS", "bpm"),
        ({"keyscale": "H moll"}, "INVALID_PARAMS", "keyscale"),
        ({"timesignature": "7/8"}, "INVALID_PARAMS", "timesignature"),
        ({"lyrics": "la la"}, "INVALID_PARAMS", "lyrics"),
        ({"init_latent_id": "x"}, "INVALID_PARAMS", "init_latent_id"),
        ({"batch_size": 9, "backend": "musicgen"}, "INVALID_PARAMS", "batch_size"),
        ({"model": "huge", "backend": "musicgen"}, "INVALID_PARAMS", "model"),
        ({"stage_type": "cover"}, "INVALID_STAGE", "stage_type"),
        ({"stage_type": "dance"}, "INVALID_STAGE", "stage_type"),
        ({"stage_type": "continue"}, "INVALID_STAGE", "stage_type"),
        ({"stage_type": "continue", "backend": "musicgen"}, "INVALID_PARAMS", "src_audio_id"),
        ({"src_audio_id": "abcdef", "backend": "musicgen"}, "INVALID_PARAMS", "src_audio_id"),
        ({"overlap_sec": 2, "backend": "musicgen"}, "INVALID_PARAMS", "overlap_sec"),
        (GOING_ON | {"src_latent_id": "abcdef"}, "INVALID_PARAMS", "src_latent_id"),
        (GOING_ON | {"overlap_sec": 5}, "INVALID_PARAMS", "overlap_sec"),
        (GOING_ON | {"overlap_sec": 0}, "INVALID_PARAMS", "overlap_sec"),
        (GOING_ON | {"model": "melody", "reference_audio_id": "abcdef"}, "INVALID_PARAMS", "reference_audio_id"),
    ],
)
def test_each_bad_field_gets_its_named_error(fields, name, field):
    error = refusal(**fields)
    assert (error.name, error.field) == (name, field)
    assert error.message.endswith((".", "”."))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(0, 0), (2**53 - 1, 2**53 - 1), ("7", 7), (str(2**53), str(2**53)), (str(2**64 - 1), str(2**64 - 1))],
)
def test_seeds_have_one_form(sent, kept):
    assert make(seed=sent).params.seed == kept


def test_the_prompt_is_checked_before_the_backend_and_the_backend_before_ranges():
    assert refusal(prompt="", backend="suno", duration_sec=1).name == "INVALID_PROMPT"
    assert refusal(backend="suno", duration_sec=1).name == "INVALID_BACKEND"


@pytest.mark.parametrize("fields", [{"instrumental": False}, {"vocal_language": "en"}])
def test_the_composer_says_that_it_cannot_sing(fields):
    resolved = make(**fields)
    assert resolved.params == make().params
    assert len(resolved.notices) == 1
    assert "voice" in resolved.notices[0]


def test_ace_step_defaults_come_from_the_settings():
    params = resolve(
        StageRequest(prompt="x", backend="ace_step"), Settings(ace_step_default_steps=27), lambda: 1
    ).params
    assert (params.inference_steps, params.scheduler, params.guidance_scale) == (27, "euler", 15.0)


def wire_refusal(fields):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(fields, GenerateRequest)
    return convert_error(caught.value, (*STAGE_FIELDS, "priority", "job_id", "auto_play"))


def test_an_unknown_field_is_named_with_the_known_ones():
    error = wire_refusal({"prompt": "x", "tempo": 80})
    assert (error.name, error.field) == ("INVALID_PARAMS", "tempo")
    assert "bpm" in error.message


@pytest.mark.parametrize(
    "field", ["prompt", "duration_sec", "bpm", "batch_size", "instrumental", "lora", "cfg_interval", "auto_play"]
)
def test_a_wrong_type_is_named(field):
    error = wire_refusal({"prompt": "x", field: {"a": 1}})
    assert (error.name, error.field) == ("INVALID_PARAMS", field)
