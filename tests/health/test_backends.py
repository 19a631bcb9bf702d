"""What can make music, and the command that brings what cannot: packages, weights, the rest of them."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from lofi_daemon.backends.base import Availability
from lofi_daemon.backends.registry import BACKENDS
from lofi_daemon.config import Settings
from lofi_daemon.health import backends
from lofi_daemon.health.commands import Installation
from lofi_daemon.models.store import Found

PACKAGE = Installation(None, Path("/env"), Path("/env/bin/python"))
MISSING = replace(
    BACKENDS["musicgen"], availability=lambda settings: Availability("not_installed", "MusicGen lacks something.")
)
READY = replace(BACKENDS["musicgen"], availability=lambda settings: Availability("ready"))


def look(info, *, packages=True, weights=None, settings=Settings(), compiler="/usr/bin/cc"):  # noqa: B008
    def found(one, root):
        return (weights or {}).get(one.model, Found("absent"))

    return list(
        backends.look(
            settings, PACKAGE, infos=(info,), packages=lambda _: packages, weights=found, free=10_000_000_000,
            compiler=lambda: compiler,
        )
    )  # fmt: skip


def test_a_missing_backend_names_the_commands_for_packages_and_weights_with_their_licence():
    told = look(MISSING, packages=False)[0]
    assert (told.level, told.text) == ("info", "musicgen: MusicGen lacks something.")
    assert told.advice == (
        "Its Python packages: :LofiInstall musicgen in Neovim, or /env/bin/python -m pip install "
        "'lofi-daemon[musicgen]'",
        "Its weights (small, 2.4 GB, CC-BY-NC-4.0): :LofiBackends in Neovim, or lofi download musicgen",
    )


def test_only_what_is_missing_is_asked_for():
    (step,) = look(MISSING)[0].advice
    assert step.startswith("Its weights")


def test_the_default_that_cannot_answer_is_an_error():
    told = look(MISSING, settings=Settings(default_backend="musicgen"))[0]
    assert told.level == "error"
    assert told.advice[-1] == 'Or let another one answer: default_backend = "auto"'


def test_weights_that_are_here_are_shown_and_half_of_them_can_be_completed():
    weights = {
        "small": Found("ready", 2_370_000_000, 2_370_000_000, "c" * 40, (Path("/models/small"),)),
        "medium": Found("partial", 1_000_000_000, 8_000_000_000),
    }
    told = look(READY, weights=weights)
    assert [(finding.level, finding.text) for finding in told] == [
        ("ok", "musicgen (MusicGen) is ready"),
        ("ok", "musicgen's weights “small”: 2.4 GB in /models/small"),
        ("info", "musicgen's weights “medium”: 1.0 GB of 8.0 GB are here"),
        ("info", "Weights go to ~/.cache/lofi.nvim/models, 10.0 GB free"),
    ]
    assert told[2].advice == ("Fetch the rest: lofi download musicgen medium",)


def test_without_a_c_compiler_bfloat16_is_slow_in_ace_step():
    ready = replace(BACKENDS["ace_step_15"], availability=lambda settings: Availability("ready"))
    for precision, said in (("bfloat16", ["warn"]), ("float32", [])):
        settings = Settings(device="cpu", ace_step_precision=precision)
        told = look(ready, settings=settings, compiler=None)
        assert [finding.level for finding in told if "C compiler" in finding.text] == said


def test_without_a_c_compiler_musicgen_is_slow_on_a_cpu():
    on_cpu = Settings(device="cpu")
    told = [finding for finding in look(READY, settings=on_cpu, compiler=None) if "C compiler" in finding.text]
    assert [finding.level for finding in told] == ["warn"]
    assert "restart" in told[0].advice[-1]
    others = (look(READY, settings=Settings(device="cuda"), compiler=None), look(MISSING, compiler=None))
    assert not [finding for found in others for finding in found if "C compiler" in finding.text]
