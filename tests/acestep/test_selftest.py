"""`lofi selftest ace_step_15`: of random weights it finds all but music, and what is wrong it says."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def look(tiny, monkeypatch):
    """The texts of the findings by level, of a model in a precision."""
    from lofi_daemon.backends.acestep.selftest import look as look_at
    from lofi_daemon.backends.base import Equipment

    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(model="turbo", precision="float32", folder=tiny):
        found = list(look_at(Equipment(f"acestep-v15-{model}@local/{precision}/1", (str(folder),), precision)))
        return {level: "\n".join(one.text for one in found if one.level == level) for level in ("ok", "warn", "error")}

    return run


def test_it_tries_what_the_tests_of_random_weights_cannot_know(look):
    found = look("turbo", "bfloat16")
    assert found["error"] == ""
    for text in (
        "turbo in the published layout, bfloat16 on cpu", "5 s of music", "the same seed gives the same bits",
        "goes on to the same bits", "the sound, piece by piece", "a step agrees with float32's",
    ):  # fmt: skip
        assert text in found["ok"]


def test_what_drifts_from_float32_is_an_error_and_the_rest_is_tried_all_the_same(look, monkeypatch):
    from lofi_daemon.backends.acestep import selftest

    decode = selftest._decoded
    monkeypatch.setattr(selftest, "_decoded", lambda layout, latent: decode(layout, latent)[::-1])
    found = look("base", "float32")
    assert "the sound, piece by piece, agrees with float32's to" in found["error"]
    assert "goes on to the same bits" in found["ok"]
    ours = np.ones(100, np.float32)
    assert (selftest._compared("it", ours, ours).level, selftest._compared("it", ours, ours * 0.9).level) == (
        "ok", "error",
    )  # fmt: skip


def test_a_model_that_is_not_there_is_an_error_with_its_name(look, tmp_path):
    from lofi_daemon.errors import LofiError

    with pytest.raises(LofiError, match="lofi download ace_step_15 sft") as caught:
        look("sft", folder=tmp_path)
    assert caught.value.name == "MODEL_NOT_FOUND"
