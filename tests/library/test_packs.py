"""A stage in one file: whatever is not as it was written is refused by name, and nothing lands elsewhere."""

import hashlib
import json
import zipfile

import pytest
from support.made_latents import record, staged

from lofi_daemon.errors import LofiError
from lofi_daemon.library import packs
from lofi_daemon.library.latents.file import examine

TEXT = '[[stages]]\nprompt = "rain"\n'


@pytest.fixture
def pack(tmp_path):
    """A whole one, and the latent in it."""
    _, path = staged(tmp_path, record())
    latent = examine(path)
    return packs.write(str(tmp_path / "a.lofi.zip"), TEXT, [latent]), latent


def members(path):
    with zipfile.ZipFile(path) as pack:
        return {name: pack.read(name) for name in pack.namelist()}


def written(path, content, **options):
    with zipfile.ZipFile(path, "w", **options) as pack:
        for name, data in content.items():
            pack.writestr(name, data)


def summed(content):
    """``content`` with sums that fit."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in content.items() if name != "sums.json"}
    return content | {"sums.json": json.dumps(sums).encode()}


def test_what_went_in_comes_out(pack, tmp_path):
    path, latent = pack
    (tmp_path / "in").mkdir()
    text, found = packs.read(str(path), tmp_path / "in")
    assert (text, [(f.record.id, f.sha256) for f in found]) == (TEXT, [(latent.record.id, latent.sha256)])
    assert (tmp_path / "in" / found[0].record.path).read_bytes() == next(
        iter(tmp_path.glob("*.safetensors"))
    ).read_bytes()


def harmed(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def of_latent(change):
    """A pack whose latent is changed, with sums that fit the change."""

    def make(content):
        name = next(n for n in content if n.startswith("latents/"))
        other, data = change(name, content[name])
        return summed({n: d for n, d in content.items() if n != name} | {other: data})

    return make


@pytest.mark.parametrize(
    ("change", "options", "why"),
    [
        (lambda c: summed(c | {"latents/../../../evil.safetensors": b"x"}), {}, "belongs to no stage"),
        (lambda c: summed(c | {"/etc/evil": b"x"}), {}, "belongs to no stage"),
        (lambda c: summed(c | {"latents/evil.pkl": b"x"}), {}, "belongs to no stage"),
        (lambda c: {n: d for n, d in c.items() if n != "sums.json"}, {}, "no stage"),
        (lambda c: c | {"stage.lofi.toml": b"[[stages]]"}, {}, "checksum"),
        (lambda c: c | {"sums.json": b"[]"}, {}, "damaged"),
        (lambda c: c | {"sums.json": b"{}"}, {}, "sums"),
        (of_latent(lambda n, d: (n, harmed(d))), {}, "damaged"),
        (of_latent(lambda n, d: ("latents/" + "0" * 8 + n[16:], d)), {}, "another than its name"),
        (lambda c: c | {n: harmed(d) for n, d in c.items() if n.startswith("latents/")}, {}, "damaged"),
        (summed, {"compression": zipfile.ZIP_DEFLATED}, "compressed"),
        (lambda c: summed(c | {"stage.lofi.toml": b" " * (packs.MAX_TEXT_BYTES + 1)}), {}, "too large"),
        (lambda c: summed(c | {f"latents/{i:08}-0000-0000-0000-000000000000.safetensors": b"" for i in range(9)}), {},
         "no stage"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(pack, tmp_path, change, options, why):
    path = tmp_path / "b.lofi.zip"
    written(path, change(members(pack[0])), **options)
    (tmp_path / "in").mkdir()
    before = sorted(tmp_path.parent.rglob("*evil*"))
    with pytest.raises(LofiError) as caught:
        packs.read(str(path), tmp_path / "in")
    assert (caught.value.name, caught.value.field) == ("INVALID_PARAMS", "path")
    assert why in caught.value.message
    assert sorted(tmp_path.parent.rglob("*evil*")) == before


def test_a_pack_that_lies_about_its_sizes_or_is_cut_short_is_refused(pack, tmp_path):
    data = pack[0].read_bytes()
    path = tmp_path / "b.lofi.zip"
    (tmp_path / "in").mkdir()
    for half in (data[: len(data) // 2], b"", data.replace(b"[[stages]]", b"[[stagez]]")):
        path.write_bytes(half)
        with pytest.raises(LofiError, match="will not do"):
            packs.read(str(path), tmp_path / "in")


@pytest.mark.parametrize("path", ["relative.lofi.zip", "~nobody-at-all/x", "/nowhere/x.lofi.zip", "/tmp/", "/tmp/a\0b"])
def test_a_place_that_will_not_do_is_named(path):
    with pytest.raises(LofiError) as caught:
        packs.write(path, TEXT, [])
    assert (caught.value.name, caught.value.field) == ("INVALID_PARAMS", "path")
