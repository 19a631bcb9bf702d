"""Requests that could sound different never share an id; requests that are equal after defaults always do."""

import hashlib

import msgspec
import pytest

from lofi_daemon.library.identity import NOT_IN_THE_SAMPLES, track_id
from lofi_daemon.model import Lora, StageParams
from lofi_daemon.stages.items import item_params

PLAIN = StageParams(backend="synth", prompt="rainy night", duration_sec=30.0, seed=7)

OTHER_VALUES = {
    "stage_type": "cover",
    "backend": "musicgen",
    "prompt": "rainy night ",
    "duration_sec": 30.5,
    "seed": 8,
    "batch_size": 4,
    "cfg_interval": (0.0, 0.5),
    "preview": True,
    "track_classes": ("drums", "bass"),
    "lora": (Lora("style.safetensors"),),
}
"""Fields not here are tried with a value of their type."""

BY_TYPE = {str: "other", bool: False, int: 3, float: 0.25}


def other_value(field):
    if field.name in OTHER_VALUES:
        return OTHER_VALUES[field.name]
    kinds = [kind for kind in BY_TYPE if kind in getattr(field.type, "__args__", (field.type,))]
    assert kinds, f"say in OTHER_VALUES what else {field.name} may be"
    return BY_TYPE[kinds[0]]


@pytest.mark.parametrize("field", msgspec.structs.fields(StageParams), ids=lambda field: field.name)
def test_every_field_that_can_change_the_samples_changes_the_id(field):
    changed = msgspec.structs.replace(PLAIN, **{field.name: other_value(field)})
    assert changed != PLAIN
    same = track_id(changed, "v1") == track_id(PLAIN, "v1")
    assert same == (field.name in NOT_IN_THE_SAMPLES)


def test_only_the_size_of_the_batch_and_whether_a_stage_is_heard_are_left_out():
    assert {"batch_size", "preview"} == NOT_IN_THE_SAMPLES


def test_an_id_is_64_hex_digits_and_stays_what_it_was():
    # A change here orphans every library there is: raise the backends' model_version instead.
    canonical = (
        b'{"model_version":"v1","params":{"backend":"synth","duration_sec":30,"prompt":"rainy night","seed":7,'
        b'"stage_type":"generate"}}'
    )
    assert track_id(PLAIN, "v1") == hashlib.sha256(canonical).hexdigest()


def test_the_model_version_is_part_of_it():
    assert track_id(PLAIN, "v1") != track_id(PLAIN, "v2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"duration_sec": 30}, {"duration_sec": 30.0}),
        ({"seed": 7}, {"seed": "7"}),
        ({"seed": 2**60}, {"seed": str(2**60)}),
        ({"cfg_interval": (0, 1)}, {"cfg_interval": (0.0, 1.0)}),
        ({"t_start": 0.0}, {"t_start": -0.0}),
        ({"lora": (Lora("a", 1),)}, {"lora": (Lora("a", 1.0),)}),
        ({"lyrics": None}, {}),
    ],
)
def test_two_ways_to_write_one_request_have_one_id(one, other):
    assert track_id(msgspec.structs.replace(PLAIN, **one), "v") == track_id(
        msgspec.structs.replace(PLAIN, **other), "v"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lyrics": None}, {"lyrics": ""}),
        ({"duration_sec": 30.0}, {"duration_sec": 30.000001}),
        ({"lora": (Lora("a"), Lora("b"))}, {"lora": (Lora("b"), Lora("a"))}),
        ({"seed": 2**53}, {"seed": 2**53 + 1}),
    ],
)
def test_what_differs_a_little_differs(one, other):
    assert track_id(msgspec.structs.replace(PLAIN, **one), "v") != track_id(
        msgspec.structs.replace(PLAIN, **other), "v"
    )


def test_the_wire_brings_the_same_id_back():
    params = msgspec.structs.replace(
        PLAIN, seed=str(2**63), lora=(Lora("a", 0.5),), cfg_interval=(0.0, 1.0), prompt="é☂"
    )
    again = msgspec.json.decode(msgspec.json.encode(params), type=StageParams)
    assert track_id(again, "v") == track_id(params, "v")


def test_an_item_of_a_batch_is_the_track_of_its_own_seed():
    batch = msgspec.structs.replace(PLAIN, batch_size=3)
    alone = msgspec.structs.replace(PLAIN, seed=9)
    assert track_id(item_params(batch, 2), "v") == track_id(alone, "v")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_id_for_what_is_no_number(value):
    with pytest.raises(ValueError, match="JSON"):
        track_id(msgspec.structs.replace(PLAIN, duration_sec=value), "v")
