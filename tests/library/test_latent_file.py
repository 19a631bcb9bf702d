"""The file of a latent: any reader of safetensors reads it, and no harm done to it goes unseen."""

import msgspec
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.made_latents import blob, record

from lofi_daemon.library.latents.file import DamagedLatent, examine, examine_bytes, seal, shape_and_dtype


def test_any_reader_of_safetensors_reads_the_tensors_and_one_json_string(tmp_path):
    data, of = blob(3, momentum=np.arange(5, dtype=np.int64)), record()
    path = tmp_path / "x.safetensors"
    path.write_bytes(seal(data, of))
    with safetensors.safe_open(path, "np") as file:
        (text,) = file.metadata().values()
        assert msgspec.json.decode(text)["record"]["model_variant"] == "turbo"
        assert sorted(file.keys()) == ["latent", "momentum"]
    kept, given = safetensors.numpy.load_file(path), safetensors.numpy.load(data)
    for name in given:
        np.testing.assert_array_equal(kept[name], given[name])


def test_the_record_comes_back_without_its_path_and_its_pin(tmp_path):
    metadata = {"a": [1.5, None, '☂ " \\ \n']}
    of = record(path="/somewhere", pinned=True, lm_metadata=metadata, schedule=(1.0, 1 / 3, 0.0))
    found = examine_bytes(seal(blob(), of))
    assert found.record == msgspec.structs.replace(of, path="", pinned=False)
    path = tmp_path / "x"
    path.write_bytes(seal(blob(), of))
    assert examine(path).record.path == str(path)
    assert examine(path).sha256 == found.sha256


def test_bfloat16_is_known_by_its_name():
    import torch
    from safetensors.torch import save

    assert shape_and_dtype(save({"latent": torch.zeros(1, 3, 64, dtype=torch.bfloat16)})) == ((1, 3, 64), "bfloat16")


def test_every_flipped_bit_is_seen():
    """Of the whole header, and of a sample of the data. (Where a flip in white space is not, the index's SHA-256 is
    left.)"""
    whole = seal(blob(), record())
    start = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(len(whole[:start].rstrip(b" "))), *range(start, len(whole), 97)]
    unseen = []
    for at in places:
        for bit in (0, 3, 6):
            harmed = bytearray(whole)
            harmed[at] ^= 1 << bit
            try:
                examine_bytes(bytes(harmed))
            except DamagedLatent:
                continue
            unseen.append((at, bit))
    assert unseen == []


def test_every_truncation_is_seen_and_so_is_what_was_appended():
    whole = seal(blob(), record())
    for size in [*range(0, 2000, 37), len(whole) // 2, len(whole) - 1]:
        with pytest.raises(DamagedLatent):
            examine_bytes(whole[:size])
    with pytest.raises(DamagedLatent, match="more in it"):
        examine_bytes(whole + b"\0")


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\0" * 100,
        b"\xff" * 100,
        blob(),
        safetensors.numpy.save({"x": np.zeros(3)}),
        b"\x04" + b"\0" * 7 + b"[[[[",
    ],
)
def test_what_is_no_latent_of_ours_is_said_to_be_none(foreign):
    with pytest.raises(DamagedLatent):
        examine_bytes(foreign)


def test_a_record_that_lies_about_its_tensor_is_not_written():
    with pytest.raises(DamagedLatent, match="another shape"):
        seal(blob(shape=(1, 25, 64)), record())
