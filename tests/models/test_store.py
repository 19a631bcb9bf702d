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
