"""What an editor is told of the fields of a stage."""

from __future__ import annotations

from lofi_daemon.backends.registry import BACKENDS
from lofi_daemon.stages.fields import describe
from lofi_daemon.stages.request import STAGE_FIELDS
from lofi_daemon.stages.resolve import RANGES

FIELDS = {field.name: field for field in describe()}


def test_every_field_is_described_in_the_order_of_a_request():
    assert tuple(FIELDS) == STAGE_FIELDS
    assert all(field.purpose and field.backends for field in FIELDS.values())


def test_types_ranges_and_choices_are_those_that_are_checked():
    assert {field.type for field in FIELDS.values()} == {"text", "integer", "number", "boolean", "seed", "list"}
    assert {name: (f.minimum, f.maximum) for name, f in FIELDS.items() if f.minimum is not None} == dict(RANGES)
    assert FIELDS["backend"].choices == tuple(BACKENDS)
    assert FIELDS["stage_type"].choices_of == {info.type: info.stage_types for info in BACKENDS.values()}
    assert FIELDS["model"].choices_of["musicgen"] == BACKENDS["musicgen"].models
    assert "synth" not in FIELDS["model"].choices_of


def test_a_field_is_for_the_backends_that_take_it():
    assert FIELDS["prompt"].backends == tuple(BACKENDS)
    assert FIELDS["temperature"].backends == ("musicgen",)
    assert FIELDS["bpm"].backends == ("synth", "ace_step", "ace_step_15")


def test_ids_say_what_they_name():
    named = {name: field.names for name, field in FIELDS.items() if field.names}
    assert named == {
        "init_latent_id": "latent", "src_latent_id": "latent", "src_stage": "stage", "src_audio_id": "track",
        "reference_audio_id": "track",
    }  # fmt: skip
