from __future__ import annotations

import pytest

from lofi_daemon.backends.registry import BACKENDS
from lofi_daemon.errors import LofiError
from lofi_daemon.models import files, web
from lofi_daemon.models.catalogue import CATALOGUE, Part, find


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a//b", "../a", "a/../b", "a/..", "./a", "a\\b", "C:/a", "a\nb", "a\0", ".git/config", "a/.hidden",
     "a" * 500],
)  # fmt: skip
def test_a_path_that_could_lead_elsewhere_is_not_safe(path):
    assert not files.is_safe(path)


def test_a_usual_path_is_safe():
    assert files.is_safe("vae/diffusion_pytorch_model-00001-of-00002.safetensors")


@pytest.mark.parametrize("path", ["pytorch_model.bin", "model.pt", "model.pkl", "handler.py", "model.ckpt", "model"])
def test_no_pattern_lets_a_pickle_or_a_program_in(path):
    assert files.wanted([path], Part("a/b", ("*",), ())) == ()


def test_where_a_file_is_whole_and_in_shards_only_the_whole_one_is_wanted():
    names = [
        "model.safetensors", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]  # fmt: skip
    assert files.wanted(names, Part("a/b", ("model*",), ())) == ("model.safetensors",)


def test_the_catalogue_has_the_models_that_requests_may_name():
    for name, info in BACKENDS.items():
        if info.models:
            assert tuple(weights.model for weights in CATALOGUE[name]) == info.models


@pytest.mark.parametrize(
    ("backend", "model", "error"),
    [("nope", None, "INVALID_BACKEND"), ("synth", None, "UNSUPPORTED"), ("musicgen", "huge", "MODEL_NOT_FOUND")],
)
def test_what_is_not_in_the_catalogue_has_a_named_error(backend, model, error):
    with pytest.raises(LofiError) as caught:
        find(backend, model)
    assert caught.value.name == error


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://cdn.example/x", True),
        ("http://cdn.example/x", False),
        ("ftp://cdn.example/x", False),
        ("file:///etc/passwd", False),
        ("https://127.0.0.1/x", False),
        ("http://localhost:631/", False),
    ],
)
def test_a_hub_out_there_may_send_us_on_by_https_only_and_not_to_this_machine(url, safe):
    assert web._may_follow("https://huggingface.co", url) is safe
