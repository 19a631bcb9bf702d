"""What counts as here: our own folder, and what Hugging Face's library has fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_hub import COMMIT, musicgen_files

from lofi_daemon.backends import ready
from lofi_daemon.backends.registry import BACKENDS
from lofi_daemon.config import Settings
from lofi_daemon.models import store
from lofi_daemon.models.catalogue import find

SMALL = find("musicgen", "small")


def cache_snapshot(cache: Path, leave_out: str = "") -> Path:
    """As huggingface_hub lays it out: names that link to blobs."""
    home = cache / "models--facebook--musicgen-small"
    snapshot = home / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (home / "blobs").mkdir()
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    for path, content in musicgen_files(1000).items():
        if path != leave_out:
            (home / "blobs" / path).write_bytes(content)
            (snapshot / path).symlink_to(home / "blobs" / path)
    return snapshot


@pytest.mark.parametrize("name", ["HF_HOME", "HF_HUB_CACHE", "neither"])
def test_weights_in_the_hubs_own_cache_are_ready_where_they_are(tmp_path, monkeypatch, isolated, name):
    home = isolated / ".cache" / "huggingface" if name == "neither" else tmp_path / "hf"
    if name != "neither":
        monkeypatch.setenv(name, str(home))
    snapshot = cache_snapshot(home if name == "HF_HUB_CACHE" else home / "hub")
    found = store.look(SMALL, tmp_path / "models")
    assert (found.status, found.folders, found.commit) == ("ready", (snapshot,), COMMIT)
    assert found.size == 1000 + sum(
        len(content) for path, content in musicgen_files(1000).items() if path.endswith((".json", ".model"))
    )


@pytest.mark.parametrize("gone", ["model.safetensors", "config.json"])
def test_a_cache_without_what_is_needed_does_not_count(tmp_path, gone):
    cache_snapshot(tmp_path / "hub", leave_out=gone)
    assert store.look(SMALL, tmp_path / "models", tmp_path / "hub").status == "absent"


def test_a_link_to_nothing_in_the_cache_does_not_count(tmp_path):
    snapshot = cache_snapshot(tmp_path / "hub")
    (snapshot / "model.safetensors").resolve().unlink()
    assert store.look(SMALL, tmp_path / "models", tmp_path / "hub").status == "absent"


def test_a_lock_that_cannot_be_read_is_none(tmp_path):
    folder = tmp_path / SMALL.parts[0].folder
    folder.mkdir()
    (folder / "lofi.lock.json").write_text('{"repo": ')
    assert store.look(SMALL, tmp_path, tmp_path / "hub").status == "absent"


def test_engine_packages_and_weights_are_asked_for_in_this_order(tmp_path):
    settings, info = Settings(model_path=str(tmp_path)), BACKENDS["musicgen"]
    missing = [
        ready.judge(info, False, False, settings),
        ready.judge(info, True, False, settings),
        ready.judge(info, True, True, settings),
    ]
    assert all(one.status == "not_installed" for one in missing)
    assert "not part of this version" in missing[0].message
    assert ":LofiInstall musicgen" in missing[1].message and "make install EXTRAS=musicgen" in missing[1].message
    assert ":LofiBackends" in missing[2].message and "lofi download musicgen" in missing[2].message
    cache_snapshot(store.hub_cache())
    assert ready.judge(info, True, True, settings).status == "ready"


# what somebody put into the models folder himself

PUBLISHED = {
    "vae": ("config.json", "diffusion_pytorch_model.safetensors"),
    "Qwen3-Embedding-0.6B": ("config.json", "model.safetensors", "tokenizer.json"),
}
VARIANT = ("config.json", "model.safetensors", "silence_latent.pt")
DIFFUSERS = ("transformer", "condition_encoder", "text_encoder", "vae")
"""Without the tokenizer pair, as xl-turbo is published."""


def put(folder: Path, files: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_bytes(b"x" * 2000)
    return folder


def published(root: Path, *variants: str) -> None:
    for name, files in PUBLISHED.items() | {f"acestep-v15-{variant}": VARIANT for variant in variants}.items():
        put(root / name, files)


def look(root: Path, model: str) -> store.Found:
    return store.look(find("ace_step_15", model), root, root / "no-hub")


@pytest.mark.parametrize("place", ["", "Ace-Step1.5", "checkpoints"])
def test_the_checkpoints_of_the_authors_program_are_ready_where_they_are(tmp_path, place):
    published(tmp_path / place, "turbo", "base", "xl-sft")
    (tmp_path / place / "acestep-5Hz-lm-1.7B").mkdir()
    shared = tmp_path / place
    assert (look(tmp_path, "turbo").status, look(tmp_path, "turbo").folders) == ("ready", (shared,))
    for model in ("base", "xl-sft"):
        found = look(tmp_path, model)
        assert (found.status, found.folders) == ("ready", (shared / f"acestep-v15-{model}", shared))
        assert found.size == 2000 * (len(VARIANT) + 5)
    assert look(tmp_path, "sft").status != "ready"


def test_a_checkout_in_the_layout_of_diffusers_is_ready_under_its_repositorys_name(tmp_path):
    for name in DIFFUSERS:
        for model in ("turbo", "xl-base"):
            put(tmp_path / f"acestep-v15-{model}-diffusers" / name, ("config.json", "model.safetensors"))
    assert look(tmp_path, "turbo").folders == (tmp_path / "acestep-v15-turbo-diffusers",)
    assert look(tmp_path, "xl-base").folders == (tmp_path / "acestep-v15-xl-base-diffusers",)
    assert {look(tmp_path, model).status for model in ("base", "sft", "xl-turbo")} == {"absent"}


@pytest.mark.parametrize("gone", ["vae/config.json", "acestep-v15-turbo/silence_latent.pt", "Qwen3-Embedding-0.6B"])
def test_a_checkout_without_what_is_needed_does_not_count(tmp_path, gone):
    published(tmp_path, "turbo")
    path = tmp_path / gone
    path.rename(path.with_name("elsewhere"))
    assert look(tmp_path, "turbo").status != "ready"


def test_a_clone_whose_large_files_were_not_fetched_does_not_count(tmp_path):
    published(tmp_path, "turbo")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n"
    (tmp_path / "acestep-v15-turbo" / "model.safetensors").write_bytes(pointer)
    assert look(tmp_path, "turbo").status != "ready"


def test_the_stamp_of_a_checkout_is_its_commit_or_changes_with_the_weights(tmp_path):
    published(tmp_path, "turbo")
    weights = tmp_path / "acestep-v15-turbo" / "model.safetensors"
    first = look(tmp_path, "turbo")
    assert (first.commit, first.stamp) == (None, look(tmp_path, "turbo").stamp)
    weights.write_bytes(b"y" * 2001)
    assert look(tmp_path, "turbo").stamp not in ("", first.stamp)
    noted = tmp_path / ".cache" / "huggingface" / "download" / "acestep-v15-turbo"
    noted.mkdir(parents=True)
    (noted / "model.safetensors.metadata").write_text(f"{COMMIT}\netag\n1.0\n")
    assert (look(tmp_path, "turbo").commit, look(tmp_path, "turbo").stamp) == (COMMIT, COMMIT[:12])
